//! What measuring costs: a request through the layer against one without, sampling on and off, a scrape, a check for
//! leaks, the monitor's own memory.
//!
//! `cargo bench -p rsr-monitoring --all-features --bench overhead -- [--quick] [--json] [--only GROUP]`
//!
//! With and without take turns in short rounds, so that a busy machine slows both; what counts is the median of all
//! rounds, and where a share is asked for the time that the fastest quarter of them keeps to. `--only` takes one of
//! `layer`, `single`, `wrapper`, `throughput`, `sampling`, `detector` and `memory`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program that measures time and prints it"
)]

#[cfg(feature = "counting-allocator")]
use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use rsr_base::{ByteSize, system_clock};
#[cfg(feature = "counting-allocator")]
use rsr_monitoring::CountingAllocator;
use rsr_monitoring::{
    CallSites, Format, LeakDetector, LeakRules, LeakSample, MeasureLayer, Profiler, ProfilerLimits,
    Readings, Registry, Scope, SiteRules, Vitals,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
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
    unit: &'static str,
}

impl Case {
    fn allowed(name: &'static str, ours: f64, limit: f64, unit: &'static str) -> Self {
        Self {
            name,
            ours,
            peer: limit,
            peer_name: "allowed",
            unit,
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let only = arguments
        .windows(2)
        .find(|pair| pair.first().is_some_and(|flag| flag == "--only"))
        .and_then(|pair| pair.last());
    let rounds = if has("--quick") { 100 } else { 1_000 };
    let cases = GROUPS
        .into_iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name))
        .flat_map(|(_, group)| group(rounds));
    for case in cases {
        let Case {
            name,
            ours,
            peer,
            peer_name,
            unit,
        } = case;
        if has("--json") {
            println!(
                "{{\"bench\":\"overhead\",\"case\":\"{name}\",\"ours\":{ours:.3},\"peer\":{peer:.3},\
                 \"peer_name\":\"{peer_name}\",\"unit\":\"{unit}\",\"ratio\":{:.3}}}",
                peer / ours.max(1e-3)
            );
        } else {
            println!("{name:>22} {ours:>10.2} {unit}, {peer_name} {peer:.2}");
        }
    }
}

/// What can be asked for alone with `--only`.
type Group = fn(usize) -> Vec<Case>;
const GROUPS: [(&str, Group); 7] = [
    ("layer", layers),
    ("single", single),
    ("wrapper", wrapper),
    ("throughput", throughput),
    ("sampling", sampling),
    ("detector", detector),
    ("memory", |_rounds| vec![own_memory()]),
];

/// The layer's own cost: what a request takes with it, less what it takes without.
fn layers(rounds: usize) -> Vec<Case> {
    const N: u32 = 1_000;
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
    let [bare, plain, off, headers] = medians(
        rounds,
        [
            &mut || time(N, || serve(&mut bare)),
            &mut || time(N, || serve(&mut plain)),
            &mut || time(N, || serve(&mut off)),
            &mut || time(N, || serve(&mut headers)),
        ],
    );
    vec![
        Case::allowed("layer", plain - bare, 300.0, "ns"),
        Case::allowed("layer-with-headers", headers - bare, 1_000.0, "ns"),
        Case {
            name: "layer-switched-off",
            ours: off,
            peer: bare,
            peer_name: "no layer",
            unit: "ns",
        },
    ]
}

/// Medians of some measurements that take turns, each round beginning with the next of them: what else the machine does
/// falls on all alike. Rounds are short, so that most of them are not interrupted.
fn medians<const N: usize>(rounds: usize, mut calls: [&mut dyn FnMut() -> f64; N]) -> [f64; N] {
    let mut seen = [const { Vec::new() }; N];
    for round in 0..rounds {
        for turn in 0..N {
            let place = (round + turn) % N;
            if let (Some(call), Some(seen)) = (calls.get_mut(place), seen.get_mut(place)) {
                seen.push(call());
            }
        }
    }
    seen.map(|mut seen| median(&mut seen))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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
    let median_of = |n: u32, call: &mut dyn FnMut()| {
        let mut seen: Vec<f64> = (0..rounds / 5).map(|_| time(n, &mut *call)).collect();
        median(&mut seen)
    };
    let scrape = median_of(5, &mut || drop(black_box(registry.scrape(Format::Text))));
    let counter = handles
        .first()
        .map_or(0.0, |handle| median_of(10_000, &mut || handle.inc()));
    let entered = median_of(10_000, &mut || scope.run(|| ()));
    let resident = median_of(200, &mut || {
        black_box(readings.resident());
    });
    let heap = median_of(50, &mut || {
        black_box(readings.heap());
    });
    let all = median_of(20, &mut || {
        black_box(readings.take());
    });
    let case = |name, ours, limit| Case::allowed(name, ours, limit, "ns");
    vec![
        case("scrape-2000-series", scrape, 1_000_000.0),
        case("counter", counter, 20.0),
        case("scope", entered, 150.0),
        case("resident", resident, 2_000.0),
        case("heap", heap, 50_000.0),
        case("all-readings", all, 500_000.0),
    ]
}

/// What the optional wrapper that counts adds to taking a block and giving it back, beside the allocator without it.
#[cfg(feature = "counting-allocator")]
fn wrapper(rounds: usize) -> Vec<Case> {
    const N: u32 = 1_000;
    let wrapped = CountingAllocator::new(tikv_jemallocator::Jemalloc);
    let layout = Layout::new::<[u64; 16]>();
    let [with, without] = medians(
        rounds,
        [
            &mut || time(N, || take_and_give_back(&wrapped, layout)),
            &mut || time(N, || take_and_give_back(&ALLOCATOR, layout)),
        ],
    );
    vec![Case {
        name: "counting-wrapper",
        ours: with,
        peer: without,
        peer_name: "the allocator alone",
        unit: "ns",
    }]
}

#[cfg(not(feature = "counting-allocator"))]
fn wrapper(_rounds: usize) -> Vec<Case> {
    Vec::new()
}

#[cfg(feature = "counting-allocator")]
#[expect(
    unsafe_code,
    reason = "what a global allocator is asked is unsafe to ask"
)]
fn take_and_give_back(allocator: &impl GlobalAlloc, layout: Layout) {
    // SAFETY: the layout is not of size 0.
    let block = black_box(unsafe { allocator.alloc(layout) });
    assert!(!block.is_null(), "there is memory for a small block");
    // SAFETY: it was taken from this allocator with this layout and goes back once.
    unsafe { allocator.dealloc(block, layout) };
}

/// How much longer the first of two calls takes that take turns, in per cent: of each the time that the fastest quarter of
/// its rounds keep to, since whatever else runs can only add to it.
fn per_cent(rounds: usize, with: &mut dyn FnMut() -> f64, without: &mut dyn FnMut() -> f64) -> f64 {
    let mut seen = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        // Each goes first in every other round.
        let took = if round.is_multiple_of(2) {
            let with = with();
            [with, without()]
        } else {
            let without = without();
            [with(), without]
        };
        for (seen, took) in seen.iter_mut().zip(took) {
            seen.push(took);
        }
    }
    let [with, without] = seen.map(|mut seen| {
        seen.sort_by(f64::total_cmp);
        seen.get(rounds / 4).copied().unwrap_or(f64::NAN)
    });
    (with / without - 1.0) * 100.0
}

/// What the layer takes of the throughput of a trivial handler behind a socket. Client and server share one core, which
/// is busy all the time: on two, most of a request would be waiting for the other core to wake up.
fn throughput(rounds: usize) -> Vec<Case> {
    const N: u32 = 40;
    let everywhere = sched_getaffinity(None).expect("this thread runs somewhere");
    let mut one = CpuSet::new();
    one.set(
        (0..CpuSet::MAX_CPU)
            .rfind(|&core| everywhere.is_set(core))
            .expect("it runs on some core"),
    );
    sched_setaffinity(None, &one).expect("a core it may run on");
    let layer = MeasureLayer::new((), Vitals::new(), system_clock());
    let client = RefCell::new(Client::of(layer.layer(Trivial), Trivial));
    let share = per_cent(
        rounds * 5,
        &mut || time(N, || client.borrow_mut().ask(b"GET /with")),
        &mut || time(N, || client.borrow_mut().ask(b"GET /bare")),
    );
    sched_setaffinity(None, &everywhere).expect("where it ran before");
    let unit = "% of a request over TCP";
    vec![Case::allowed("layer-of-throughput", share, 1.0, unit)]
}

/// A client, and hyper at the other end of its one connection. Requests with and without the layer go to the same thread:
/// where the scheduler has put it is no difference between them.
struct Client {
    connection: TcpStream,
}

impl Client {
    fn of<S, B>(measured: S, bare: Trivial) -> Self
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + Send,
        S: 'static,
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (connection, _) = listener.accept().expect("someone connects");
            answer(connection, measured, bare);
        });
        let connection = TcpStream::connect(address).expect("it listens");
        connection.set_nodelay(true).expect("it is a connection");
        Self { connection }
    }

    fn ask(&mut self, begins: &[u8]) {
        let mut answer = [0; 1024];
        let request = [begins, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
        let asked = self.connection.write_all(&request);
        let read = self.connection.read(&mut answer);
        black_box((asked.is_ok(), read.unwrap_or(0)));
    }
}

/// Serves one connection to its end.
fn answer<S, B>(connection: TcpStream, measured: S, bare: Trivial)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes, Error = Infallible> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime");
    let served = async move {
        connection.set_nonblocking(true)?;
        let connection = hyper_util::rt::TokioIo::new(tokio::net::TcpStream::from_std(connection)?);
        let both = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let (mut measured, mut bare) = (measured.clone(), bare.clone());
            async move {
                let is_measured = request.uri().path() == "/with";
                let request = request.map(drop);
                if is_measured {
                    let response = measured.call(request).await;
                    response.map(|response| response.map(Either::Left))
                } else {
                    let response = bare.call(request).await;
                    response.map(|response| response.map(Either::Right))
                }
            }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(connection, both);
        connection.await.map_err(std::io::Error::other)
    };
    black_box(runtime.block_on(served).is_ok());
}

/// A request as services have them: text is parsed into owned values, sorted, and written again into one buffer that
/// grows, as serializers do.
#[inline(never)]
fn request_like(n: u64) -> usize {
    let mut fields: Vec<(String, Vec<u64>)> = (0..40)
        .map(|field| {
            let name = format!("field-{}-of-{n}", (field * 7_919) % 40);
            (name, (0..12).map(|value| value * field).collect())
        })
        .collect();
    fields.sort();
    let mut written = String::with_capacity(128);
    for (name, values) in &fields {
        black_box(write!(written, "\"{name}\":{values:?},").is_ok());
    }
    written.len()
}

fn sampling(rounds: usize) -> Vec<Case> {
    // Some ten milliseconds, in which some samples fall.
    const N: u32 = 400;
    let work = |is_on: bool| {
        let watch = is_on.then(CallSites::watch);
        let requests = || {
            time(N, || {
                black_box(request_like(black_box(7)));
            })
        };
        // A watch lasts as long as its service: that a call stack is met for the first time, which takes tens of
        // microseconds, is over before the clock starts.
        requests();
        let took = requests();
        drop(watch);
        took
    };
    let watched = per_cent(rounds, &mut || work(true), &mut || work(false));
    vec![
        Case::allowed("sampling-1-mib", watched, 2.0, "% of request-like work"),
        Case::allowed("heap-dump", dump_ms(), 10.0, "ms"),
    ]
}

/// Milliseconds of the fastest of some dumps of a heap with some hundred stacks.
fn dump_ms() -> f64 {
    let folder = std::env::temp_dir().join(format!("rsr-overhead-{}", std::process::id()));
    let profiler = Profiler::open(&folder, ProfilerLimits::default(), system_clock());
    let Ok(profiler) = profiler else {
        return f64::NAN;
    };
    let id = profiler.start(None);
    let kept: Vec<Vec<u8>> = (0..400).map(|n| vec![0; 100_000 + n]).collect();
    let best = (0..20).fold(f64::INFINITY, |best, _| {
        best.min(time(1, || drop(black_box(profiler.snapshot()))))
    });
    black_box((kept, profiler.stop(&id).is_ok()));
    black_box(std::fs::remove_dir_all(&folder).is_ok());
    best / 1e6
}

/// A sample that ends a block, with three days of blocks before it: the costliest check there is.
fn detector(rounds: usize) -> Vec<Case> {
    let mut best = f64::INFINITY;
    for round in 0..(rounds / 10).min(30) as u64 {
        let mut detector = LeakDetector::new(LeakRules::default());
        for place in 0..160_u64 {
            let wobble = place.wrapping_mul(2_654_435_761 + round) % 4_096;
            let sample = LeakSample {
                at: Duration::from_secs(place * 1_800),
                allocated: ByteSize::from_kib(300_000 + place * 90 + wobble),
                accounted: ByteSize::ZERO,
                resident: Some(ByteSize::from_kib(400_000 + place * 110 + wobble)),
                load: Some(50.0 + wobble as f64 / 500.0),
            };
            let took = time(1, || {
                black_box(detector.observe(&sample));
            });
            if place == 159 {
                best = best.min(took);
            }
        }
    }
    let looked = CallSites::watch().map_or(f64::NAN, |sites| {
        let kept: Vec<Vec<u8>> = (0..20_000).map(|n| vec![0; 20_000 + n % 50]).collect();
        let best = (0..rounds.min(50)).fold(f64::INFINITY, |best, _| {
            best.min(time(1, || {
                drop(black_box(
                    sites.tick(ByteSize::from_mib(400), &SiteRules::default()),
                ));
            }))
        });
        drop(kept);
        best
    });
    vec![
        Case::allowed("trend-check", best / 1e6, 10.0, "ms"),
        Case::allowed("call-site-check", looked / 1e6, 10.0, "ms"),
    ]
}

/// What a full detector, 2,000 series and the samples of a heap of some hundred MiB take.
fn own_memory() -> Case {
    let readings = Readings::of_this_process();
    let allocated = || {
        readings
            .heap()
            .map_or(0.0, |heap| heap.allocated.bytes() as f64)
    };
    let before = allocated();
    let mut detector = LeakDetector::new(LeakRules::default());
    for place in 0..160_u64 {
        detector.observe(&LeakSample {
            at: Duration::from_secs(place * 1_800),
            allocated: ByteSize::from_mib(300),
            accounted: ByteSize::ZERO,
            resident: None,
            load: None,
        });
    }
    let registry = Registry::new();
    let mut handles = Vec::new();
    if let Ok(family) = registry.counter("bench_own_total", "Own.", &["route"]) {
        let family = family.with_series_max(2_000);
        for place in 0..2_000 {
            handles.extend(family.with(&[&format!("/route/{place}")]));
        }
    }
    let sites = CallSites::watch();
    let held_before = allocated();
    let kept: Vec<Vec<u8>> = (0..20_000).map(|n| vec![0; 20_000 + n % 50]).collect();
    let with_samples = allocated();
    let kept_bytes: usize = kept.iter().map(Vec::capacity).sum();
    // What was allocated less what the program keeps: sizes are rounded up by the allocator, which is no one's of ours.
    let rounded = kept_bytes as f64 * 20_480.0 / 20_025.0 + 20_000.0 * 24.0;
    let samples = (with_samples - held_before - rounded).max(0.0);
    let own = (held_before - before + samples) / 1_048_576.0;
    black_box((&detector, &handles, &sites, &kept));
    Case::allowed("own-memory", own, 8.0, "MiB")
}
