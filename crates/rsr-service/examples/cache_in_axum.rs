//! A cache in an axum service: one load for all who miss together, invalidation on write, statistics as a route.
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::BodyExt as _;
use rsr_cache::{Cache, CacheRegistry, LoadError, Put};
use rsr_settings::CacheSettings;
use tower::ServiceExt as _;

#[derive(Clone)]
struct Service {
    registry: CacheRegistry,
    titles: Cache<u64, Option<String>>,
}

impl Service {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let registry = CacheRegistry::new(CacheSettings::default());
        let builder = registry
            .builder("titles")
            .weigh_heap()
            .negative(Option::is_none, Duration::from_secs(5));
        let titles = registry.get_or_create(builder)?;
        Ok(Self { registry, titles })
    }
}

/// Stands for a query that takes a while.
async fn from_database(id: u64) -> Result<Option<String>, std::io::Error> {
    tokio::task::yield_now().await;
    Ok((id < 100).then(|| format!("Project {id}")))
}

async fn title(State(service): State<Service>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let how = Put::new().tag(format!("project:{id}"));
    let title = service
        .titles
        .get_or_load_async_with(&id, &how, || from_database(id))
        .await
        .map_err(|_why: LoadError<_>| StatusCode::SERVICE_UNAVAILABLE)?;
    title.ok_or(StatusCode::NOT_FOUND)
}

/// After the commit, never before it: a reader between the two would keep the old row.
async fn rename(State(service): State<Service>, Path(id): Path<u64>) -> StatusCode {
    service.registry.invalidate_tag(&format!("project:{id}"));
    StatusCode::NO_CONTENT
}

async fn stats(State(service): State<Service>) -> Json<Vec<(String, u64, u64)>> {
    let all = service.registry.stats_all();
    Json(
        all.caches
            .iter()
            .map(|(name, cache)| (name.clone(), cache.n_hits, cache.n_misses))
            .collect(),
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/projects/{id}/title", get(title).put(rename))
        .route("/caches", get(stats))
        .with_state(Service::new()?);
    for (method, path) in [
        ("GET", "/projects/7/title"),
        ("GET", "/projects/7/title"),
        ("PUT", "/projects/7/title"),
        ("GET", "/projects/7/title"),
        ("GET", "/projects/700/title"),
        ("GET", "/caches"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())?;
        let response = app.clone().oneshot(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!(
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(())
}
