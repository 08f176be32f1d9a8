//! Projects: made, shown, searched, changed, moved, deleted, and who may.

use http::Method;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_project_is_made_shown_changed_and_deleted() {
    let world = World::new();
    let made = world
        .send(
            Method::POST,
            "/api/v1/projects/",
            &json!({ "title": "Wells", "is_published": true }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(world.get(&path).await.json()["title"], "Wells");
    let changed = world
        .send(Method::PATCH, &path, &json!({ "title": "Deep wells" }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(
        world.get(&path).await.json()["title"],
        "Deep wells",
        "no old title is kept"
    );
    let deleted = world.send(Method::DELETE, &path, &json!({})).await;
    assert_eq!(deleted.json()["deleted_projects"], 1);
    world.get(&path).await.is_problem(404, "not-found", None);
    let stats = world
        .admin(Method::GET, "/admin/v1/deletions/", "")
        .await
        .json();
    assert_eq!(
        (stats["begun"].as_u64(), stats["finished"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(stats["active"], 0);
}

#[tokio::test]
async fn a_write_of_another_process_is_seen_at_once() {
    let world = World::new();
    let id = world.plant(&[None])[0];
    let path = format!("/api/v1/projects/{id}/");
    assert_eq!(world.get(&path).await.json()["title"], "Project 0");
    let edit = rsr_store::ProjectEdit {
        title: Some("Imported".to_owned()),
        ..Default::default()
    };
    // Past the service's own writes, as an import by a second process.
    world
        .store
        .write(|tx| tx.edit_project(id, &edit))
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    assert_eq!(world.get(&path).await.json()["title"], "Imported");
}

#[tokio::test]
async fn a_project_asked_for_twice_comes_from_the_cache() {
    let world = World::new();
    let id = world.plant(&[None])[0];
    for _ in 0..3 {
        world.get(&format!("/api/v1/projects/{id}/")).await;
    }
    let stats = world
        .admin(Method::GET, "/admin/v1/caches/?name=project-summaries", "")
        .await
        .json();
    let cache = &stats["caches"]["project-summaries"];
    assert_eq!(
        (cache["hits"].as_u64(), cache["misses"].as_u64()),
        (Some(2), Some(1)),
        "{stats}"
    );
}

#[tokio::test]
async fn moves_keep_the_tree_whole() {
    let world = World::new();
    let ids = world.plant(&[None, Some(0), Some(1), None]);
    let path = |nth: usize| format!("/api/v1/projects/{}/", ids[nth]);
    let to = async |nth: usize, parent: serde_json::Value| {
        world
            .send(Method::PATCH, &path(nth), &json!({ "parent": parent }))
            .await
    };
    to(1, json!(ids[1].0))
        .await
        .is_problem(409, "conflict", None);
    to(1, json!(ids[0].0))
        .await
        .is_problem(409, "conflict", None);
    to(0, json!(ids[2].0))
        .await
        .is_problem(409, "conflict", None);
    to(1, json!(999)).await.is_problem(404, "not-found", None);
    assert_eq!(to(1, json!(ids[3].0)).await.status, 200);
    let below = world
        .get(&format!("/api/v1/projects/{}/descendants/", ids[3]))
        .await;
    assert_eq!(below.text().lines().count(), 2, "what is below moves along");
    assert_eq!(to(1, json!(null)).await.json()["parent"], json!(null));
    assert_eq!(
        to(1, json!(null)).await.status,
        200,
        "nothing to remove is no error"
    );
}

#[tokio::test]
async fn the_list_searches_pages_and_hides() {
    let world = World::new();
    let mut tree = vec![None];
    tree.resize(5, Some(0));
    let ids = world.plant(&tree);
    world
        .send(
            Method::POST,
            "/api/v1/projects/",
            &json!({ "title": "Hidden project" }),
        )
        .await;
    let all = world.get("/api/v1/projects/?search=PROJECT").await;
    let newest_first: Vec<i64> = ids.iter().rev().map(|id| id.0).collect();
    assert_eq!(all.ids(), newest_first);
    assert_eq!(all.json()[4]["parent"], json!(null));
    assert_eq!(all.json()[4]["children_count"], 4);
    assert_eq!(
        world
            .get_all("/api/v1/projects/?search=hidden")
            .await
            .ids()
            .len(),
        1
    );

    let first = world.get("/api/v1/projects/?limit=2").await;
    assert_eq!(first.ids(), newest_first[..2]);
    let link = first.header("link").unwrap();
    let next = world.get(&link[1..link.find('>').unwrap()]).await;
    assert_eq!(next.ids(), newest_first[2..4]);
    assert_eq!(
        world.get("/api/v1/projects/?limit=5").await.header("link"),
        None
    );
    world.get("/api/v1/projects/?nested=true").await.is_problem(
        400,
        "invalid-parameter",
        Some("nested"),
    );
}

#[tokio::test]
async fn bodies_are_checked_field_by_field() {
    let world = World::new();
    let refused = async |body: serde_json::Value, field: &str| {
        let answer = world.send(Method::POST, "/api/v1/projects/", &body).await;
        answer.is_problem(400, "invalid-body", Some(field));
    };
    refused(json!({}), "title").await;
    refused(json!({ "title": 7 }), "title").await;
    refused(json!({ "title": "x", "colour": "red" }), "colour").await;
    refused(json!({ "title": "x", "parent": "seven" }), "parent").await;
    refused(json!({ "title": "x", "is_public": "maybe" }), "is_public").await;
    let parent = json!({ "title": "x", "parent": 999 });
    world
        .send(Method::POST, "/api/v1/projects/", &parent)
        .await
        .is_problem(404, "not-found", None);
    let form = [
        ("authorization", "Bearer s3same"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form = world
        .ask(Method::POST, "/api/v1/projects/", &form, "title=x")
        .await;
    form.is_problem(415, "unsupported-media-type", None);
    let large = json!({ "title": "x".repeat(2 << 20) });
    world
        .send(Method::POST, "/api/v1/projects/", &large)
        .await
        .is_problem(413, "body-too-large", None);
    let twice = json!({ "title": "x", "iati_identifier": "XM-1" });
    assert_eq!(
        world
            .send(Method::POST, "/api/v1/projects/", &twice)
            .await
            .status,
        201
    );
    world
        .send(Method::POST, "/api/v1/projects/", &twice)
        .await
        .is_problem(409, "conflict", None);
}

#[tokio::test]
async fn writes_need_a_token_beyond_loopback() {
    let json_type = ("content-type", "application/json");
    let body = r#"{"title":"x"}"#;
    let open = World::with(&[("RSR_LISTEN", "0.0.0.0:0")]);
    let answer = open
        .ask(Method::POST, "/api/v1/projects/", &[json_type], body)
        .await;
    answer.is_problem(401, "unauthorized", None);
    let local = World::new();
    let answer = local
        .ask(Method::POST, "/api/v1/projects/", &[json_type], body)
        .await;
    assert_eq!(answer.status, 201, "loopback alone needs none");
    let page = [
        json_type,
        ("host", "127.0.0.1:8000"),
        ("origin", "https://elsewhere.example"),
    ];
    let answer = local
        .ask(Method::POST, "/api/v1/projects/", &page, body)
        .await;
    answer.is_problem(403, "forbidden", None);
}
