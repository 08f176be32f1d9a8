//! The children endpoint row by row, its cursors, filters and errors; the stream of descendants.

use std::sync::Arc;

use http::Method;
use rsr_base::ProjectId;
use rsr_service::Service;
use rsr_store::NewProject;

use crate::support::{Answer, World, ask, token};

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

fn world(limit: usize, chunk: usize) -> World {
    World::with(&[
        ("RSR_MAX_DESCENDANTS_PER_REQUEST", &limit.to_string()),
        ("RSR_DESCENDANTS_CHUNK_SIZE", &chunk.to_string()),
    ])
}

/// Plants a root with the given tree below it, asks both paths, and compares every header.
async fn check(below: &[Option<usize>], row: Row<'_>) -> Answer {
    let world = world(row.limit, row.chunk);
    let mut tree = vec![None];
    tree.extend(
        below
            .iter()
            .map(|parent| Some(parent.map_or(0, |nth| nth + 1))),
    );
    let root = world.plant(&tree)[0];
    let answer = world
        .get(&format!("/api/v1/projects/{root}/children/"))
        .await;
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

    let legacy = world
        .get(&format!("/rest/v1/project/{root}/children/"))
        .await;
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

#[tokio::test]
async fn the_table_of_limits_holds() {
    check(&[], row(1000, 500, "standard", (0, 0), 0)).await;
    check(&[None; 2], row(1000, 500, "standard", (2, 2), 2)).await;
    let one = check(&[None, Some(0)], row(1000, 500, "standard", (2, 2), 1)).await;
    assert_eq!(counts(&one), [1]);
    let five = [None, None, None, None, None, Some(4)];
    let five = check(&five, row(1000, 500, "standard", (6, 6), 5)).await;
    assert_eq!(counts(&five), [1, 0, 0, 0, 0]);
    check(
        &[None; 4],
        Row {
            truncated: true,
            ..row(2, 1, "chunked", (2, 4), 2)
        },
    )
    .await;
    for chunk in [1, 2, 3, 4] {
        check(&[None; 3], row(3, chunk, "standard", (3, 3), 3)).await;
    }
    let mut grandchildren = vec![None; 3];
    grandchildren.extend((0..10).map(|nth| Some(nth % 3)));
    check(&grandchildren, row(3, 2, "chunked", (13, 13), 3)).await;
    let many = Row {
        truncated: true,
        ..row(1000, 500, "chunked", (1000, 1001), 1000)
    };
    check(&[None; 1001], many).await;
}

#[tokio::test]
async fn a_client_that_follows_the_links_sees_every_child_once() {
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
        let answer = world.get(&path).await;
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

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused_by_name() {
    let world = World::new();
    let root = world.plant(&[None])[0];
    let refused = async |query: &str, field: &str, kind: &str| {
        let answer = world
            .get(&format!("/api/v1/projects/{root}/children/?{query}"))
            .await;
        answer.is_problem(400, kind, Some(field));
    };
    for limit in ["0", "-1", "abc", "99999999999999999999", "1.5", "%2B"] {
        refused(&format!("limit={limit}"), "limit", "invalid-parameter").await;
    }
    refused("max_depth=0", "max_depth", "invalid-parameter").await;
    refused("max_depth=-2", "max_depth", "invalid-parameter").await;
    refused("nested=perhaps", "nested", "invalid-parameter").await;
    refused("sort=colour", "sort", "invalid-parameter").await;
    refused("colour=red", "colour", "invalid-parameter").await;
    refused("status=lost", "status", "invalid-parameter").await;
    refused("limit=1&limit=2", "limit", "invalid-parameter").await;
    refused("cursor=zz", "cursor", "invalid-cursor").await;
    refused("cursor=00112233445566778899", "cursor", "invalid-cursor").await;
}

#[tokio::test]
async fn a_cursor_belongs_to_its_question_and_cannot_be_forged() {
    let world = world(1, 1);
    let ids = world.plant(&[None, Some(0), Some(0), Some(1), Some(1)]);
    let first = world
        .get(&format!("/api/v1/projects/{}/children/", ids[0]))
        .await;
    let link = first.header("link").unwrap();
    let cursor = link
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    let ask = async |project: ProjectId, query: String| {
        world
            .get(&format!("/api/v1/projects/{project}/children/?{query}"))
            .await
    };
    assert_eq!(
        ask(ids[0], format!("cursor={cursor}")).await.ids(),
        [ids[1].0]
    );
    let refuse = async |project: ProjectId, query: String| {
        ask(project, query)
            .await
            .is_problem(400, "invalid-cursor", Some("cursor"));
    };
    refuse(ids[1], format!("cursor={cursor}")).await;
    refuse(ids[0], format!("cursor={cursor}&sort=title")).await;
    refuse(ids[0], format!("cursor={cursor}&title=x")).await;
    for place in 0..cursor.len() {
        let mut forged = cursor.clone().into_bytes();
        forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
        refuse(
            ids[0],
            format!("cursor={}", String::from_utf8(forged).unwrap()),
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_may_not_be_seen_look_the_same() {
    let world = World::new();
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
            let answer = world.get(&format!("/api/v1/projects/{id}/{route}")).await;
            answer.is_problem(404, "not-found", None);
        }
    }
    let path = format!("/api/v1/projects/{hidden}/children/");
    let seen = world.ask(Method::GET, &path, &[token()], "").await;
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, "[]"));
}

#[tokio::test]
async fn a_hidden_child_is_in_no_number_for_those_who_may_not_see_it() {
    let world = World::new();
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
    let anonymous = world.get(&path).await;
    assert_eq!(anonymous.header("x-children-count"), Some("1"));
    assert_eq!(anonymous.header("x-total-processed"), Some("2"));
    let administrator = world.get_all(&path).await;
    assert_eq!(administrator.header("x-children-count"), Some("2"));
    assert_eq!(administrator.header("x-total-processed"), Some("3"));
}

#[tokio::test]
async fn nested_children_go_down_to_the_depth() {
    let world = World::new();
    let ids = world.plant(&[None, Some(0), Some(1), Some(2)]);
    let path = format!(
        "/api/v1/projects/{}/children/?nested=true&max_depth=2",
        ids[0]
    );
    let answer = world.get(&path).await.json();
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
        .await
        .json();
    assert!(plain[0].get("children").is_none());
}

#[tokio::test]
async fn an_element_shows_what_a_list_needs() {
    let world = World::new();
    let ids = world.plant(&[None, Some(0)]);
    let answer = world
        .get(&format!("/api/v1/projects/{}/children/", ids[0]))
        .await
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

#[tokio::test]
async fn chunks_of_any_size_answer_byte_for_byte_the_same() {
    let mut bodies = Vec::new();
    for chunk in [1, 9, 10, 11, 500] {
        let world = world(1000, chunk);
        let mut tree = vec![None];
        tree.resize(11, Some(0));
        tree.extend([Some(3), Some(3), Some(11)]);
        let root = world.plant(&tree)[0];
        let path = format!("/api/v1/projects/{root}/children/?nested=true&max_depth=5");
        bodies.push(world.get(&path).await.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_changed_limit_holds_from_the_next_request_on() {
    let world = World::new();
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    assert_eq!(world.get(&path).await.header("x-truncated"), Some("false"));
    world
        .live
        .set("hierarchy.max_descendants_per_request", "1", "test")
        .unwrap();
    assert_eq!(world.get(&path).await.header("x-truncated"), Some("true"));
}

#[tokio::test]
async fn descendants_come_as_lines_parents_first() {
    let world = world(1000, 2);
    let ids = world.plant(&[None, Some(0), Some(1), Some(0), Some(2)]);
    let answer = world
        .get(&format!("/api/v1/projects/{}/descendants/", ids[0]))
        .await;
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
    let shallow = world
        .get(&format!(
            "/api/v1/projects/{}/descendants/?max_depth=1",
            ids[0]
        ))
        .await;
    assert_eq!(shallow.text().lines().count(), 2);
}

#[tokio::test]
async fn a_known_answer_is_not_sent_again() {
    let world = World::new();
    let root = world.plant(&[None, Some(0)])[0];
    let path = format!("/api/v1/projects/{root}/children/");
    let first = world.get(&path).await;
    let etag = first
        .header("etag")
        .expect("a small answer has a tag")
        .to_owned();
    let again = world
        .ask(Method::GET, &path, &[("if-none-match", &etag)], "")
        .await;
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
    let changed = world
        .ask(Method::GET, &path, &[("if-none-match", &etag)], "")
        .await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn a_cursor_holds_over_a_restart() {
    let world = world(1, 1);
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    let first = world
        .get(&format!("/api/v1/projects/{root}/children/"))
        .await;
    let link = first.header("link").expect("more follows");
    let next = link[1..link.find('>').unwrap()].to_owned();
    let World {
        live, store, clock, ..
    } = &world;
    let again = Service::new(Arc::clone(live), store.clone(), Arc::new(clock.clone()));
    let second = ask(again.router(), Method::GET, &next, &[], "").await;
    assert_eq!(second.status, 200, "{}", second.text());
    assert_ne!(second.ids(), first.ids());
}

#[tokio::test]
async fn a_stream_takes_no_cursor_but_its_own() {
    let world = World::new();
    let root = world.plant(&[None, Some(0), Some(0)])[0];
    for cursor in ["", "zz", &"00".repeat(33), &"ab".repeat(5_000)] {
        let path = format!("/api/v1/projects/{root}/descendants/?cursor={cursor}");
        world
            .get(&path)
            .await
            .is_problem(400, "invalid-cursor", Some("cursor"));
    }
    for depth in ["0", "-1", "x", "99999999999999999999"] {
        let path = format!("/api/v1/projects/{root}/descendants/?max_depth={depth}");
        world
            .get(&path)
            .await
            .is_problem(400, "invalid-parameter", Some("max_depth"));
    }
    let deep = format!("/api/v1/projects/{root}/descendants/?max_depth=99999999999");
    assert_eq!(world.get(&deep).await.text().lines().count(), 2);
}

#[tokio::test]
async fn a_circle_put_in_by_hand_ends_every_answer() {
    let world = World::new();
    let ids = world.plant(&[None, Some(0), Some(1), Some(2)]);
    let [_, top, middle, low] = [0, 1, 2, 3].map(|nth: usize| ids[nth]);
    let database = rusqlite::Connection::open(world.folder().join("rsr.db")).unwrap();
    database
        .execute(
            "UPDATE projects SET parent_id = ?1 WHERE id = ?2",
            [low.0, top.0],
        )
        .unwrap();
    // The children of each are still there; levels go round as often as they are asked for, and no further.
    let path = format!("/api/v1/projects/{top}/children/?max_depth=10&nested=true");
    let answer = world.get(&path).await;
    assert_eq!(
        (answer.status.as_u16(), answer.ids()),
        (200, vec![middle.0])
    );
    world
        .store
        .write(|tx| tx.rebuild_positions())
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    let answer = world.get(&path).await;
    assert_eq!(
        (answer.status.as_u16(), answer.ids()),
        (200, vec![middle.0])
    );
    let stream = world
        .get(&format!("/api/v1/projects/{top}/descendants/"))
        .await;
    stream.is_problem(409, "conflict", None);
}
