//! The layer around any tower service, without a framework: each answer says what it cost, and an observer hears the
//! whole of it, streams included.
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use rsr_base::system_clock;
use rsr_monitoring::{MeasureLayer, Measurement, Observe, Readings, Vitals};
use tower_layer::Layer as _;
use tower_service::Service;

/// The layer's figures come from the allocator's own counters, so the program has to use it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Answers with as many bytes as the path says.
struct Filler;

impl Service<Request<Full<Bytes>>> for Filler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let length = request
            .uri()
            .path()
            .trim_start_matches('/')
            .parse()
            .unwrap_or(0);
        ready(Ok(Response::new(Full::from(vec![b'x'; length]))))
    }
}

/// Prints what each request cost, once its last byte is sent.
struct Printer;

impl Observe for Printer {
    type Subject = String;

    fn started<B>(&self, request: &Request<B>) -> String {
        request.uri().path().to_owned()
    }

    fn finished(&self, path: String, measurement: &Measurement) {
        println!("{path}: {:?}", measurement.usage);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vitals = Vitals::new();
    vitals.refresh(&Readings::of_this_process()); // a service does this every second or so
    let layer = MeasureLayer::with_headers("X-Memory", Printer, vitals, system_clock())?;
    let mut service = layer.layer(Filler);

    for path in ["/10", "/1000000"] {
        let request = Request::builder().uri(path).body(Full::default())?;
        let response = service.call(request).await?;
        let peak = response.headers().get("x-memory-peak-mb").cloned();
        let body = response.into_body().collect().await?.to_bytes();
        println!("{path}: {} bytes, peak {peak:?} MB", body.len());
    }
    Ok(())
}
