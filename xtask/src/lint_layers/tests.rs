//! One tiny workspace per rule that must fail, beside the sound one that must pass.

use serde_json::{Value, json};

use super::*;

/// A sound workspace: `top` over `mid` over `rsr-base`, with a testkit and a tool.
fn sound() -> Value {
    json!({
        "metadata": {
            "layers": {
                "order": ["low", "middle", "high"],
                "tools": ["rsr-testkit", "xtask"],
                "crates": {
                    "rsr-base": {"layer": "low", "uses": []},
                    "mid": {"layer": "middle", "uses": ["rsr-base"]},
                    "side": {"layer": "middle", "uses": ["rsr-base"]},
                    "top": {"layer": "high", "uses": ["mid"]},
                },
            },
            "confined": {"sql": ["mid"]},
        },
        "packages": [
            package("rsr-base", &[]),
            package("mid", &[("rsr-base", ""), ("rsr-testkit", "dev"), ("sql", "registry")]),
            package("side", &[("rsr-base", "")]),
            package("top", &[("mid", ""), ("rsr-base", "dev")]),
            package("rsr-testkit", &[("rsr-base", "")]),
            package("xtask", &[("top", "")]),
        ],
    })
}

fn package(name: &str, dependencies: &[(&str, &str)]) -> Value {
    let dependencies: Vec<_> = dependencies
        .iter()
        .map(|(to, how)| dependency(to, how))
        .collect();
    json!({"name": name, "manifest_path": format!("/w/{name}/Cargo.toml"), "dependencies": dependencies})
}

fn dependency(to: &str, how: &str) -> Value {
    let kind = if matches!(how, "dev" | "build") {
        json!(how)
    } else {
        Value::Null
    };
    if how == "registry" {
        json!({"name": to, "kind": kind})
    } else {
        json!({"name": to, "kind": kind, "path": format!("/w/{to}")})
    }
}

fn add_edge(workspace: &mut Value, from: &str, to: &str, how: &str) {
    let packages = workspace["packages"].as_array_mut().unwrap();
    let package = packages
        .iter_mut()
        .find(|package| package["name"] == from)
        .unwrap();
    package["dependencies"]
        .as_array_mut()
        .unwrap()
        .push(dependency(to, how));
}

#[track_caller]
fn check_messages(workspace: &Value, expected: &[&str]) {
    let (table, graph) = read(workspace).unwrap();
    let found: Vec<_> = check(&table, &graph)
        .into_iter()
        .map(|violation| violation.message)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_sound_workspace_passes() {
    check_messages(&sound(), &[]);
}

#[test]
fn rule_1_unlisted_and_stale() {
    let mut workspace = sound();
    workspace["packages"]
        .as_array_mut()
        .unwrap()
        .push(package("rsr-foo", &[("top", "")]));
    check_messages(&workspace, &["rsr-foo is not in the layer table"]);
    let mut workspace = sound();
    workspace["metadata"]["layers"]["crates"]["gone"] = json!({"layer": "low", "uses": []});
    check_messages(&workspace, &["gone is in the layer table but is no member"]);
}

#[test]
fn rule_2_an_edge_that_is_not_listed() {
    for how in ["", "build"] {
        let mut workspace = sound();
        add_edge(&mut workspace, "mid", "top", how);
        check_messages(&workspace, &["mid uses top: not in its uses list"]);
    }
}

#[test]
fn rule_3_listed_but_not_lower() {
    let mut workspace = sound();
    add_edge(&mut workspace, "mid", "side", "");
    workspace["metadata"]["layers"]["crates"]["mid"]["uses"] = json!(["rsr-base", "side"]);
    check_messages(&workspace, &["mid (middle) may not use side (middle)"]);
}

#[test]
fn rule_4_listed_but_not_used() {
    let mut workspace = sound();
    workspace["metadata"]["layers"]["crates"]["top"]["uses"] = json!(["mid", "side"]);
    check_messages(&workspace, &["top no longer uses side: remove it"]);
    let mut workspace = sound();
    workspace["metadata"]["layers"]["exceptions"] = json!([{"from": "side", "to": "mid"}]);
    check_messages(
        &workspace,
        &["the exception for side to mid is not needed: remove it"],
    );
}

#[test]
fn rule_5_tests_that_reach_up() {
    let mut workspace = sound();
    add_edge(&mut workspace, "mid", "top", "dev");
    check_messages(&workspace, &["mid tests reach up to top"]);
}

#[test]
fn rule_6_tools_outside_tests() {
    let mut workspace = sound();
    add_edge(&mut workspace, "side", "rsr-testkit", "");
    add_edge(&mut workspace, "rsr-testkit", "mid", "");
    add_edge(&mut workspace, "rsr-base", "rsr-testkit", "dev");
    check_messages(
        &workspace,
        &[
            "rsr-base tests use rsr-testkit, which is built on it",
            "rsr-testkit uses mid: it may use rsr-base alone",
            "side depends on rsr-testkit outside tests",
        ],
    );
}

#[test]
fn rule_7_a_confined_crate_elsewhere() {
    let mut workspace = sound();
    add_edge(&mut workspace, "side", "sql", "registry");
    check_messages(&workspace, &["side names sql"]);
}

#[test]
fn a_stranger_with_a_members_name_is_no_member() {
    let mut workspace = sound();
    add_edge(&mut workspace, "rsr-base", "top", "registry");
    check_messages(&workspace, &[]);
}
