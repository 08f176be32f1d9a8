//! `rsr project`: trees drawn and cut, and broken data said as it is.

use std::path::Path;

use rsr_tests::{Said, run_expecting};
use serde_json::Value;

/// Runs `rsr project …`.
#[track_caller]
fn project(folder: &Path, code: i32, line: &str) -> Said {
    let line = format!("project {line}");
    run_expecting(folder, code, line.split(' '))
}

/// A database of these projects, each with its parent and its number for a title.
fn planted(links: impl IntoIterator<Item = (i64, Option<i64>)>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ["users", "add", "Ada"]);
    let mut database = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    let all = database.transaction().unwrap();
    for (id, parent) in links {
        let sql = "INSERT INTO projects (id, uuid, parent_id, title, created_ms, changed_ms)
             VALUES (?1, CAST(printf('%016d', ?1) AS BLOB), ?2, 'Project ' || ?1, 0, 0)";
        all.execute(sql, (id, parent)).unwrap();
    }
    all.commit().unwrap();
    folder
}

#[test]
fn a_tree_is_drawn_and_cut_where_it_is_wide() {
    let few = [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2))];
    let many = (10..10 + 9_264).map(|id| (id, Some(3)));
    let folder = planted(few.into_iter().chain(many));
    let drawn = project(folder.path(), 0, "tree 1").out;
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines.len(), 1 + 1 + 50 + 1 + 1 + 1, "{drawn}");
    assert_eq!(lines[0], "1 Project 1 (2)");
    assert_eq!(lines[1], "├── 3 Project 3 (9,264)");
    assert_eq!(lines[2], "│   ├── 9273 Project 9273");
    assert_eq!(lines[52], "│   └── … 9,214 more");
    assert_eq!(lines[53..], ["└── 2 Project 2 (1)", "    └── 4 Project 4"]);
    let flat = project(folder.path(), 0, "tree 1 --max-depth 1").out;
    assert_eq!(flat.lines().count(), 3, "{flat}");

    // Positions were never made: the check finds the root without one, and makes all.
    let found = project(folder.path(), 1, "check --json").out;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["positions"], serde_json::json!([1]));
    let fixed = project(folder.path(), 0, "check --fix").out;
    assert_eq!(fixed, "9268 projects, 0 findings\n");
    let all = project(folder.path(), 0, "tree 1 --json").out;
    assert_eq!(all.lines().count(), 9_268);
}

#[test]
fn a_tree_shows_what_was_achieved_against_its_targets() {
    let folder = planted([(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3))]);
    let database = rusqlite::Connection::open(folder.path().join("rsr.db")).unwrap();
    // Hundredths: what stands is the latest period with a value, not the latest.
    let planted = "
        UPDATE projects SET title = 'Two' || char(10) || ' lines' WHERE id = 2;
        INSERT INTO results (id, project_id, place) VALUES (1, 1, 0), (2, 2, 0), (3, 4, 0);
        INSERT INTO indicators (id, result_id, project_id, place, title, measure, kind) VALUES
            (1, 1, 1, 0, 'Wells', '1', 1), (2, 1, 1, 1, 'A story', '5', 2), (3, 1, 1, 2, 'Girls', '2', 1),
            (4, 1, 1, 3, 'Staff', '1', 1), (5, 1, 1, 4, 'Taps', '1', 1), (6, 2, 2, 0, 'Wells', '1', 1),
            (7, 3, 4, 0, '', '1', 1);
        INSERT INTO periods (id, indicator_id, project_id, place, end_date, target_value, value) VALUES
            (1, 1, 1, 0, '2023-12-31', '100', 9000), (2, 1, 1, 1, '2024-12-31', '200', 12050),
            (3, 1, 1, 2, '2025-12-31', '300', NULL), (4, 3, 1, 0, '2024-12-31', '60', 4500),
            (5, 6, 2, 0, '2024-12-31', 'many', 700), (6, 7, 4, 0, NULL, '5', NULL)";
    database.execute_batch(planted).unwrap();
    let drawn = project(folder.path(), 0, "tree 1").out;
    let expected = "\
1 Project 1 (2) · Wells 120.50 of 200 (60.25 %) · Girls 45 % of 60 % (75 %) · Staff – · … 1 more
├── 3 Project 3 (1)
│   └── 4 Project 4 · indicator 7 – of 5
└── 2 Two lines · Wells 7 of many
";
    assert_eq!(drawn, expected);
    run_expecting(folder.path(), 0, ["project", "check", "--fix"]);
    for max_depth in ["", " --max-depth 9"] {
        let lines = project(folder.path(), 0, &format!("tree 1 --json{max_depth}")).out;
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["indicators_count"], 4);
        let wells = &lines[0]["values"][0];
        assert_eq!(wells["value"], "120.50");
        assert_eq!(wells["progress_percent"], "60.25");
        assert_eq!(wells["period_end"], "2024-12-31");
        assert_eq!(lines[2]["values"][0]["value"], Value::Null);
        assert_eq!(lines[3]["values"][0]["target"], "many");
    }
}

#[test]
fn a_circle_is_said_and_never_followed() {
    let links = [
        (1, Some(3)),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(3)),
        (5, None),
        (6, Some(99)),
    ];
    let folder = planted(links);
    let drawn = project(folder.path(), 1, "tree 2").out;
    let expected = "\
2 Project 2 (1)
project 2 is in a circle of parents: 2, 1, 3; move one of them to break it
└── 3 Project 3 (2)
    ├── 4 Project 4
    └── 1 Project 1 (1)
        └── 2 again: the circle closes here
";
    assert_eq!(drawn, expected);
    let below = project(folder.path(), 1, "tree 4").out;
    assert!(
        below.contains("project 4 is below a circle of parents: "),
        "{below}"
    );
    let lines = project(folder.path(), 1, "tree 2 --json").out;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["cycle"], serde_json::json!([2, 1, 3]));
    let ids: Vec<_> = lines
        .iter()
        .map(|line| line["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [2, 3, 4, 1]);

    let found = project(folder.path(), 1, "check --fix --json").out;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["cycles"], serde_json::json!([[1, 3, 2]]));
    assert_eq!(found["below_cycles"], serde_json::json!([4]));
    assert_eq!(
        found["orphans"],
        serde_json::json!([{"id": 6, "parent": 99}])
    );
    assert_eq!(found["positions"], serde_json::json!([]));
    let said = project(folder.path(), 1, "check").out;
    assert!(said.contains("cycle: 1, 3, 2\n"), "{said}");
    assert!(
        said.contains("orphan: 6 has the parent 99, which is not stored\n"),
        "{said}"
    );
}

#[test]
fn a_chain_deeper_than_the_limit_is_drawn_and_told() {
    let links = (1..=150).map(|id| (id, (id > 1).then(|| id - 1)));
    let folder = planted(links);
    let drawn = project(folder.path(), 0, "tree 1").out;
    assert_eq!(drawn.lines().count(), 150);
    assert!(drawn.lines().all(|line| line.chars().count() < 220));
    assert!(drawn.contains("[level 149] "), "{drawn}");
    let said = project(folder.path(), 1, "check --fix").out;
    assert!(
        said.starts_with("deeper than 100 levels: 50: 101, "),
        "{said}"
    );
    assert!(said.contains(" … 30 more\n"), "{said}");
}
