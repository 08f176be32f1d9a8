//! The sections of the dashboard as server-sent events: each when it has changed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::OwnedSemaphorePermit;

use super::range::Range;
use super::sections::{self, Section};
use crate::app::App;
use crate::drain::Phase;
use crate::health::Health;
use crate::problem::Problem;
use crate::routes::table::{Field, Operation, Route};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// Looks after which a stream ends; a browser comes back by itself. So nobody is followed for ever by a page that was
/// left open on a machine that sleeps.
const LOOKS_MAX: u32 = 1_800;
/// Followers at once: each costs a look at everything, which a page that reloads itself does not.
pub(crate) const FOLLOWERS_MAX: usize = 16;
const MEDIA: &str = "text/event-stream";

pub(super) fn route(query: &'static [Field]) -> Route {
    Route {
        operation: Operation::get(
            "/dashboard/events/",
            "dashboard_events",
            "The dashboard's sections as they change; who does not accept text/event-stream gets them once",
        )
        .light()
        .query(query)
        .answers(200, MEDIA),
        handler: get(follow),
    }
}

/// One follower: what it was shown, and its place.
struct Follower {
    app: App,
    range: Range,
    shown: HashMap<&'static str, String>,
    looks_left: u32,
    is_first: bool,
    _place: OwnedSemaphorePermit,
}

async fn follow(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = super::range(query.as_deref())?;
    let place = app
        .followers
        .clone()
        .try_acquire_owned()
        .map_err(|_taken| {
            Problem::busy("too many dashboards are followed", Duration::from_secs(30))
        })?;
    let stays = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains(MEDIA)));
    let follower = Follower {
        app,
        range,
        shown: HashMap::new(),
        looks_left: if stays { LOOKS_MAX } else { 1 },
        is_first: true,
        _place: place,
    };
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl Follower {
    /// What has changed at the next look; `None` where there is none any more.
    async fn next(&mut self) -> Option<Bytes> {
        self.looks_left = self.looks_left.checked_sub(1)?;
        if !std::mem::take(&mut self.is_first) {
            tokio::select! {
                () = self.app.drain.reached(Phase::Draining) => return None,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        let (work, range) = (self.app.clone(), self.range);
        let look = self
            .app
            .bridge
            .run(move || Ok(sections::all(&work, &Health::of(&work), range)))
            .await;
        Some(match look {
            Ok(sections) => self.changes(sections),
            // The connection is alive, and says so.
            Err(_busy) => Bytes::from_static(b": busy\n\n"),
        })
    }

    fn changes(&mut self, sections: Vec<Section>) -> Bytes {
        let mut text = String::new();
        for Section { id, html } in sections {
            if self.shown.get(id) == Some(&html) {
                continue;
            }
            write_event(&mut text, id, &html);
            self.shown.insert(id, html);
        }
        if text.is_empty() {
            text.push_str(": nothing new\n\n");
        }
        Bytes::from(text)
    }
}

fn write_event(text: &mut String, id: &str, html: &str) {
    text.push_str("event: ");
    text.push_str(id);
    text.push('\n');
    for line in html.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_its_lines_apart() {
        let mut text = String::new();
        write_event(&mut text, "caches", "<p>a</p>\n<p>b</p>\n");
        assert_eq!(text, "event: caches\ndata: <p>a</p>\ndata: <p>b</p>\n\n");
    }
}
