//! What measuring costs: a request through the layer against one without, a scrape, a reading.
//!
//! `cargo bench -p rsr-monitoring --all-features --bench overhead -- [--quick] [--json]`
//!
//! With and without take turns, so that a busy machine slows both; the best of all rounds counts.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program that measures time and prints it"
)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rsr_base::system_clock;
use rsr_monitoring::{Format, MeasureLayer, Readings, Registry, Scope, Vitals};
use tower_layer::Layer;
use tower_service::Service;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The least that a handler can do: a short text, one allocation.
#[derive(Clone)]
struct Trivial;

impl Service<Request<()>> for Trivial {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Full::from(vec![b'x'; 256]))))
    }
}

fn poll<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
}

fn serve<S, B>(service: &mut S)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let Ok(response) = poll(service.call(Request::new(())));
    let (head, body) = response.into_parts();
    black_box(head);
    let Ok(whole) = poll(body.collect());
    black_box(whole);
}

/// Nanoseconds of one call, in a round of `n`.
fn time(n: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..n {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(n)
}

struct Case {
    name: &'static str,
    ours: f64,
    peer: f64,
    peer_name: &'static str,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let rounds = if has("--quick") { 20 } else { 200 };
    let mut cases = layers(rounds);
    cases.extend(single(rounds));
    for case in cases {
        let Case {
            name,
            ours,
            peer,
            peer_name,
        } = case;
        if has("--json") {
            println!(
                "{{\"bench\":\"monitoring\",\"case\":\"{name}\",\"ours\":{ours:.1},\"peer\":{peer:.1},\
                 \"peer_name\":\"{peer_name}\",\"unit\":\"ns\",\"ratio\":{:.3}}}",
                peer / ours
            );
        } else {
            println!("{name:>22} {ours:>10.1} ns, {peer_name} {peer:.1} ns");
        }
    }
}

/// The layer's own cost: what a request takes with it, less what it takes without.
fn layers(rounds: usize) -> Vec<Case> {
    const N: u32 = 5_000;
    let vitals = Vitals::new();
    vitals.refresh(&Readings::of_this_process());
    let clock = system_clock();
    let plain_layer = MeasureLayer::new((), vitals.clone(), clock.clone());
    let off_layer = MeasureLayer::new((), vitals.clone(), clock.clone());
    off_layer.switches().set_on(false);
    let Ok(header_layer) = MeasureLayer::with_headers("X-RSR-Memory", (), vitals, clock) else {
        unreachable!("the prefix is a good one");
    };
    header_layer.switches().set_detailed(true);
    let mut bare = Trivial;
    let (mut plain, mut off, mut headers) = (
        plain_layer.layer(Trivial),
        off_layer.layer(Trivial),
        header_layer.layer(Trivial),
    );
    let mut best = [f64::INFINITY; 4];
    for _ in 0..rounds {
        let round = [
            time(N, || serve(&mut bare)),
            time(N, || serve(&mut plain)),
            time(N, || serve(&mut off)),
            time(N, || serve(&mut headers)),
        ];
        for (best, this) in best.iter_mut().zip(round) {
            *best = best.min(this);
        }
    }
    let [bare, plain, off, headers] = best;
    let case = |name, with: f64, limit, peer_name| Case {
        name,
        ours: with - bare,
        peer: limit,
        peer_name,
    };
    vec![
        case("layer", plain, 300.0, "allowed"),
        case("layer-with-headers", headers, 1_000.0, "allowed"),
        Case {
            name: "layer-switched-off",
            ours: off,
            peer: bare,
            peer_name: "no layer",
        },
    ]
}

fn single(rounds: usize) -> Vec<Case> {
    let registry = Registry::new();
    let family = registry.counter("bench_requests_total", "Requests.", &["route", "method"]);
    let mut handles = Vec::new();
    if let Ok(family) = family.map(|family| family.with_series_max(2_000)) {
        for place in 0..2_000 {
            handles.extend(family.with(&[&format!("/route/{place}"), "GET"]));
        }
    }
    let readings = Readings::of_this_process();
    let scope = Scope::new();
    let best = |n: u32, call: &mut dyn FnMut()| {
        (0..rounds).fold(f64::INFINITY, |best, _| best.min(time(n, &mut *call)))
    };
    let scrape = best(5, &mut || drop(black_box(registry.scrape(Format::Text))));
    let counter = handles
        .first()
        .map_or(0.0, |handle| best(10_000, &mut || handle.inc()));
    let entered = best(10_000, &mut || scope.run(|| ()));
    let resident = best(200, &mut || {
        black_box(readings.resident());
    });
    let heap = best(50, &mut || {
        black_box(readings.heap());
    });
    let all = best(20, &mut || {
        black_box(readings.take());
    });
    let case = |name, ours, limit| Case {
        name,
        ours,
        peer: limit,
        peer_name: "allowed",
    };
    vec![
        case("scrape-2000-series", scrape, 1_000_000.0),
        case("counter", counter, 20.0),
        case("scope", entered, 150.0),
        case("resident", resident, 2_000.0),
        case("heap", heap, 50_000.0),
        case("all-readings", all, 500_000.0),
    ]
}
