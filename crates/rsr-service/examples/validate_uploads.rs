//! IATI validation in a service: the body is checked while it arrives, on a thread that may block, through a channel that
//! holds a few pieces, so that an upload of a gigabyte costs what one of a kilobyte does.
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::io::{self, Read};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use rsr_iati::validate::{Options, validate};
use tokio::sync::mpsc::{Receiver, channel};
use tower::ServiceExt as _;

/// Pieces that may wait for the validator; a faster client waits with them.
const PIECES_MAX: usize = 4;
/// Findings that an answer names.
const FINDINGS_MAX: usize = 100;

/// The pieces of a body, as something to read from.
struct Pieces {
    incoming: Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.incoming.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let n = self.piece.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}

async fn check(body: Body) -> Result<String, StatusCode> {
    let (pieces, incoming) = channel(PIECES_MAX);
    let work = tokio::task::spawn_blocking(move || {
        let piece = Bytes::new();
        let mut lines = Vec::new();
        let summary = validate(
            Pieces { incoming, piece },
            &Options::default(),
            &mut |group| {
                for finding in group.findings.iter().take(FINDINGS_MAX - lines.len()) {
                    lines.push(finding.to_string());
                }
            },
        );
        (summary, lines)
    });
    let mut body = body.into_data_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_gone| StatusCode::BAD_REQUEST)?;
        if pieces.send(piece).await.is_err() {
            break; // the validator has seen enough
        }
    }
    drop(pieces);
    let (summary, lines) = work
        .await
        .map_err(|_panicked| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!(
        "valid: {}\n{}",
        summary.is_valid(),
        lines.join("\n")
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/validate", post(check));
    let upload = "<iati-activities version=\"2.03\"><iati-activity>\n\
                  <iati-identifier>XM-EXAMPLE-1</iati-identifier></iati-activity></iati-activities>";
    let request = Request::post("/validate").body(Body::from(upload))?;
    let response = app.oneshot(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
