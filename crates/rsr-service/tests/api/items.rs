//! Results, indicators and periods: listed, shown, changed, and checked on the way in.

use http::Method;
use serde_json::{Value, json};

use crate::support::World;

/// Makes a thing; answers its id.
async fn make(world: &World, kind: &str, body: Value) -> i64 {
    let made = world
        .send(Method::POST, &format!("/api/v1/{kind}/"), &body)
        .await;
    assert_eq!(made.status, 201, "{kind}: {}", made.text());
    made.json()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn lists_are_narrowed_ordered_and_followed_to_their_end() {
    let world = World::new();
    let projects = world.plant(&[None, None]);
    let mut made = Vec::new();
    for nth in 0..5 {
        let title = format!("Water {nth}");
        let project = projects[nth % 2].0;
        let kind = if nth == 4 { "2" } else { "1" };
        let body = json!({ "project": project, "title": title, "type": kind });
        made.push(make(&world, "results", body).await);
    }
    let get = async |query: &str| world.get(&format!("/api/v1/results/?{query}")).await;
    let newest_first: Vec<i64> = made.iter().rev().copied().collect();
    assert_eq!(get("").await.ids(), newest_first);
    assert_eq!(get("sort=id").await.ids(), made);
    assert_eq!(get("search=ter%203").await.ids(), [made[3]]);
    assert_eq!(get("type=2").await.ids(), [made[4]]);
    let of_second = format!("project={}", projects[1]);
    assert_eq!(get(&of_second).await.ids(), [made[3], made[1]]);

    let mut shown = Vec::new();
    let mut path = "/api/v1/results/?limit=2&sort=id".to_owned();
    loop {
        let page = world.get(&path).await;
        shown.extend(page.ids());
        let Some(link) = page.header("link") else {
            break;
        };
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(shown, made);
    let forged = path.replace("cursor=", "cursor=0");
    let cursor = Some("cursor");
    world
        .get(&forged)
        .await
        .is_problem(400, "invalid-cursor", cursor);
    let other = path.replace("sort=id", "sort=-id");
    world
        .get(&other)
        .await
        .is_problem(400, "invalid-cursor", cursor);
    let refused = async |query: &str, field: &str| {
        get(query)
            .await
            .is_problem(400, "invalid-parameter", Some(field));
    };
    refused("limit=0", "limit").await;
    refused("limit=-1", "limit").await;
    refused("sort=title", "sort").await;
    refused("colour=red", "colour").await;
    refused("project=seven", "project").await;
    refused(&format!("search={}", "x".repeat(1_001)), "search").await;
}

#[tokio::test]
async fn each_is_shown_with_what_it_lies_in_and_changed() {
    let world = World::new();
    let project = world.plant(&[None])[0].0;
    let result = make(
        &world,
        "results",
        json!({ "project": project, "title": "Water" }),
    )
    .await;
    let indicator = make(
        &world,
        "indicators",
        json!({ "result": result, "title": "Wells", "measure": "1" }),
    )
    .await;
    let period = make(
        &world,
        "periods",
        json!({ "indicator": indicator, "start": "2024-01-01" }),
    )
    .await;
    let change = async |kind: &str, id: i64, body: Value| {
        let path = format!("/api/v1/{kind}/{id}/");
        let changed = world.send(Method::PATCH, &path, &body).await;
        assert_eq!(changed.status, 200, "{path}: {}", changed.text());
        world.get(&path).await.json()
    };
    let shown = change("results", result, json!({ "title": "Clean water" })).await;
    assert_eq!(
        (&shown["title"], &shown["project"]),
        (&json!("Clean water"), &json!(project))
    );
    assert_eq!(shown.get("indicators"), None);
    let shown = change("indicators", indicator, json!({ "measure": "2" })).await;
    assert_eq!(
        (&shown["measure"], &shown["title"], &shown["result"]),
        (&json!("2"), &json!("Wells"), &json!(result))
    );
    let jobs = world.get_all("/api/v1/jobs/?state=scheduled").await;
    assert_eq!(jobs.json()[0]["period"], period, "it counts in another way");
    let shown = change("periods", period, json!({ "manual_value": "7" })).await;
    assert_eq!(shown["manual_value"], "7");
    let dates = json!({ "start": "2024-02-01", "end": "2024-12-31" });
    let shown = change("periods", period, dates).await;
    assert_eq!(
        (&shown["start"], &shown["end"]),
        (&json!("2024-02-01"), &json!("2024-12-31"))
    );
    assert_eq!(
        shown["manual_value"], "7",
        "what is not named stays as it is"
    );
    let shown = change(
        "periods",
        period,
        json!({ "end": null, "manual_value": null }),
    )
    .await;
    assert_eq!(
        (&shown["end"], &shown["manual_value"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        world.get("/api/v1/periods/").await.json()[0]["indicator"],
        indicator
    );
    world
        .get("/api/v1/indicators/999/")
        .await
        .is_problem(404, "not-found", None);
}

#[tokio::test]
async fn a_copy_counts_as_its_original_does() {
    let world = World::new();
    let ids = world.plant(&[None, Some(0)]);
    let result = make(
        &world,
        "results",
        json!({ "project": ids[0].0, "title": "Water" }),
    )
    .await;
    let indicator = json!({ "result": result, "title": "Wells", "measure": "1" });
    let indicator = make(&world, "indicators", indicator).await;
    let below = format!("/api/v1/indicators/?project={}", ids[1]);
    let copy = world.get(&below).await.ids()[0];
    assert_ne!(copy, indicator);
    let path = format!("/api/v1/indicators/{copy}/");
    let refused = world
        .send(Method::PATCH, &path, &json!({ "measure": "2" }))
        .await;
    refused.is_problem(403, "forbidden", None);
    let title = json!({ "title": "Our wells" });
    assert_eq!(world.send(Method::PATCH, &path, &title).await.status, 200);
}

#[tokio::test]
async fn what_no_store_should_hold_is_refused_by_its_field() {
    let world = World::new();
    let project = world.plant(&[None])[0];
    let json_type = ("content-type", "application/json");
    let token = crate::support::token();
    let refused = async |method: Method, path: &str, body: &str, field: &str| {
        let headers = [token, json_type];
        let answer = world.ask(method, path, &headers, body).await;
        answer.is_problem(400, "invalid-body", Some(field));
    };
    let post = async |body: &str, field: &str| {
        refused(Method::POST, "/api/v1/projects/", body, field).await;
    };
    post(r#"{"title":""}"#, "title").await;
    post(r#"{"title":"  "}"#, "title").await;
    post(r#"{"title":"a\u0000b"}"#, "title").await;
    post(r#"{"title":"a","title":"b"}"#, "title").await;
    post(r#"{"title":"a","subtitle":"\u0007"}"#, "subtitle").await;
    post(&json!({ "title": "x".repeat(1_001) }).to_string(), "title").await;
    post(r#"{"title":"a","iati_identifier":""}"#, "iati_identifier").await;
    let one = format!("/api/v1/projects/{project}/");
    refused(Method::PATCH, &one, r#"{"title":""}"#, "title").await;
    let result = format!(r#"{{"project":{project},"title":"x","type":"banana"}}"#);
    refused(Method::POST, "/api/v1/results/", &result, "type").await;
    let long = world
        .get(&format!("/api/v1/projects/?search={}", "x".repeat(5_000)))
        .await;
    long.is_problem(400, "invalid-parameter", Some("search"));
}
