use std::collections::BTreeSet;
use std::io;

use super::*;

#[test]
fn what_is_said_outside_is_apart_from_the_cause() {
    let problem = Problem::internal(io::Error::other("table \"secrets\" is gone"));
    let document = problem.document(Some("r1")).to_string();
    assert!(!document.contains("secrets"), "{document}");
    assert!(document.contains("\"request_id\":\"r1\""));
}

#[test]
fn each_kind_has_a_type_of_its_own_and_an_error_status() {
    let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
    assert_eq!(slugs.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert!(kind.status().as_u16() >= 400, "{kind:?}");
    }
}

#[test]
fn a_wait_is_never_rounded_down_to_nothing() {
    assert_eq!(whole_seconds(Duration::ZERO), 1);
    assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
    assert_eq!(whole_seconds(Duration::MAX), 86_400);
}
