use std::collections::BTreeSet;

use super::*;
use crate::routes;

#[test]
fn every_route_is_described_once() {
    let routes = routes::admin_routes();
    let description = describe(routes.iter().map(|route| &route.operation));
    let mut ids = BTreeSet::new();
    for route in &routes {
        let operation = route.operation;
        let described =
            &description["paths"][operation.path][operation.method.to_ascii_lowercase()];
        assert_eq!(described["operationId"], operation.id, "{}", operation.path);
        assert!(ids.insert(operation.id), "{} is used twice", operation.id);
        assert!(
            !operation.about.is_empty(),
            "{} says what it does",
            operation.path
        );
    }
}

#[test]
fn the_public_description_has_no_admin_route() {
    for route in routes::public_routes() {
        assert_ne!(
            route.operation.access,
            Access::Admin,
            "{}",
            route.operation.path
        );
    }
}

#[test]
fn parameters_in_paths_are_declared() {
    let operation = Operation::get("/a/{id}/b/", "x", "y");
    let description = describe(std::iter::once(&operation));
    assert_eq!(
        description["paths"]["/a/{id}/b/"]["get"]["parameters"][0]["name"],
        "id"
    );
}

#[test]
fn a_field_without_choices_has_no_list_of_them() {
    let operations = routes::admin_routes();
    let description = describe(operations.iter().map(|route| &route.operation));
    let mut open = vec![&description];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(choices) = members.get("enum") {
                    assert!(choices.is_array(), "{value}");
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
}
