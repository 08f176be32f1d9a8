//! Clients that go away in the middle of whatever they were at.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rsr_base::{Clock as _, SystemClock};
use rsr_testkit::Seeded;
use rsr_tests::serving::Server;

use super::files::filled;
use super::pass;
use super::place::{PATIENCE, Place, each_round};

/// Clients of one round.
const CLIENTS: u32 = 60;

#[test]
fn on_sqlite() {
    story(Place::sqlite());
}

#[test]
fn on_postgresql() {
    if let Some(place) = Place::postgresql() {
        story(place);
    }
}

fn story(place: Place) {
    let place = filled(place);
    let before = place.export("before");
    let server = Server::start_with(place.folder(), &[], place.variables());
    for path in ["/api/v1/projects/1/", "/api/v1/iati/activities.xml"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let n_open = n_open_files(&server);
    each_round("closed sockets", place.name, |_nth, random, what| {
        for _client in 0..CLIENTS {
            leave(server.address(), random);
        }
        let clock = SystemClock::new();
        // One more is the connection that asks.
        while n_open_files(&server) > n_open + 1 || !is_idle(&server) {
            assert!(
                clock.elapsed() < PATIENCE,
                "{what}: {} files are open, {n_open} were before",
                n_open_files(&server)
            );
            pass(&clock, Duration::from_millis(20));
        }
        assert_eq!(server.get("/health/live").status, 200, "{what}");
        true
    });
    assert_eq!(server.stop().0, 0, "it stops cleanly");
    assert!(
        place.export("after") == before,
        "half a request changes nothing"
    );
    place.settle("after all");
}

/// Comes, says a part of something, and goes.
fn leave(address: &str, random: &mut Seeded) {
    let body = r#"{"title":"half"}"#;
    let requests = [
        String::new(),
        format!("GET /api/v1/projects/1/ HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!(
            "PATCH /api/v1/projects/1/ HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len() + 1
        ),
        format!("GET /api/v1/iati/activities.xml HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET /api/v1/projects/1/descendants/ HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    ];
    let request = random.pick(&requests).as_bytes();
    let said = usize::try_from(random.below(request.len() as u64 + 1)).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    // A service may close first.
    drop(stream.write_all(&request[..said]));
    if said == request.len() && random.one_in(2) {
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut some = [0_u8; 100];
        drop(stream.read(&mut some));
    }
}

fn n_open_files(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count()
}

/// Whether the question itself is the only request it is at.
fn is_idle(server: &Server) -> bool {
    let metrics = server.get("/metrics/").body;
    let in_flight = metrics
        .lines()
        .find_map(|line| line.strip_prefix("rsr_requests_in_flight "));
    in_flight.is_some_and(|n| n == "0" || n == "1")
}
