//! No answer is older than the last committed write, and nothing is written under what is being deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;
use rsr_base::ProjectId;
use rsr_store::Tx;
use serde_json::{Value, json};

use crate::support::World;

/// A project with a result, an indicator, a period and a report, by their ids.
struct Reported {
    project: ProjectId,
    result: i64,
    indicator: i64,
    period: i64,
    update: i64,
    user: i64,
}

impl Reported {
    async fn under(world: &World, project: ProjectId, user: i64) -> Self {
        let make = async |path: &str, body: Value| {
            let made = world.send(Method::POST, path, &body).await;
            assert_eq!(made.status, 201, "{path}: {}", made.text());
            made.json()["id"].as_i64().unwrap()
        };
        let new = json!({ "project": project.0, "title": "Water", "type": "1" });
        let result = make("/api/v1/results/", new).await;
        let new = json!({ "result": result, "title": "Wells", "measure": "1" });
        let indicator = make("/api/v1/indicators/", new).await;
        let new = json!({ "indicator": indicator, "start": "2024-01-01", "end": "2024-12-31" });
        let period = make("/api/v1/periods/", new).await;
        let path = format!("/api/v1/periods/{period}/updates/");
        let update = make(&path, json!({ "user": user, "value": "1" })).await;
        Self {
            project,
            result,
            indicator,
            period,
            update,
            user,
        }
    }

    /// Every write that touches the project.
    fn writes(&self) -> Vec<(Method, String, Value)> {
        let Self {
            project,
            result,
            indicator,
            period,
            update,
            user,
        } = self;
        let project = project.0;
        let one = |kind: &str, id: &i64| format!("/api/v1/{kind}/{id}/");
        let all = |kind: &str| format!("/api/v1/{kind}/");
        vec![
            (
                Method::PATCH,
                one("projects", &project),
                json!({ "title": "New" }),
            ),
            (Method::DELETE, one("projects", &project), json!({})),
            (
                Method::POST,
                all("projects"),
                json!({ "title": "Below", "parent": project }),
            ),
            (
                Method::POST,
                all("results"),
                json!({ "project": project, "title": "R" }),
            ),
            (
                Method::POST,
                all("indicators"),
                json!({ "result": result, "title": "I" }),
            ),
            (
                Method::POST,
                all("periods"),
                json!({ "indicator": indicator }),
            ),
            (
                Method::PATCH,
                one("periods", period),
                json!({ "manual_value": "7" }),
            ),
            (
                Method::POST,
                format!("/api/v1/periods/{period}/updates/"),
                json!({ "user": user, "value": "2" }),
            ),
            (
                Method::PATCH,
                one("updates", update),
                json!({ "status": "A" }),
            ),
            (Method::DELETE, one("updates", update), json!({})),
            (
                Method::POST,
                format!("/api/v1/projects/{project}/recalculate/"),
                json!({}),
            ),
        ]
    }
}

fn ada(world: &World) -> i64 {
    world
        .store
        .write(|tx| tx.create_user("Ada", Some("ada@example.org"), false))
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"))
        .0
}

/// The deletion of the upper project waits for the writer, which the test holds; all the while every write to it, and to
/// the project below it, is refused at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_a_deletion_is_refused() {
    let world = Arc::new(World::new());
    let ids = world.plant(&[None, Some(0), None]);
    let user = ada(&world);
    let below = Reported::under(&world, ids[1], user).await;
    let upper = Reported::under(&world, ids[0], user).await;
    let other = Reported::under(&world, ids[2], user).await;
    let writing: Tx = world.store.begin().unwrap();
    let deletion = tokio::spawn({
        let world = Arc::clone(&world);
        let path = format!("/api/v1/projects/{}/", ids[0]);
        async move { world.send(Method::DELETE, &path, &json!({})).await }
    });
    let active = async || {
        let stats = world.admin(Method::GET, "/admin/v1/deletions/", "").await;
        stats.json()["active"].as_u64()
    };
    while active().await != Some(1) {
        tokio::task::yield_now().await;
    }
    for (method, path, body) in upper.writes().into_iter().chain(below.writes()) {
        let refused = world.send(method.clone(), &path, &body).await;
        assert_eq!(refused.status, 409, "{method} {path}: {}", refused.text());
        refused.is_problem(409, "being-deleted", None);
    }
    drop(writing);
    let deleted = deletion.await.unwrap();
    assert_eq!(deleted.json()["deleted_projects"], 2, "{}", deleted.text());
    assert_eq!(active().await, Some(0));
    for (method, path, body) in other
        .writes()
        .into_iter()
        .filter(|(method, ..)| method == Method::PATCH)
    {
        let done = world.send(method, &path, &body).await;
        assert!(
            done.status.as_u16() < 500 && done.status != 404,
            "{path}: {}",
            done.text()
        );
    }
}

/// Each answer is asked for before a write, so that it is kept, and after it.
#[tokio::test]
async fn every_write_shows_in_the_next_answer() {
    let world = World::new();
    let ids = world.plant(&[None, None]);
    let it = Reported::under(&world, ids[0], ada(&world)).await;
    let project = format!("/api/v1/projects/{}/", it.project);
    let results = format!("{project}results/");
    let shown = async || {
        let (project, results) = (world.get(&project).await, world.get(&results).await);
        if project.status == 404 {
            // Problems carry the request's id.
            return format!("{} {}", project.status, results.status);
        }
        format!("{} {}", project.text(), results.text())
    };
    let recalculate = format!("{project}recalculate/");
    let approved = json!({ "status": "A" });
    let update = format!("/api/v1/updates/{}/", it.update);
    world.send(Method::PATCH, &update, &approved).await;
    let steps = [
        (
            Method::PATCH,
            project.clone(),
            json!({ "title": "Renamed" }),
        ),
        (
            Method::PATCH,
            project.clone(),
            json!({ "parent": ids[1].0 }),
        ),
        (
            Method::POST,
            "/api/v1/results/".to_owned(),
            json!({ "project": it.project.0, "title": "Second" }),
        ),
        (
            Method::POST,
            "/api/v1/indicators/".to_owned(),
            json!({ "result": it.result, "title": "Pumps" }),
        ),
        (
            Method::POST,
            "/api/v1/periods/".to_owned(),
            json!({ "indicator": it.indicator, "start": "2025-01-01", "end": "2025-12-31" }),
        ),
        // Of reports and manual values it is the roll-up that shows.
        (Method::POST, recalculate.clone(), json!({})),
        (
            Method::PATCH,
            project.clone(),
            json!({ "is_public": false }),
        ),
        (Method::PATCH, project.clone(), json!({ "is_public": true })),
        (Method::DELETE, project.clone(), json!({})),
    ];
    let mut before = shown().await;
    for (method, path, body) in steps {
        assert_eq!(shown().await, before, "nothing was written");
        let done = world.send(method.clone(), &path, &body).await;
        assert!(done.status.is_success(), "{method} {path}: {}", done.text());
        if path == recalculate {
            world.service.beat();
        }
        let after = shown().await;
        assert_ne!(after, before, "{method} {path} {body}");
        before = after;
    }
    world.get(&project).await.is_problem(404, "not-found", None);
    world.get(&results).await.is_problem(404, "not-found", None);
}

/// One task gives a project and its result ever higher numbers and notes each once its write is answered; the others
/// read meanwhile. What they are given is never below what was noted before they asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_is_older_than_the_last_committed_write() {
    const WRITES: u64 = 60;
    let world = Arc::new(World::new());
    let id = world.plant(&[None])[0];
    let path = format!("/api/v1/projects/{id}/");
    let committed = Arc::new(AtomicU64::new(0));
    let first = json!({ "title": "0" });
    world.send(Method::PATCH, &path, &first).await;
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (world, committed) = (Arc::clone(&world), Arc::clone(&committed));
            let path = path.clone();
            tokio::spawn(async move {
                let mut n_read = 0_u64;
                while committed.load(Ordering::SeqCst) < WRITES {
                    let at_least = committed.load(Ordering::SeqCst);
                    let answer = world.get(&path).await;
                    if answer.status == 503 {
                        // The bridge is full: no answer is not an old one.
                        continue;
                    }
                    let title: u64 = answer.json()["title"].as_str().unwrap().parse().unwrap();
                    assert!(title >= at_least, "{title} after {at_least}");
                    n_read += 1;
                    tokio::task::yield_now().await;
                }
                n_read
            })
        })
        .collect();
    for n in 1..=WRITES {
        let edit = json!({ "title": n.to_string() });
        let done = world.send(Method::PATCH, &path, &edit).await;
        assert_eq!(done.status, 200, "{}", done.text());
        committed.store(n, Ordering::SeqCst);
        // The second answer of the same moment comes from the cache.
        for _ in 0..2 {
            let title = world.get(&path).await.json()["title"].clone();
            assert_eq!(title, n.to_string());
        }
    }
    for reader in readers {
        assert!(reader.await.unwrap() > 0, "it read at least once");
    }
    let stats = world
        .admin(Method::GET, "/admin/v1/caches/", "")
        .await
        .json();
    let hits = stats["caches"]["project-summaries"]["hits"].as_u64();
    assert!(hits >= Some(WRITES), "the cache was used: {stats}");
}

#[tokio::test]
async fn changed_settings_reach_the_caches_and_the_tracker() {
    let world = World::new();
    let ids = world.plant(&[None, None, None]);
    for id in &ids {
        world.get(&format!("/api/v1/projects/{id}/")).await;
    }
    for (key, value) in [
        ("cache.max_size", "2"),
        ("cache.ttl", "60"),
        ("deletion.stale_after", "90"),
    ] {
        world.live.set(key, value, "test").unwrap();
    }
    world.service.beat();
    let stats = world
        .admin(Method::GET, "/admin/v1/caches/", "")
        .await
        .json();
    let summaries = &stats["caches"]["project-summaries"];
    assert_eq!(summaries["max_size"], 2, "{stats}");
    assert_eq!(summaries["size"], 2);
    assert_eq!(summaries["ttl_seconds"], 60.0);
    let stats = world
        .admin(Method::GET, "/admin/v1/deletions/", "")
        .await
        .json();
    assert_eq!(stats["stale_after_seconds"], 90.0);
}
