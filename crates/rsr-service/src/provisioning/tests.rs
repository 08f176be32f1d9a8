use super::query::{Known, QueryError, Scope};
use super::*;

#[test]
fn everything_asks_for_what_is_exported() {
    let files = provisioning().unwrap();
    assert_eq!(files.len(), 8);
    assert!(provisioned_queries().unwrap().len() > 50);
}

#[track_caller]
fn check_refused(expression: &str, expected: &str) {
    let known = Known::of_this_service();
    let refused: QueryError = known.check(expression, Scope::All).unwrap_err();
    assert!(refused.to_string().contains(expected), "{refused}");
}

#[test]
fn what_nobody_exports_cannot_be_asked_for() {
    check_refused(
        "rsr_memory_usage_mb",
        "rsr_memory_usage_mb is exported by nobody",
    );
    check_refused("sum(rsr_request_duration_seconds)", "exported by nobody");
    check_refused("rsr:unknown:rate5m > 1", "exported by nobody");
}

#[test]
fn rates_are_of_counters_and_slopes_of_gauges() {
    check_refused(
        "rate(rsr_cache_entries[5m])",
        "rate does not fit rsr_cache_entries",
    );
    check_refused(
        "deriv(rsr_cache_hits_total[5m])",
        "deriv does not fit rsr_cache_hits_total",
    );
}

#[test]
fn variables_are_put_in_and_taken_out() {
    let known = Known::of_this_service();
    let asked = r#"rsr_cache_entries{$,cache=~"$cache"}"#;
    assert_eq!(
        known.check(asked, Scope::All).unwrap(),
        r#"rsr_cache_entries{cache=~".*"}"#
    );
    assert_eq!(
        known.check(asked, Scope::Chosen).unwrap(),
        r#"rsr_cache_entries{job=~"$job",instance=~"$instance",cache=~"$cache"}"#
    );
}

#[test]
fn panels_say_what_they_show_and_do_not_overlap() {
    for board in [&memory::BOARD, &leaks::BOARD] {
        let json: serde_json::Value =
            serde_json::from_str(&board.json(&Known::of_this_service()).unwrap()).unwrap();
        assert!(json["schemaVersion"].as_u64() >= Some(36));
        let mut taken = std::collections::BTreeSet::new();
        for panel in json["panels"].as_array().unwrap() {
            let place = &panel["gridPos"];
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|part| place[part].as_u64().unwrap());
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(
                    taken.insert(cell),
                    "{} overlaps at {cell:?}",
                    panel["title"]
                );
            }
            let is_row = panel["type"] == "row";
            assert!(is_row || panel["description"].as_str().unwrap().ends_with('.'));
            assert!(is_row || panel["fieldConfig"]["defaults"]["unit"].is_string());
        }
    }
}

#[test]
fn runbooks_are_headings_of_the_guide() {
    let guide = include_str!("../../../../docs/guides/troubleshooting.md");
    let headings: Vec<String> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || *c == ' ' || *c == '-';
            heading
                .chars()
                .filter(kept)
                .collect::<String>()
                .to_lowercase()
                .replace(' ', "-")
        })
        .collect();
    for alert in ALERTS {
        assert!(
            headings.iter().any(|known| known == alert.runbook),
            "{}: {headings:?}",
            alert.name
        );
    }
}
