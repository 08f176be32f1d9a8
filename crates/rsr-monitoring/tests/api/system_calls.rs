//! The layer asks the system for nothing: seen by the kernel, which kills whoever does.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use rsr_monitoring::{MeasureLayer, Readings, Vitals};
use rsr_testkit::{ManualClock, left_out};
use rustix::thread::{SecureComputingMode, set_secure_computing_mode};
use tower_layer::Layer;
use tower_service::Service;

const IS_CONFINED: &str = "RSR_TEST_CONFINED";
const NAME: &str = "system_calls::a_measured_request_makes_none";
const DONE: &str = "done without a system call";
const NOT_CONFINED: &str = "not confined: ";
const THREAD: &str = "the thread is ";
/// Lines of the child that nobody has looked at yet.
const LINES_AHEAD_MAX: usize = 16;
/// How often it is looked whether the thread lives.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

#[test]
fn a_measured_request_makes_none() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runner passes on no other word of a parent to its child"
    )]
    let is_confined = std::env::var_os(IS_CONFINED).is_some();
    if is_confined {
        confined();
    }
    // A process of its own, since the kernel kills all of it.
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(IS_CONFINED, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, said) = sync_channel(LINES_AHEAD_MAX);
    let out = BufReader::new(child.stdout.take().unwrap());
    let listener = thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
    let mut confined = None;
    let outcome = loop {
        match said.recv_timeout(LOOKS_EVERY) {
            Ok(line) if line.contains(DONE) || line.contains(NOT_CONFINED) => break Ok(line),
            Ok(line) => {
                let thread = line.split_once(THREAD).map(|(_before, id)| id.to_owned());
                confined = confined.or(thread);
            }
            Err(RecvTimeoutError::Disconnected) => break Err("it ended"),
            // The kernel kills the thread alone, and the others wait for it.
            Err(RecvTimeoutError::Timeout) => {
                let path = |thread: &String| format!("/proc/{}/task/{thread}", child.id());
                if confined
                    .as_ref()
                    .is_some_and(|thread| !Path::new(&path(thread)).exists())
                {
                    break Err("the kernel killed its thread");
                }
            }
        }
    };
    // It waits for this: under its rules it cannot even end by itself.
    child.kill().unwrap();
    child.wait().unwrap();
    drop(said);
    listener.join().unwrap();
    match outcome {
        Ok(line) if line.contains(NOT_CONFINED) => {
            left_out(&format!("system calls of the layer: {line}"));
        }
        Ok(_) => {}
        Err(what) => panic!("a measured request called the system: {what}"),
    }
}

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

fn done<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits here"),
    }
}

/// Serves requests while the kernel lets this thread read and write what is open, and nothing else.
fn confined() -> ! {
    let vitals = Vitals::new();
    vitals.refresh(&Readings::of_this_process());
    // The machine's clock is read from a page that the kernel shares, which these rules forbid too.
    let clock = Arc::new(ManualClock::new());
    let layer = MeasureLayer::with_headers("X-RSR-Memory", (), vitals, clock).unwrap();
    layer.switches().set_detailed(true);
    let mut service = layer.layer(Trivial);
    let mut serve = |n: usize| {
        for _ in 0..n {
            let response = done(service.call(Request::new(()))).unwrap();
            assert!(response.headers().len() > 5, "the headers are there");
            drop(done(response.into_body().collect()).unwrap());
        }
    };
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let say = |text: &str| rustix::io::write(stdout.as_fd(), text.as_bytes());
    // What is made once on a thread is there then, the allocator's first pages among it.
    serve(1_000);
    let id = rustix::thread::gettid().as_raw_nonzero();
    let _told = say(&format!("{THREAD}{id}\n"));
    if let Err(error) = set_secure_computing_mode(SecureComputingMode::Strict) {
        let _told = say(&format!("{NOT_CONFINED}{error}\n"));
    } else {
        serve(10_000);
        let _told = say(&format!("{DONE}\n"));
    }
    let mut nothing = [0; 1];
    loop {
        let _killed = rustix::io::read(stdin.as_fd(), &mut nothing);
    }
}
