//! Query strings.

use rsr_base::{OrganisationId, ProjectId};
use rsr_hierarchy::{
    ChildrenRequest, Condition, CursorKey, Limits, RequestError, Sort, SortField, Viewer,
};

fn parse(query: &[(&str, &str)]) -> Result<ChildrenRequest, RequestError> {
    let key = CursorKey::new([1; 32]);
    ChildrenRequest::parse(ProjectId(1), Viewer::Anonymous, query.iter().copied(), &key)
}

#[track_caller]
fn refuses(field: &str, value: &str) {
    let error = parse(&[(field, value)]).unwrap_err();
    assert_eq!(error.field(), Some(field), "{error}");
    assert!(error.to_string().starts_with(field), "{error}");
}

#[test]
fn limits_and_depths_that_are_no_counts_are_refused_by_name() {
    for field in ["limit", "max_depth"] {
        for value in [
            "0",
            "-1",
            "99999999999999999999999",
            "ten",
            "1.5",
            " 1",
            "1e3",
            "٣",
        ] {
            refuses(field, value);
        }
    }
}

#[test]
fn nothing_asked_is_two_levels_newest_first() {
    let request = parse(&[("limit", ""), ("cursor", "")]).unwrap();
    assert_eq!(
        request,
        ChildrenRequest::new(ProjectId(1), Viewer::Anonymous)
    );
    assert_eq!(request.depth_max.get(), 2);
    assert_eq!(request.page_size(&Limits::default()).get(), 1000);
}

#[test]
fn nesting_goes_to_ten() {
    let request = parse(&[("max_depth", "4000000000"), ("nested", "True")]).unwrap();
    assert_eq!((request.depth_max.get(), request.nested), (10, true));
}

#[test]
fn filters_and_sort_are_read() {
    let query = [
        ("title", " water "),
        ("status", "published"),
        ("is_public", "0"),
        ("organisation", "42"),
        ("sort", "-title"),
    ];
    let request = parse(&query).unwrap();
    let expected = [
        Condition::TitleContains("water".to_owned()),
        Condition::Published(true),
        Condition::Public(false),
        Condition::PrimaryOrganisation(OrganisationId(42)),
    ];
    assert_eq!(request.filter.conditions(), expected);
    let expected = Sort {
        field: SortField::Title,
        descending: true,
    };
    assert_eq!(request.sort, expected);
}

#[test]
fn what_is_unknown_or_malformed_is_refused_by_name() {
    refuses("colour", "red");
    refuses("colour", "");
    refuses("status", "draft");
    refuses("is_public", "perhaps");
    refuses("nested", "2");
    refuses("organisation", "NL-1");
    refuses("sort", "password");
    refuses("sort", "--id");
    refuses("title", &"x".repeat(201));
    refuses("cursor", "0123");
    let twice = parse(&[("limit", "1"), ("limit", "2")]).unwrap_err();
    assert!(matches!(twice, RequestError::Twice { .. }));
    let many = vec![("sector", "1"); 21];
    assert_eq!(parse(&many), Err(RequestError::TooManyConditions));
}

#[test]
fn a_cursor_is_checked_against_filters_that_come_after_it() {
    let key = CursorKey::new([1; 32]);
    let mut filtered = ChildrenRequest::new(ProjectId(1), Viewer::Anonymous);
    filtered.filter.add("sector", "112").unwrap();
    let last = rsr_hierarchy::Key::of_id(ProjectId(5));
    let cursor = key.seal(&last, &filtered);
    let request = parse(&[("cursor", &cursor), ("sector", "112")]).unwrap();
    assert_eq!(request.after, Some(last));
    assert!(parse(&[("cursor", &cursor)]).is_err());
}
