//! The service on real sockets: readers that are slow or gone, clients that never finish, administration, stopping.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rsr_service::client::{Client, Error};
use rsr_service::{Addresses, ServeError, Service, serve};
use rsr_store::NewProject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{Waiting, World, ask};

/// A world that listens.
pub(crate) struct Running<W = World> {
    world: W,
    addresses: Addresses,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl<W: Borrow<World>> Running<W> {
    pub(crate) async fn start(world: W) -> Self {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(
            world.borrow().service.clone(),
            |addresses| ready.send(addresses.clone()).expect("the test waits"),
            async {
                let _stop_or_gone = stopped.await;
            },
        );
        let ended = tokio::spawn(serving);
        Self {
            addresses: is_ready.await.expect("it starts"),
            world,
            stop,
            ended,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses.http).await.unwrap()
    }

    /// Sends a request as it is, and reads until the other side closes.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) async fn end(self) {
        self.stop.send(()).expect("it still serves");
        self.ended.await.unwrap().unwrap();
        assert!(
            !self.addresses.admin_socket.exists(),
            "the socket goes with the service"
        );
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// A root with children whose titles fill every buffer between here and a reader that does not read.
fn large(world: &World) -> String {
    let root = world.plant(&[None])[0];
    world
        .store
        .write(|tx| {
            for _child in 0..500 {
                tx.create_project(&NewProject {
                    parent: Some(root),
                    title: "long ".repeat(10_000),
                    is_published: true,
                    ..NewProject::default()
                })?;
            }
            Ok(())
        })
        .unwrap_or_else(|error: rsr_store::Error| panic!("{error}"));
    format!("/api/v1/projects/{root}/descendants/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_on_its_socket_and_ends_when_told() {
    let running = Running::start(World::new()).await;
    let answer = running.raw(&get("/health/ready")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_client_sees_the_running_service() {
    let running = Running::start(World::new()).await;
    let client = Client::new(&running.addresses.admin_socket);
    let answer = client
        .request(Method::GET, "/admin/v1/caches/", None)
        .await
        .unwrap();
    assert!(answer.is_success());
    assert_eq!(answer.body["_global"]["total_caches"], 3);
    let unknown = client
        .request(Method::GET, "/admin/v1/caches/?name=x", None)
        .await
        .unwrap();
    assert_eq!(unknown.status, 404);
    assert!(unknown.refusal().unwrap().contains("project-summaries"));
    let socket = running.addresses.admin_socket.clone();
    running.end().await;
    let gone = Client::new(socket)
        .request(Method::GET, "/", None)
        .await
        .unwrap_err();
    assert!(matches!(gone, Error::NotRunning { .. }), "{gone}");
    assert!(
        gone.to_string().contains("rsr serve"),
        "it says how to start one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_service_is_refused_while_the_first_lives() {
    let running = Running::start(World::new()).await;
    let second = serve(
        running.world.service.clone(),
        |_addresses| {},
        std::future::pending(),
    )
    .await;
    assert!(matches!(second, Err(ServeError::Socket(_))), "{second:?}");
    assert!(
        running
            .raw(&get("/health/live"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    running.end().await;
}

#[test]
fn a_reader_that_hangs_up_frees_its_stream() {
    reader_that_hangs_up_frees_its_stream(World::with);
}

#[test]
fn a_reader_that_hangs_up_frees_its_stream_over_postgres() {
    reader_that_hangs_up_frees_its_stream(World::over_postgres);
}

fn reader_that_hangs_up_frees_its_stream(make: impl FnOnce(&[(&str, &str)]) -> World) {
    let world = Waiting::new(make(&[
        ("RSR_MAX_STREAMS", "1"),
        ("RSR_API_TOKEN", "s3same"),
    ]));
    let path = large(&world);
    world.wait(async {
        let running = Running::start(&*world).await;
        let mut reader = running.connect().await;
        reader.write_all(get(&path).as_bytes()).await.unwrap();
        let mut some = [0; 1024];
        reader.read_exact(&mut some).await.unwrap();
        let refused = running.raw(&get(&path)).await;
        assert!(
            refused.starts_with("HTTP/1.1 503"),
            "the one stream is taken: {refused}"
        );
        assert!(
            refused.to_ascii_lowercase().contains("retry-after:"),
            "{refused}"
        );
        assert!(
            running
                .raw(&get("/health/live"))
                .await
                .starts_with("HTTP/1.1 200")
        );
        let metrics = running.raw(&get("/metrics")).await;
        assert!(
            metrics.contains("rsr_requests_shed_total{reason=\"busy\"} 1"),
            "a refusal of a handler counts too"
        );
        drop(reader);
        // The thread learns of it at its next write; until then the place is taken.
        let mut again = running.raw(&get(&path)).await;
        while again.starts_with("HTTP/1.1 503") {
            again = running.raw(&get(&path)).await;
        }
        assert!(again.starts_with("HTTP/1.1 200"), "{again:.100}");
        running.end().await;
    });
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    reader_that_takes_nothing_is_given_up(World::with);
}

#[test]
fn a_reader_that_takes_nothing_is_given_up_over_postgres() {
    reader_that_takes_nothing_is_given_up(World::over_postgres);
}

fn reader_that_takes_nothing_is_given_up(make: impl FnOnce(&[(&str, &str)]) -> World) {
    let world = Waiting::new(make(&[("RSR_STREAM_TIMEOUT", "200ms")]));
    let path = large(&world);
    world.wait(async {
        let running = Running::start(&*world).await;
        let mut reader = running.connect().await;
        reader.write_all(get(&path).as_bytes()).await.unwrap();
        // The stream's connection to the database is given back once the reader counts as gone.
        let is_idle = async {
            while running.world.store.readers().n_used > 0 {
                tokio::task::yield_now().await;
            }
        };
        let begins = async {
            while running.world.store.readers().n_used == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), begins)
            .await
            .expect("the stream begins");
        tokio::time::timeout(Duration::from_secs(30), is_idle)
            .await
            .expect("the stream is given up");
        drop(reader);
        running.end().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_ends_its_head_is_closed() {
    let running = Running::start(World::with(&[("RSR_HEADER_TIMEOUT", "100ms")])).await;
    let answer = running.raw("GET / HTTP/1.1\r\nhost: ").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_no_route_sees_are_refused_as_problems_too() {
    let running = Running::start(World::new()).await;
    let large = "x".repeat(100 << 10);
    let many = "x-a: 1\r\n".repeat(200);
    for (head, status, slug) in [
        (
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-large: {large}\r\n\r\n"),
            431,
            "head-too-large",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
            431,
            "head-too-large",
        ),
        ("GET / HTTP/9.7\r\n\r\n".to_owned(), 400, "not-http"),
        (
            "GET / HTTP/1.1\r\nbad header: 1\r\n\r\n".to_owned(),
            400,
            "not-http",
        ),
        (
            "\u{1}\u{2}\u{3} nonsense\r\n\r\n".to_owned(),
            400,
            "not-http",
        ),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["type"], format!("urn:rsr:problem:{slug}"));
        assert_eq!(problem["status"], status);
        assert!(answer.contains(problem["request_id"].as_str().unwrap()));
    }
    assert!(
        running
            .raw(&get("/health/live"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_while_it_stops_is_told_that_it_is_not_ready() {
    let running = Running::start(World::with(&[("RSR_GRACE_TIME", "60")])).await;
    let path = large(&running.world);
    let mut reader = running.connect().await;
    reader.write_all(get(&path).as_bytes()).await.unwrap();
    let mut first = vec![0; 64];
    reader.read_exact(&mut first).await.unwrap();
    running.stop.send(()).unwrap();
    let address = running.addresses.http;
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(get("/health/ready").as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut answer = ask().await;
    for _try in 0..100 {
        if answer.starts_with("HTTP/1.1 503") {
            break;
        }
        answer = ask().await;
    }
    assert!(answer.contains("the service is stopping"), "{answer}");
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert!(
        !String::from_utf8_lossy(&rest).contains("urn:rsr:problem:stopping"),
        "a stream that is read ends within the grace time"
    );
    running.ended.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody is let in any more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_cuts_a_stream_with_a_line_that_says_so() {
    let world = World::with(&[("RSR_GRACE_TIME", "0")]);
    let path = large(&world);
    let running = Running::start(world).await;
    let mut reader = running.connect().await;
    reader.write_all(get(&path).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("children_count") {
        assert_ne!(reader.read_buf(&mut answer).await.unwrap(), 0);
    }
    running.stop.send(()).unwrap();
    reader.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(
        text.contains("{\"error\":{"),
        "the last line says why: …{:.300}",
        text.chars().rev().take(300).collect::<String>()
    );
    assert!(text.contains("urn:rsr:problem:stopping"));
    running.ended.await.unwrap().unwrap();

    // Another process goes on where this one stopped.
    let last = text
        .lines()
        .find(|line| line.contains("{\"error\":{"))
        .unwrap();
    let (_, last) = last.split_at(last.find('{').unwrap());
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    let next = last["next"].as_str().expect("a way on");
    assert!(next.starts_with(&format!("{path}?cursor=")), "{next}");
    let n_before = text.matches("\"children_count\"").count();
    let World {
        live, store, clock, ..
    } = &running.world;
    let again = Service::new(Arc::clone(live), store.clone(), Arc::new(clock.clone()));
    let rest = ask(again.router(), Method::GET, next, &[], "").await;
    assert_eq!(rest.status, 200, "{}", rest.text());
    let whole = ask(again.router(), Method::GET, &path, &[], "").await;
    let (rest, whole) = (rest.text(), whole.text());
    assert!(whole.ends_with(&rest), "the rest is the end of the whole");
    assert_eq!(n_before + rest.lines().count(), whole.lines().count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listening_beyond_this_machine_needs_a_token() {
    let open = rsr_settings::Inputs::from_environment([("RSR_LISTEN", "0.0.0.0:0")]);
    match rsr_settings::load(&open) {
        Err(refused) => assert!(refused.to_string().contains("api_token"), "{refused}"),
        Ok(_) => panic!("settings without a token are refused"),
    }
}
