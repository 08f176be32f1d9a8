//! Results, and reports on them from draft to approval.

use std::time::Duration;

use http::Method;
use rsr_base::ProjectId;
use rsr_store::Error;
use serde_json::{Value, json};

use crate::support::World;

/// A project with one result, indicator and period; answers the period and a user.
pub(crate) async fn period(world: &World, measure: &str) -> (i64, i64) {
    let project = world.plant(&[None])[0];
    period_of(world, project, measure).await
}

async fn period_of(world: &World, project: ProjectId, measure: &str) -> (i64, i64) {
    let user = world
        .store
        .write(|tx| tx.create_user("Ada", Some("ada@example.org"), false))
        .unwrap_or_else(|error: Error| panic!("{error}"));
    let make = async |path: &str, body: Value| {
        let made = world.send(Method::POST, path, &body).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text());
        made.json()["id"].as_i64().unwrap()
    };
    let result = make(
        "/api/v1/results/",
        json!({ "project": project.0, "title": "Water", "type": "1" }),
    )
    .await;
    let indicator = make(
        "/api/v1/indicators/",
        json!({ "result": result, "title": "Wells", "measure": measure }),
    )
    .await;
    let period = make(
        "/api/v1/periods/",
        json!({ "indicator": indicator, "start": "2024-01-01", "end": "2024-12-31" }),
    )
    .await;
    (period, user.0)
}

#[tokio::test]
async fn a_report_goes_from_draft_to_approved() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let path = format!("/api/v1/periods/{period}/updates/");
    let report = json!({ "user": user, "value": "12.50", "text": "first" });
    let made = world.send(Method::POST, &path, &report).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let update = made.header("location").unwrap().to_owned();
    let approved = world
        .send(Method::PATCH, &update, &json!({ "status": "A" }))
        .await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!(
        world.send(Method::DELETE, &update, &json!({})).await.status,
        200
    );
    world
        .send(Method::DELETE, &update, &json!({}))
        .await
        .is_problem(404, "not-found", None);
}

#[tokio::test]
async fn reports_are_checked_by_field() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let path = format!("/api/v1/periods/{period}/updates/");
    let refused = async |body: Value, field: &str| {
        world
            .send(Method::POST, &path, &body)
            .await
            .is_problem(400, "invalid-body", Some(field));
    };
    refused(json!({ "value": 1 }), "user").await;
    refused(json!({ "user": user, "value": "1e3" }), "value").await;
    refused(json!({ "user": user, "value": "NaN" }), "value").await;
    refused(json!({ "user": user, "value": 0.125 }), "value").await;
    refused(json!({ "user": user, "status": "X" }), "status").await;
    refused(
        json!({ "user": user, "disaggregations": [{ "value": 1 }] }),
        "dimension_value",
    )
    .await;
    let period = json!({ "indicator": 1, "start": "31-12-2024" });
    world
        .send(Method::POST, "/api/v1/periods/", &period)
        .await
        .is_problem(400, "invalid-body", Some("start"));
}

#[tokio::test]
async fn numbers_that_are_none_here_are_refused_with_their_field() {
    let world = World::new();
    let (period, user) = period(&world, "2").await;
    let updates = format!("/api/v1/periods/{period}/updates/");
    let manual = format!("/api/v1/periods/{period}/");
    let not_here = [
        r#""NaN""#,
        r#""inf""#,
        r#""-Infinity""#,
        "1e5",
        r#""1e5""#,
        r#""1,000""#,
        r#""1_000""#,
        r#""1 000""#,
        "0.125",
        "1234567890123456789",
        r#""1234567890123456789""#,
    ];
    for number in not_here {
        let refused = async |method: Method, path: &str, body: String, field: &str| {
            world
                .send_text(method, path, &body)
                .await
                .is_problem(400, "invalid-body", Some(field));
        };
        for field in ["value", "numerator", "denominator"] {
            let body = format!(r#"{{"user":{user},"{field}":{number}}}"#);
            refused(Method::POST, &updates, body, field).await;
            let part = format!(
                r#"{{"user":{user},"disaggregations":[{{"dimension_value":1,"{field}":{number}}}]}}"#
            );
            refused(Method::POST, &updates, part, field).await;
        }
        for field in ["manual_value", "manual_numerator", "manual_denominator"] {
            let body = format!(r#"{{"{field}":{number}}}"#);
            refused(Method::PATCH, &manual, body, field).await;
        }
    }
    // White space around a number is no part of it, and a manual value may be a number or words.
    for value in [
        json!(" 7.5 "),
        json!(7.5),
        json!(-3),
        json!("n/a"),
        json!(null),
    ] {
        let set = world
            .send(Method::PATCH, &manual, &json!({ "manual_value": value }))
            .await;
        assert_eq!(set.status, 200, "{value}: {}", set.text());
    }
    let pair = json!({ "user": user, "numerator": " 1 ", "denominator": "4 " });
    assert_eq!(world.send(Method::POST, &updates, &pair).await.status, 201);
    let stored = world.get_all(&updates).await.json();
    assert_eq!(stored[0]["value"], "25.00");
}

#[tokio::test]
async fn scores_of_a_report_stand_at_its_period() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let indicator = world
        .get(&format!("/api/v1/periods/{period}/"))
        .await
        .json()["indicator"]
        .clone();
    let scored = json!({ "qualitative": true, "has_scores": true });
    let path = format!("/api/v1/indicators/{indicator}/");
    assert_eq!(world.send(Method::PATCH, &path, &scored).await.status, 200);
    let updates = format!("/api/v1/periods/{period}/updates/");
    let report =
        json!({ "user": user, "status": "A", "narrative": "so", "score": 2, "scores": [2, 3] });
    let made = world.send(Method::POST, &updates, &report).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let update = made.header("location").unwrap().to_owned();
    let more = json!({ "scores": [4] });
    assert_eq!(world.send(Method::PATCH, &update, &more).await.status, 200);
    world.service.beat();
    let shown = world
        .get(&format!("/api/v1/periods/{period}/"))
        .await
        .json();
    assert_eq!(
        (&shown["score"], &shown["scores"]),
        (&json!(2), &json!([4]))
    );
    assert_eq!(shown["narrative"], "so");
    for (field, wrong) in [
        ("score", json!(3_000_000_000_u32)),
        ("scores", json!(["a"])),
    ] {
        let refused = world
            .send(Method::PATCH, &update, &json!({ field: wrong }))
            .await;
        refused.is_problem(400, "invalid-body", Some(field));
    }
}

#[tokio::test]
async fn a_percentage_period_takes_one_report() {
    let world = World::new();
    let (period, user) = period(&world, "2").await;
    let path = format!("/api/v1/periods/{period}/updates/");
    let report = json!({ "user": user, "numerator": 1, "denominator": 4 });
    assert_eq!(world.send(Method::POST, &path, &report).await.status, 201);
    world
        .send(Method::POST, &path, &report)
        .await
        .is_problem(409, "conflict", None);
    let manual = json!({ "manual_value": "7" });
    let manual = world
        .send(
            Method::PATCH,
            &format!("/api/v1/periods/{period}/"),
            &manual,
        )
        .await;
    manual.is_problem(409, "conflict", None);
}

#[tokio::test]
async fn results_show_what_stands_and_reports_who_said_so() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let project = world
        .store
        .snapshot()
        .unwrap()
        .project_of_period(rsr_base::PeriodId(period))
        .unwrap();
    let manual = json!({ "manual_value": "7.50" });
    let set = world
        .send(
            Method::PATCH,
            &format!("/api/v1/periods/{period}/"),
            &manual,
        )
        .await;
    assert_eq!(set.status, 200, "{}", set.text());
    let path = format!("/api/v1/projects/{project}/results/");
    let results = world.get(&path).await;
    assert_eq!(results.status, 200, "{}", results.text());
    let shown = &results.json()[0]["indicators"][0]["periods"][0];
    assert_eq!(shown["id"], period);
    assert_eq!(shown["manual_value"], "7.50");
    assert!(results.header("etag").is_some());

    let hits = async || {
        let stats = world
            .admin(Method::GET, "/admin/v1/caches/?name=project-results", "")
            .await
            .json();
        stats["caches"]["project-results"]["hits"].as_u64().unwrap()
    };
    assert_eq!(hits().await, 0);
    assert_eq!(world.get(&path).await.body, results.body);
    assert_eq!(hits().await, 1, "the second answer is kept");

    world
        .get("/api/v1/projects/999/results/")
        .await
        .is_problem(404, "not-found", None);
    world
        .get("/api/v1/periods/999/updates/")
        .await
        .is_problem(404, "not-found", None);
    let none = world
        .get(&format!("/api/v1/periods/{period}/updates/"))
        .await;
    assert_eq!(none.text(), "[]");
    let report = json!({ "user": user, "value": 3 });
    let refused = world
        .send(
            Method::POST,
            &format!("/api/v1/periods/{period}/updates/"),
            &report,
        )
        .await;
    assert_eq!(refused.status, 201, "{}", refused.text());
    let path = format!("/api/v1/periods/{period}/updates/");
    assert_eq!(
        world.get(&path).await.text(),
        "[]",
        "a draft is nobody's to read"
    );
    let reports = world.get_all(&path).await.json();
    assert_eq!(
        (reports[0]["value"].as_str(), reports[0]["status"].as_str()),
        (Some("3.00"), Some("D"))
    );
}

#[tokio::test]
async fn an_approved_report_is_counted_and_its_job_ends() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let project = world
        .store
        .snapshot()
        .unwrap()
        .project_of_period(rsr_base::PeriodId(period))
        .unwrap();
    let report = json!({ "user": user, "value": "12.50", "status": "A" });
    let path = format!("/api/v1/periods/{period}/updates/");
    assert_eq!(world.send(Method::POST, &path, &report).await.status, 201);
    let waiting = world.get_all("/api/v1/jobs/?state=scheduled").await.json();
    assert_eq!(waiting[0]["period"], period);
    let value = async || {
        let results = world
            .get(&format!("/api/v1/projects/{project}/results/"))
            .await
            .json();
        results[0]["indicators"][0]["periods"][0]["actual_value"].clone()
    };
    assert_eq!(value().await, "", "not yet counted");
    world.service.beat();
    assert_eq!(value().await, "12.50");
    let jobs = world.get_all("/api/v1/jobs/").await.json();
    assert_eq!(jobs[0]["state"], "finished");
    let recalculate = format!("/api/v1/projects/{project}/recalculate/");
    let again = world.send(Method::POST, &recalculate, &json!({})).await;
    assert_eq!(again.status, 202);
    assert_eq!(again.json()["jobs_waiting"], 1);
    let root = format!("/api/v1/jobs/?state=scheduled&root_period={period}");
    assert_eq!(world.get_all(&root).await.ids().len(), 1);
    let other = "/api/v1/jobs/?root_period=999";
    assert_eq!(world.get_all(other).await.ids(), [0; 0]);
    world.service.beat();
    assert_eq!(value().await, "12.50");
    let metrics = world.get("/metrics/").await.text();
    assert!(metrics.contains("rsr_aggregation_periods_total{outcome=\"written\"} 1"));
    assert!(
        metrics.contains("rsr_aggregation_jobs{status=\"finished\"} 2"),
        "{metrics}"
    );

    world.get_all("/api/v1/jobs/?state=lost").await.is_problem(
        400,
        "invalid-parameter",
        Some("state"),
    );
    let root = "/api/v1/jobs/?root_period=top";
    let refused = world.get_all(root).await;
    refused.is_problem(400, "invalid-parameter", Some("root_period"));
    for unknown in ["999", "all"] {
        let path = format!("/api/v1/projects/{unknown}/recalculate/");
        let refused = world.send(Method::POST, &path, &json!({})).await;
        refused.is_problem(400, "invalid-parameter", Some("project"));
    }
}

#[tokio::test]
async fn a_job_that_was_given_up_can_be_asked_for_again_and_no_other() {
    // One level is too few for two projects, so the job of the lower one fails.
    let world = World::with(&[
        ("RSR_AGGREGATION_MAX_ATTEMPTS", "2"),
        ("RSR_MAX_AGGREGATION_DEPTH", "1"),
    ]);
    let projects = world.plant(&[None, Some(0)]);
    let (_top, user) = period_of(&world, projects[0], "1").await;
    let below = format!("/api/v1/projects/{}/results/", projects[1]);
    let below = world.get(&below).await.json();
    let period = &below[0]["indicators"][0]["periods"][0]["id"];
    let path = format!("/api/v1/periods/{period}/updates/");
    let report = json!({ "user": user, "value": "3", "status": "A" });
    assert_eq!(world.send(Method::POST, &path, &report).await.status, 201);
    let only = async || world.get_all("/api/v1/jobs/").await.json()[0].clone();
    let retry = async |id: &Value| {
        let path = format!("/api/v1/jobs/{id}/retry/");
        world.send(Method::POST, &path, &json!({})).await
    };

    let waiting = only().await;
    retry(&waiting["id"])
        .await
        .is_problem(400, "invalid-parameter", None);
    world.service.beat();
    let failed = only().await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(failed["attempts"], 1);
    assert!(failed["run_after"].is_string(), "{failed}");
    world.service.beat();
    assert_eq!(only().await["attempts"], 1, "it waits first");
    retry(&failed["id"])
        .await
        .is_problem(400, "invalid-parameter", None);

    world.clock.advance(Duration::from_secs(600));
    world.service.beat();
    let maxxed = only().await;
    assert_eq!(maxxed["state"], "maxxed", "{maxxed}");
    let metrics = world.get("/metrics/").await.text();
    assert!(
        metrics.contains("rsr_aggregation_depth_limited_total 2"),
        "{metrics}"
    );
    let again = retry(&maxxed["id"]).await;
    assert_eq!(again.status, 201);
    let again = again.json();
    assert_eq!(again["state"], "scheduled");
    assert_ne!(again["id"], maxxed["id"]);
    let kept = world.get_all("/api/v1/jobs/?state=maxxed").await.json();
    assert_eq!(kept[0], maxxed, "history");
    retry(&json!(999)).await.is_problem(404, "not-found", None);
}

#[tokio::test]
async fn what_changes_how_a_period_counts_queues_it() {
    let world = World::new();
    let (period, user) = period(&world, "1").await;
    let report = json!({ "user": user, "value": "12.50", "status": "A" });
    let updates = format!("/api/v1/periods/{period}/updates/");
    assert_eq!(
        world.send(Method::POST, &updates, &report).await.status,
        201
    );
    let waiting = async || {
        let jobs = world.get_all("/api/v1/jobs/?state=scheduled").await;
        let n = jobs.ids().len();
        world.service.beat();
        n
    };
    assert_eq!(waiting().await, 1);
    let snapshot = world.store.snapshot().unwrap();
    let project = snapshot
        .project_of_period(rsr_base::PeriodId(period))
        .unwrap();
    let results = format!("/api/v1/projects/{project}/results/");
    let results = world.get(&results).await.json();
    let indicator = &results[0]["indicators"][0]["id"];
    let steps = [
        (
            format!("indicators/{indicator}"),
            json!({ "cumulative": true }),
            1,
        ),
        (
            format!("indicators/{indicator}"),
            json!({ "title": "Other" }),
            0,
        ),
        (format!("periods/{period}"), json!({ "end": null }), 1),
        (
            format!("periods/{period}"),
            json!({ "end": "2031-12-31" }),
            1,
        ),
        (
            format!("periods/{period}"),
            json!({ "target_value": "7" }),
            0,
        ),
    ];
    for (path, body, n_queued) in steps {
        let path = format!("/api/v1/{path}/");
        let done = world.send(Method::PATCH, &path, &body).await;
        assert_eq!(done.status, 200, "{path} {body}: {}", done.text());
        assert_eq!(waiting().await, n_queued, "{path} {body}");
    }
}
