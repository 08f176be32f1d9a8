//! The children endpoint row by row, its cursors, filters and errors; the stream of descendants.

use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt as _;
use rsr_base::ProjectId;
use rsr_service::Service;
use rsr_store::NewProject;
use tower::ServiceExt as _;

use super::engine;
use crate::support::{Answer, Waiting, World, ask, token};

/// What a row of the children table expects.
struct Row<'a> {
    limit: usize,
    chunk: usize,
    mode: &'a str,
    /// The accepted range.
    processed: (u64, u64),
    count: usize,
    truncated: bool,
}

fn world(limit: usize, chunk: usize) -> Waiting {
    engine::world(&[
        ("RSR_MAX_DESCENDANTS_PER_REQUEST", &limit.to_string()),
        ("RSR_DESCENDANTS_CHUNK_SIZE", &chunk.to_string()),
    ])
}

/// Plants a root with the given tree below it, asks both paths, and compares every header.
fn check(below: &[Option<usize>], row: Row<'_>) -> Answer {
    let world = world(row.limit, row.chunk);
    let mut tree = vec![None];
    tree.extend(
        below
            .iter()
            .map(|parent| Some(parent.map_or(0, |nth| nth + 1))),
    );
    let root = world.plant(&tree)[0];
    let answer = world.get(&format!("/api/v1/projects/{root}/children/"));
    let name = format!(
        "{} children, limit {}, chunk {}",
        below.len(),
        row.limit,
        row.chunk
    );
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    assert_eq!(
        answer.header("x-memory-protection"),
        Some(row.mode),
        "{name}"
    );
    let processed: u64 = answer.header("x-total-processed").unwrap().parse().unwrap();
    assert!(
        (row.processed.0..=row.processed.1).contains(&processed),
        "{name}: {processed}"
    );
    assert_eq!(
        answer.header("x-children-count"),
        Some(row.count.to_string().as_str()),
        "{name}"
    );
    let truncated = if row.truncated { "true" } else { "false" };
    assert_eq!(answer.header("x-truncated"), Some(truncated), "{name}");
    assert_eq!(answer.header("link").is_some(), row.truncated, "{name}");
    assert_eq!(answer.ids().len(), row.count, "{name}");

    let legacy = world.get(&format!("/rest/v1/project/{root}/children/"));
    assert_eq!(legacy.body, answer.body, "{name}");
    for header in [
        "x-memory-protection",
        "x-total-processed",
        "x-children-count",
        "x-truncated",
    ] {
        assert_eq!(legacy.header(header), answer.header(header), "{name}");
    }
    answer
}

fn counts(answer: &Answer) -> Vec<u64> {
    let json = answer.json();
    let elements = json.as_array().unwrap();
    elements
        .iter()
        .map(|element| element["children_count"].as_u64().unwrap())
        .collect()
}

const fn row<'a>(
    limit: usize,
    chunk: usize,
    mode: &'a str,
    processed: (u64, u64),
    count: usize,
) -> Row<'a> {
    Row {
        limit,
        chunk,
        mode,
        processed,
        count,
        truncated: false,
    }
}

#[test]
fn the_table_of_limits_holds() {
    check(&[], row(1000, 500, "standard", (0, 0), 0));
    check(&[None; 2], row(1000, 500, "standard", (2, 2), 2));
    let one = check(&[None, Some(0)], row(1000, 500, "standard", (2, 2), 1));
    assert_eq!(counts(&one), [1]);
    let five = [None, None, None, None, None, Some(4)];
    let five = check(&five, row(1000, 500, "standard", (6, 6), 5));
    assert_eq!(counts(&five), [1, 0, 0, 0, 0]);
    check(
        &[None; 4],
        Row {
            truncated: true,
            ..row(2, 1, "chunked", (2, 4), 2)
        },
    );
    for chunk in [1, 2, 3, 4] {
        check(&[None; 3], row(3, chunk, "standard", (3, 3), 3));
    }
    let mut grandchildren = vec![None; 3];
    grandchildren.extend((0..10).map(|nth| Some(nth % 3)));
    check(&grandchildren, row(3, 2, "chunked", (13, 13), 3));
    let many = Row {
        truncated: true,
        ..row(1000, 500, "chunked", (1000, 1001), 1000)
    };
    check(&[None; 1001], many);
}

#[test]
fn a_client_that_follows_the_links_sees_every_child_once() {
    let world = world(7, 3);
    let mut tree = vec![None];
    tree.resize(31, Some(0));
    let ids = world.plant(&tree);
    let mut path = format!(
        "/api/v1/projects/{}/children/?title=project&limit=4&sort=-title",
        ids[0]
    );
    let mut seen = Vec::new();
    loop {
        let answer = world.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        seen.extend(answer.ids());
        assert!(
            answer.ids().len() <= 4,
            "limit lowers the number of elements"
        );
        let Some(link) = answer.header("link") else {
            break;
        };
        assert_eq!(answer.header("x-truncated"), Some("true"));
        let end = link.find(">; rel=\"next\"").expect("a next link");
        path = link[1..end].to_owned();
        assert!(
            path.contains("title=project&limit=4&sort=-title&cursor="),
            "{path}"
        );
        assert_eq!(path.matches("cursor=").count(), 1, "{path}");
    }
    let n_seen = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((n_seen, seen.len()), (30, 30), "each once");
}

#[test]
fn parameters_that_make_no_sense_are_refused_by_name() {
    let world = engine::world(&[]);
    let root = world.plant(&[None])[0];
    let refused = |query: &str, field: &str, kind: &str| {
        let answer = world.get(&format!("/api/v1/projects/{root}/children/?{query}"));
        answer.is_problem(400, kind, Some(field));
    };
    for limit in ["0", "-1", "abc", "99999999999999999999", "1.5", "%2B"] {
        refused(&format!("limit={limit}"), "limit", "invalid-parameter");
    }
    refused("max_depth=0", "max_depth", "invalid-parameter");
    refused("max_depth=-2", "max_depth", "invalid-parameter");
    refused("max_depth=99999999999", "max_depth", "invalid-parameter");
    refused("nested=perhaps", "nested", "invalid-parameter");
    refused("sort=colour", "sort", "invalid-parameter");
    refused("colour=red", "colour", "invalid-parameter");
    refused("status=lost", "status", "invalid-parameter");
    refused("limit=1&limit=2", "limit", "invalid-parameter");
    refused("cursor=zz", "cursor", "invalid-cursor");
    refused("cursor=00112233445566778899", "cursor", "invalid-cursor");
}

#[test]
fn a_cursor_belongs_to_its_question_and_cannot_be_forged() {
    let world = world(1, 1);
    let ids = world.plant(&[None, Some(0), Some(0), Some(1), Some(1)]);
    let first = world.get(&format!("/api/v1/projects/{}/children/", ids[0]));
    let link = first.header("link").unwrap();
    let cursor = link
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    let ask = |project: ProjectId, query: String| {
        world.get(&format!("/api/v1/projects/{project}/children/?{query}"))
    };
    assert_eq!(ask(ids[0], format!("cursor={cursor}")).ids(), [ids[1].0]);
    let refuse = |project: ProjectId, query: String| {
        ask(project, query).is_problem(400, "invalid-cursor", Some("cursor"));
    };
    refuse(ids[1], format!("cursor={cursor}"));
    refuse(ids[0], format!("cursor={cursor}&sort=title"));
    refuse(ids[0], format!("cursor={cursor}&title=x"));
    for place in 0..cursor.len() {
        let mut forged = cursor.clone().into_bytes();
        forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
        refuse(
            ids[0],
            format!("cursor={}", String::from_utf8(forged).unwrap()),
        );
    }
}

#[test]
fn what_is_not_there_and_what_may_not_be_seen_look_the_same() {
    let world = engine::world(&[]);
    let hidden = world
        .store
        .write(|tx| {
            tx.create_project(&NewProject {
                title: "Draft".to_owned(),
                ..NewProject::default()
            })
        })
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    for id in [
        hidden.to_string(),
        "999".to_owned(),
        "abc".to_owned(),
        "99999999999999999999".to_owned(),
    ] {
        for route in ["children/", "descendants/", ""] {
            let answer = world.get(&format!("/api/v1/projects/{id}/{route}"));
            answer.is_problem(404, "not-found", None);
        }
    }
    let path = format!("/api/v1/projects/{hidden}/children/");
    let seen = world.ask(Method::GET, &path, &[token()], "");
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "[]"));
}

#[test]
fn a_hidden_child_is_in_no_number_for_those_who_may_not_see_it() {
    let world = engine::world(&[]);
    let ids = world.plant(&[None, Some(0), Some(1)]);
    world
        .store
        .write(|tx| {
            tx.create_project(&NewProject {
                parent: Some(ids[0]),
                title: "Private".to_owned(),
                is_published: true,
                is_private: true,
                ..NewProject::default()
            })
        })
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let path = format!("/api/v1/projects/{}/children/", ids[0]);
    let anonymous = world.get(&path);
    assert_eq!(anonymous.header("x-children-count"), Some("1"));
    assert_eq!(anonymous.header("x-total-processed"), Some("2"));
    let administrator = world.get_all(&path);
    assert_eq!(administrator.header("x-children-count"), Some("2"));
    assert_eq!(administrator.header("x-total-processed"), Some("3"));
}

#[test]
fn nested_children_go_down_to_the_depth() {
    let world = engine::world(&[]);
    let ids = world.plant(&[None, Some(0), Some(1), Some(2)]);
    let path = format!(
        "/api/v1/projects/{}/children/?nested=true&max_depth=2",
        ids[0]
    );
    let answer = world.get(&path).json();
    let child = &answer[0];
    assert_eq!(child["children"][0]["id"], ids[2].0);
    assert_eq!(
        child["children"][0]["children_count"], 1,
        "a true count at the last level"
    );
    assert_eq!(
        child["children"][0]["children"].as_array().unwrap().len(),
        0
    );
    let plain = world
        .get(&format!("/api/v1/projects/{}/children/", ids[0]))
        .json();
    assert!(plain[0].get("children").is_none());
    // A depth beyond the deepest that is nested is that one.
    let ask = |depth: &str| {
        let path = format!("/api/v1/projects/{}/children/", ids[0]);
        let answer = world.get(&format!("{path}?nested=true&max_depth={depth}"));
        (answer.status.as_u16(), answer.body)
    };
    let deepest = ask("10");
    assert_eq!(deepest.0, 200);
    assert!(ask("4000000000") == deepest, "as deep as goes");
}

#[test]
fn an_element_shows_what_a_list_needs() {
    let world = engine::world(&[]);
    let ids = world.plant(&[None, Some(0)]);
    let answer = world
        .get(&format!("/api/v1/projects/{}/children/", ids[0]))
        .json();
    let element = answer[0].as_object().unwrap();
    for field in [
        "id",
        "title",
        "subtitle",
        "planned_start",
        "planned_end",
        "actual_start",
        "actual_end",
        "status",
        "is_public",
        "sectors",
        "countries",
        "recipient_countries",
        "primary_organisation",
        "roles",
        "use_project_roles",
        "is_program",
        "parent",
        "editable",
        "restricted",
        "children_count",
    ] {
        assert!(
            element.contains_key(field),
            "{field} is missing in {element:?}"
        );
    }
    assert_eq!(element["parent"]["id"], ids[0].0);
    assert_eq!(element["parent"]["title"], "Project 0");
    assert_eq!(element["editable"], false);
}

#[test]
fn chunks_of_any_size_answer_byte_for_byte_the_same() {
    let mut bodies = Vec::new();
    for chunk in [1, 9, 10, 11, 500] {
        let world = world(1000, chunk);
        let mut tree = vec![None];
        tree.resize(11, Some(0));
        tree.extend([Some(3), Some(3), Some(11)]);
        let root = world.plant(&tree)[0];
        let path = format!("/api/v1/projects/{root}/children/?nested=true&max_depth=5");
        bodies.push(world.get(&path).body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_changed_limit_holds_from_the_next_request_on() {
    let world = engine::world(&[]);
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    assert_eq!(world.get(&path).header("x-truncated"), Some("false"));
    world
        .live
        .set("hierarchy.max_descendants_per_request", "1", "test")
        .unwrap();
    assert_eq!(world.get(&path).header("x-truncated"), Some("true"));
}

#[test]
fn descendants_come_as_lines_parents_first() {
    let world = world(1000, 2);
    let ids = world.plant(&[None, Some(0), Some(1), Some(0), Some(2)]);
    let answer = world.get(&format!("/api/v1/projects/{}/descendants/", ids[0]));
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<serde_json::Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["id"].as_i64().unwrap(),
                line["depth"].as_u64().unwrap(),
                line["parent_id"].as_i64().unwrap(),
            )
        })
        .collect();
    let [root, a, b, c, d] = [0, 1, 2, 3, 4].map(|nth: usize| ids[nth].0);
    assert_eq!(seen, [(c, 1, root), (a, 1, root), (b, 2, a), (d, 3, b)]);
    let shallow = world.get(&format!(
        "/api/v1/projects/{}/descendants/?max_depth=1",
        ids[0]
    ));
    assert_eq!(shallow.text().lines().count(), 2);
}

#[test]
fn a_known_answer_is_not_sent_again() {
    let world = engine::world(&[]);
    let root = world.plant(&[None, Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    let first = world.get(&path);
    let etag = first
        .header("etag")
        .expect("a small answer has a tag")
        .to_owned();
    let again = world.ask(Method::GET, &path, &[("if-none-match", &etag)], "");
    assert_eq!(again.status, 304);
    assert!(again.body.is_empty());
    assert_eq!(
        again.header("x-children-count"),
        Some("1"),
        "the headers are there all the same"
    );
    world
        .store
        .write(|tx| {
            let new = NewProject {
                parent: Some(root),
                is_published: true,
                ..NewProject::default()
            };
            tx.create_project(&new)
        })
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let changed = world.ask(Method::GET, &path, &[("if-none-match", &etag)], "");
    assert_eq!(changed.status, 200);
}

#[test]
fn a_cursor_holds_over_a_restart() {
    let world = world(1, 1);
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    let first = world.get(&format!("/api/v1/projects/{root}/children/"));
    let link = first.header("link").expect("more follows");
    let next = link[1..link.find('>').unwrap()].to_owned();
    let World {
        live, store, clock, ..
    } = &*world;
    let again = Service::new(Arc::clone(live), store.clone(), Arc::new(clock.clone()));
    let second = world.wait(ask(again.router(), Method::GET, &next, &[], ""));
    assert_eq!(second.status, 200, "{}", second.text());
    assert_ne!(second.ids(), first.ids());
}

#[test]
fn a_stream_takes_no_cursor_but_its_own() {
    let world = engine::world(&[]);
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    for cursor in ["", "zz", &"00".repeat(33), &"ab".repeat(5_000)] {
        let path = format!("/api/v1/projects/{root}/descendants/?cursor={cursor}");
        world
            .get(&path)
            .is_problem(400, "invalid-cursor", Some("cursor"));
    }
    for depth in ["0", "-1", "x", "99999999999"] {
        let path = format!("/api/v1/projects/{root}/descendants/?max_depth={depth}");
        world
            .get(&path)
            .is_problem(400, "invalid-parameter", Some("max_depth"));
    }
    let deep = format!("/api/v1/projects/{root}/descendants/?max_depth=4294967295");
    assert_eq!(world.get(&deep).text().lines().count(), 2);
}

/// What a stream says, line by line, but for what follows from where its top hangs.
fn lines(text: &str) -> Vec<(i64, u64, i64)> {
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let int = |name: &str| line[name].as_i64().unwrap();
            (int("id"), line["depth"].as_u64().unwrap(), int("parent_id"))
        })
        .collect()
}

#[test]
fn a_move_during_a_stream_is_seen_by_the_next_one_alone() {
    let world = world(1000, 10);
    // Two branches of many; titles fill the buffers, so that the stream is under way while the branch moves.
    let mut tree = vec![None, Some(0), Some(0)];
    tree.resize(400, Some(1));
    let ids = world.plant(&tree);
    let title = "long ".repeat(1_000);
    world.meddle(&format!("UPDATE projects SET title = '{title}'"));
    let path = format!("/api/v1/projects/{}/descendants/", ids[0]);
    let before = world.get(&path);

    let request = http::Request::builder().uri(&path);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = world.wait(world.service.router().oneshot(request)).unwrap();
    let mut body = response.into_body();
    let mut streamed = Vec::new();
    let first = world.wait(body.frame()).unwrap().unwrap();
    let first = first.into_data().unwrap();
    streamed.extend_from_slice(&first);
    assert!(
        streamed.len() * 10 < before.body.len(),
        "most is still to come"
    );
    let moved = world.store.write(|tx| {
        tx.move_project(ids[1], Some(ids[2]), false)?;
        tx.delete_project(ids[390])
    });
    moved.unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let rest = world.wait(body.collect()).unwrap();
    streamed.extend_from_slice(&rest.to_bytes());
    assert!(
        streamed == before.body,
        "the tree as it was when the stream began"
    );

    let after = lines(&world.get(&path).text());
    assert_eq!(after.len(), 398);
    assert_eq!(after[0], (ids[2].0, 1, ids[0].0));
    assert_eq!(after[1], (ids[1].0, 2, ids[2].0));
    assert!(
        after[2..]
            .iter()
            .all(|line| (line.1, line.2) == (3, ids[1].0))
    );
}

#[test]
fn a_chain_of_ten_thousand_levels_is_ordinary() {
    let world = engine::world(&[]);
    let root = world.plant(&[None])[0].0;
    let (first, last) = (root + 1, root + 10_000);
    let numbers = match world.live.current().database.url.sqlite_path() {
        Some(_) => format!(
            "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
        ),
        None => format!("WITH n(i) AS (SELECT generate_series(CAST({first} AS BIGINT), {last}))"),
    };
    let uuid = match world.live.current().database.url.sqlite_path() {
        Some(_) => "CAST(printf('%016d', i) AS BLOB)",
        None => "convert_to(lpad(CAST(i AS TEXT), 16, '0'), 'UTF8')",
    };
    world.meddle(&format!(
        "INSERT INTO projects (id, uuid, parent_id, title, is_published, is_public, created_ms, changed_ms /*!, root_id */)
         {numbers} SELECT i, {uuid}, i - 1, 'Level', 1, 1, 0, 0 /*!, {root} */ FROM n"
    ));
    let rebuilt = world.store.write(|tx| tx.rebuild_positions());
    rebuilt.unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let stream = world.get(&format!("/api/v1/projects/{root}/descendants/"));
    let found = lines(&stream.text());
    let expected: Vec<_> = (first..=last)
        .map(|id| (id, u64::try_from(id - root).unwrap(), id - 1))
        .collect();
    assert!(found == expected, "each level once, with its depth");
    let path = format!("/api/v1/projects/{root}/children/?max_depth=10&nested=true");
    let nested = world.get(&path);
    assert_eq!(nested.header("x-total-processed"), Some("10"));
    assert_eq!(nested.text().matches("\"children_count\":1").count(), 10);
    // Moves and refusals at the far end.
    let end = ProjectId(last);
    let refused = world
        .store
        .write(|tx| tx.move_project(ProjectId(first), Some(end), false));
    assert!(
        matches!(refused, Err(rsr_store::Error::Conflict(_))),
        "{refused:?}"
    );
    let moved = world
        .store
        .write(|tx| tx.move_project(end, Some(ProjectId(root)), false));
    moved.unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let children = world.get(&format!("/api/v1/projects/{root}/children/"));
    assert_eq!(children.ids(), [last, first]);
}

#[test]
fn what_a_hidden_child_adds_is_named_to_those_who_may_see_it() {
    let world = engine::world(&[]);
    let ids = world.plant(&[None, Some(0), Some(0)]);
    let [top, seen, hidden] = [0, 1, 2].map(|nth: usize| ids[nth].0);
    // Rows as a roll-up leaves them, with the hidden project as origin and as contributor.
    world.meddle(&format!(
        "UPDATE projects SET is_public = 0 WHERE id = {hidden};
         INSERT INTO dimension_names (id, project_id, name /*!, root_id */) VALUES (900, {top}, 'Gender' /*!, {top} */);
         INSERT INTO dimension_values (id, name_id, value /*!, root_id */) VALUES (900, 900, 'F' /*!, {top} */);
         INSERT INTO results (id, project_id, place, title /*!, root_id */) VALUES (900, {top}, 0, 'R' /*!, {top} */);
         INSERT INTO indicators (id, result_id, project_id, place /*!, root_id */) VALUES (900, 900, {top}, 0 /*!, {top} */);
         INSERT INTO periods (id, indicator_id, project_id, place /*!, root_id */) VALUES (900, 900, {top}, 0 /*!, {top} */);
         INSERT INTO period_disaggregations (id, period_id, dimension_value_id, value /*!, root_id */)
             VALUES (900, 900, 900, 500 /*!, {top} */);
         INSERT INTO contributions (period_disaggregation_id, project_id, value /*!, root_id */)
             VALUES (900, {seen}, 200 /*!, {top} */), (900, {hidden}, 300 /*!, {top} */);
         UPDATE projects SET parent_id = {hidden} WHERE id = {seen};
         INSERT INTO results (id, project_id, place, title /*!, root_id */) VALUES (901, {hidden}, 0, 'Origin' /*!, {top} */);
         INSERT INTO results (id, project_id, place, parent_result_id, title /*!, root_id */)
             VALUES (902, {seen}, 0, 901, 'Copy' /*!, {top} */)"
    ));
    let path = format!("/api/v1/projects/{top}/results/");
    let part = |answer: &Answer| {
        answer.json()[0]["indicators"][0]["periods"][0]["disaggregations"][0].clone()
    };
    let projects = |part: &serde_json::Value| -> Vec<i64> {
        let all = part["contributions"].as_array().unwrap();
        all.iter()
            .map(|one| one["project"].as_i64().unwrap())
            .collect()
    };
    let anonymous = part(&world.get(&path));
    assert_eq!(projects(&anonymous), [seen]);
    assert_eq!(anonymous["value"], "5.00", "the sum is the project's own");
    let administrator = part(&world.get_all(&path));
    assert_eq!(projects(&administrator), [seen, hidden]);

    for path in [
        format!("/api/v1/projects/{seen}/results/"),
        format!("/api/v1/results/?project={seen}"),
    ] {
        let anonymous = world.get(&path).json();
        assert_eq!(
            anonymous[0]["parent_result"],
            serde_json::Value::Null,
            "{path}"
        );
        let administrator = world.get_all(&path).json();
        assert_eq!(administrator[0]["parent_result"], 901, "{path}");
    }
}

#[test]
fn a_circle_put_in_by_hand_ends_every_answer() {
    let world = engine::world(&[]);
    let ids = world.plant(&[None, Some(0), Some(1), Some(2)]);
    let [_, top, middle, low] = [0, 1, 2, 3].map(|nth: usize| ids[nth]);
    world.meddle(&format!(
        "UPDATE projects SET parent_id = {low} WHERE id = {top}"
    ));
    // The children of each are still there; levels go round as often as they are asked for, and no further.
    let path = format!("/api/v1/projects/{top}/children/?max_depth=10&nested=true");
    let answer = world.get(&path);
    assert_eq!(
        (answer.status.as_u16(), answer.ids()),
        (200, vec![middle.0])
    );
    world
        .store
        .write(|tx| tx.rebuild_positions())
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let answer = world.get(&path);
    assert_eq!(
        (answer.status.as_u16(), answer.ids()),
        (200, vec![middle.0])
    );
    let stream = world.get(&format!("/api/v1/projects/{top}/descendants/"));
    stream.is_problem(409, "conflict", None);
}
