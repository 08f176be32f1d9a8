//! Requests measured by the layer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use rsr_base::ByteSize;
use rsr_monitoring::{MeasureLayer, Measurement, Observe, Readings, Scope, Vitals};
use rsr_testkit::ManualClock;
use tower_layer::Layer;
use tower_service::Service;

const BLOCK: usize = 64 << 10;

fn block(n: usize) -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(n * BLOCK))
}

/// Remembers each request's path and measurement.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, Measurement)>>>);

impl Observe for Log {
    type Subject = String;

    fn started<B>(&self, request: &Request<B>) -> String {
        request.uri().path().to_owned()
    }

    fn finished(&self, path: String, measurement: &Measurement) {
        self.0.lock().unwrap().push((path, *measurement));
    }
}

impl Log {
    #[track_caller]
    fn of(&self, path: &str) -> Measurement {
        let log = self.0.lock().unwrap();
        let found: Vec<_> = log.iter().filter(|(known, _)| known == path).collect();
        assert_eq!(found.len(), 1, "{path} is told once");
        found[0].1
    }
}

/// A service made of a function.
#[derive(Clone)]
struct Handler<F>(F);

impl<F, Fut, R> Service<Request<()>> for Handler<F>
where
    F: FnMut(Request<()>) -> Fut,
    Fut: Future<Output = Response<R>> + Send + 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let future = (self.0)(request);
        Box::pin(async move { Ok(future.await) })
    }
}

fn request(path: &str) -> Request<()> {
    Request::builder().uri(path).body(()).unwrap()
}

fn empty() -> Response<Full<Bytes>> {
    Response::new(Full::default())
}

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn finish<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    loop {
        if let Poll::Ready(output) = poll(&mut future) {
            return output;
        }
    }
}

/// Ready at the second poll.
async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new())
}

fn allocated(measurement: Measurement) -> usize {
    measurement.usage.allocated.unwrap().as_usize()
}

/// Beside its blocks a request allocates some hundred bytes for its future and its path.
const SMALL: usize = 4 << 10;

#[test]
fn requests_that_take_turns_do_not_see_each_other() {
    let log = Log::default();
    let layer = MeasureLayer::new(log.clone(), Vitals::new(), clock());
    let mut service = layer.layer(Handler(|request: Request<()>| async move {
        let (each, turns) = if request.uri().path() == "/large" {
            (16, 8)
        } else {
            (0, 8)
        };
        for _ in 0..turns {
            drop(block(each));
            yield_once().await;
        }
        empty()
    }));
    let mut large = Box::pin(service.call(request("/large")));
    let mut small = Box::pin(service.call(request("/small")));
    for _ in 0..8 {
        assert!(poll(&mut large).is_pending());
        assert!(poll(&mut small).is_pending());
    }
    assert!(poll(&mut large).is_ready());
    assert!(poll(&mut small).is_ready());
    assert_eq!(allocated(log.of("/large")) / SMALL, 8 * 16 * BLOCK / SMALL);
    assert!(allocated(log.of("/small")) < SMALL);
    let peak = log.of("/large").usage.peak.unwrap().as_usize();
    assert!(peak.abs_diff(16 * BLOCK) <= BLOCK, "{peak}");
}

struct Stream(usize);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; BLOCK])))))
    }
}

#[test]
fn a_streamed_body_counts_to_its_end() {
    let (log, clock) = (Log::default(), clock());
    let layer = MeasureLayer::new(log.clone(), Vitals::new(), clock.clone());
    let mut service = layer.layer(Handler(|_| async { Response::new(Stream(10)) }));
    let response = finish(service.call(request("/whole"))).unwrap();
    assert!(log.0.lock().unwrap().is_empty(), "not told before its end");
    clock.advance(Duration::from_secs(3));
    drop(finish(response.into_body().collect()).unwrap());
    let whole = log.of("/whole");
    assert!(allocated(whole) >= 10 * BLOCK);
    assert_eq!(whole.duration, Duration::from_secs(3));
    assert!(whole.is_complete);

    let mut body = finish(service.call(request("/cut"))).unwrap().into_body();
    drop(finish(body.frame()));
    drop(body);
    let cut = log.of("/cut");
    assert!((BLOCK..2 * BLOCK).contains(&allocated(cut)));
    assert_eq!(cut.status, Some(StatusCode::OK));
    assert!(!cut.is_complete);
}

#[test]
fn a_client_that_goes_is_told_too() {
    let log = Log::default();
    let layer = MeasureLayer::new(log.clone(), Vitals::new(), clock());
    let mut service = layer.layer(Handler(|_| async {
        let kept = block(4);
        yield_once().await;
        drop(kept);
        empty()
    }));
    let mut future = Box::pin(service.call(request("/gone")));
    assert!(poll(&mut future).is_pending());
    drop(future);
    let gone = log.of("/gone");
    assert_eq!(gone.status, None);
    // It also freed its own path, which was made before it came in.
    let retained = gone.usage.retained().unwrap();
    assert!(
        (-64..=0).contains(&retained),
        "what it held was freed in its name: {retained}"
    );
}

#[test]
fn headers_state_the_figures() {
    // The process holds a megabyte at least, whatever else runs beside.
    let held = block(16);
    let (vitals, clock) = (Vitals::new(), clock());
    vitals.refresh(&Readings::of_this_process());
    let layer = MeasureLayer::with_headers("X-RSR-Memory", (), vitals, clock.clone()).unwrap();
    let switches = layer.switches();
    let moved = clock.clone();
    let mut service = layer.layer(Handler(move |_| {
        moved.advance(Duration::from_millis(1500));
        async {
            std::hint::black_box(block(32)).clear();
            empty()
        }
    }));
    let mut headers = || {
        finish(service.call(request("/")))
            .unwrap()
            .headers()
            .clone()
    };
    let plain = headers();
    let text = |name: &str| {
        plain
            .get(format!("x-rsr-memory-{name}"))
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(text("duration-seconds"), Some("1.500000"));
    assert_eq!(text("monitoring-enabled"), Some("true"));
    let number = |name: &str| text(name).unwrap().parse::<f64>().unwrap();
    assert!((number("peak-mb") - 2.0).abs() < 0.07);
    assert!(number("before-mb") >= 1.0);
    drop(held);
    let moved = number("after-mb") - number("before-mb");
    assert!((moved - number("delta-mb")).abs() < 0.002 || moved.abs() < 1.0);
    assert!((0.0..=100.0).contains(&number("system-usage-percent")));
    assert_eq!(text("allocated-bytes"), None);

    switches.set_detailed(true);
    let detailed = headers();
    let allocated = detailed["x-rsr-memory-allocated-bytes"].to_str().unwrap();
    assert!(allocated.parse::<usize>().unwrap() >= 32 * BLOCK);
    assert_eq!(
        detailed.contains_key("x-rsr-memory-allocations"),
        cfg!(feature = "counting-allocator")
    );

    switches.set_on(false);
    assert!(headers().is_empty());
}

#[test]
fn a_prefix_that_is_no_header_is_refused() {
    for prefix in ["", "two words", "ü", "a:b"] {
        let made = MeasureLayer::with_headers(prefix, (), Vitals::new(), clock());
        assert!(made.is_err(), "{prefix:?}");
    }
}

#[test]
fn figures_that_are_not_known_have_no_header() {
    let layer = MeasureLayer::with_headers("X-M", (), Vitals::new(), clock()).unwrap();
    let mut service = layer.layer(Handler(|_| async { empty() }));
    let response = finish(service.call(request("/"))).unwrap();
    assert!(!response.headers().contains_key("x-m-before-mb"));
    assert!(!response.headers().contains_key("x-m-system-usage-percent"));
}

#[test]
fn migrating_tasks_are_counted_to_the_byte() {
    const TASKS: usize = 32;
    const TURNS: usize = 16;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let log = Log::default();
    let layer = MeasureLayer::new(log.clone(), Vitals::new(), clock());
    let service = layer.layer(Handler(|request: Request<()>| async move {
        let n: usize = request
            .uri()
            .path()
            .trim_start_matches('/')
            .parse()
            .unwrap();
        for _ in 0..TURNS {
            let made = block(1 + n % 4);
            tokio::task::yield_now().await;
            drop(made);
        }
        // Work for the request on another thread and in another task.
        let carried = tokio::task::spawn_blocking(Scope::carry(|| drop(block(8))));
        let spawned = tokio::spawn(Scope::carry_future(async { drop(block(8)) }));
        carried.await.unwrap();
        spawned.await.unwrap();
        empty()
    }));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let mut service = service.clone();
                tokio::spawn(async move {
                    drop(service.call(request(&format!("/{n}"))).await);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    for n in 0..TASKS {
        let expected = TURNS * (1 + n % 4) * BLOCK + 16 * BLOCK;
        let counted = allocated(log.of(&format!("/{n}")));
        assert!(
            (expected..expected + 2 * SMALL).contains(&counted),
            "request {n}: {counted} of {expected}"
        );
    }
}

#[test]
fn the_heap_follows_what_requests_leave_behind() {
    let vitals = Vitals::new();
    vitals.refresh(&Readings::of_this_process());
    let before = vitals.heap().unwrap();
    let layer = MeasureLayer::new((), vitals.clone(), clock());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    let mut service = layer.layer(Handler(move |_| {
        let keeper = Arc::clone(&keeper);
        async move {
            keeper.lock().unwrap().push(block(64));
            empty()
        }
    }));
    drop(finish(service.call(request("/"))));
    let grown = vitals.heap().unwrap() - before;
    assert!(grown >= ByteSize::from_bytes(64 * BLOCK as u64), "{grown}");
}

#[test]
fn what_was_told_at_the_head_is_settled_at_the_end() {
    const KIB: i64 = 1 << 10;
    let vitals = Vitals::new();
    vitals.refresh(&Readings::of_this_process());
    let held = || i64::try_from(vitals.heap().unwrap().bytes()).unwrap();
    let layer = MeasureLayer::new((), vitals.clone(), clock());
    let kept = Arc::new(Mutex::new(Vec::with_capacity(8)));
    let keeper = Arc::clone(&kept);
    let mut service = layer.layer(Handler(move |request: Request<()>| {
        let keeper = Arc::clone(&keeper);
        async move {
            let is_large = request.uri().path() == "/large";
            let n = if is_large { 3 << 10 } else { 1 << 10 };
            keeper.lock().unwrap().push(vec![0_u8; n]);
            Response::new(Full::<Bytes>::from(vec![0_u8; n]))
        }
    }));
    let before = held();
    let answer = finish(service.call(request("/large"))).unwrap();
    let at_head = held() - before;
    assert!((5 * KIB..8 * KIB).contains(&at_head), "{at_head}");
    // The body goes and what was kept stays.
    drop(answer);
    let at_end = held() - before;
    assert!((2 * KIB..4 * KIB).contains(&at_end), "{at_end}");
    drop(finish(service.call(request("/small"))));
    assert_eq!(held() - before, at_end, "too little to tell");
}

/// What one request over TCP is answered with: its head.
fn asked_over_tcp(address: std::net::SocketAddr) -> String {
    use std::io::Write;

    let mut connection = std::net::TcpStream::connect(address).unwrap();
    connection
        .write_all(b"GET /known HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let answer = rsr_base::read_at_most(connection, ByteSize::from_kib(64)).unwrap();
    String::from_utf8(answer).unwrap().to_ascii_lowercase()
}

#[test]
fn a_real_server_tells_a_known_allocation_to_the_byte() {
    let log = Log::default();
    let layer = MeasureLayer::with_headers("X-RSR-Memory", log.clone(), Vitals::new(), clock());
    let layer = layer.unwrap();
    layer.switches().set_detailed(true);
    // No more than the blocks, and what the boxed future takes.
    let service = layer.layer(Handler(|_| async {
        let passing = block(16);
        tokio::task::yield_now().await;
        drop(passing);
        empty()
    }));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || [asked_over_tcp(address), asked_over_tcp(address)]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    for _ in 0..2 {
        let (connection, _) = listener.accept().unwrap();
        connection.set_nonblocking(true).unwrap();
        let service = service.clone();
        let answer = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            service.clone().call(request.map(drop))
        });
        runtime.block_on(async {
            let connection = tokio::net::TcpStream::from_std(connection).unwrap();
            let connection = hyper_util::rt::TokioIo::new(connection);
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(connection, answer).await.unwrap();
        });
    }
    let heads = client.join().unwrap();
    let figure = |head: &str, name: &str| -> usize {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
            .trim()
            .parse()
            .unwrap()
    };
    let told = heads
        .each_ref()
        .map(|head| figure(head, "x-rsr-memory-allocated-bytes:"));
    assert_eq!(told[0], told[1], "the same request takes the same");
    let beside = told[0] - 16 * BLOCK;
    assert!(beside < SMALL, "{beside} beside the known bytes");
    assert!(
        heads[0].contains("\r\nx-rsr-memory-delta-mb: "),
        "{}",
        heads[0]
    );
    let all = log.0.lock().unwrap();
    let whole: Vec<_> = all
        .iter()
        .map(|(_, measurement)| allocated(*measurement))
        .collect();
    assert_eq!(whole.len(), 2);
    assert!(
        whole
            .iter()
            .all(|whole| *whole >= told[0] && *whole < told[0] + SMALL),
        "{whole:?} in the log, {told:?} in the heads"
    );
}
