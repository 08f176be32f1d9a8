//! A tree of a million projects behind the real service: memory while it is read, and the time to the first byte.
//!
//! `cargo xtask bench service` and `cargo xtask ceilings` run it, after building `rsr`. With `--ceilings` it prints the
//! lines of that command, else rows of the bench; `--quick` takes a tenth of the tree. Memory is what the process's
//! resident set reaches beyond what it was before the read, as the kernel counts it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on says so, and prints figures to a few digits"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rsr_base::{ByteSize, read_text_at_most, system_clock};
use rsr_testkit::{Bench, Forest, PostgresDatabase};
use rsr_tests::serving::Server;
use rsr_tests::{run, run_expecting};

/// Bytes that a read may take beyond what the idle service holds.
const ABOVE_IDLE: u64 = 8 << 20;
/// Milliseconds to the first byte of a warm service.
const FIRST_BYTE_MS: f64 = 20.0;
/// Requests whose median first byte counts.
const TRIALS: usize = 21;
/// What stands once in each element and line.
const MARK: &[u8] = b"\"children_count\":";

fn main() {
    let is_ceilings = std::env::args().any(|argument| argument == "--ceilings");
    let bench = Bench::from_args("service");
    let forest = if bench.is_quick() {
        Forest::short()
    } else {
        Forest::full()
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("forest.db").display());
    let sqlite = Served {
        folder: folder.path(),
        url: &url,
        forest,
        report: Report::of(&bench, is_ceilings, &SQLITE),
    };
    sqlite.fill(|| {
        let connection = rusqlite::Connection::open(folder.path().join("forest.db")).unwrap();
        connection.execute_batch(&forest.sqlite()).unwrap();
    });
    sqlite.measure();

    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let url = database.url();
    let postgres = Served {
        folder: folder.path(),
        url: &url,
        forest,
        report: Report::of(&bench, is_ceilings, &POSTGRES),
    };
    postgres.fill(|| {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client.batch_execute(&forest.postgres()).unwrap();
    });
    postgres.measure();
}

/// The names of one engine's cases.
struct Cases {
    first_child: &'static str,
    first_line: &'static str,
    pages: &'static str,
    answer: &'static str,
    stream: &'static str,
}

const SQLITE: Cases = Cases {
    first_child: "sqlite-children-first-byte",
    first_line: "sqlite-stream-first-byte",
    pages: "sqlite-children-memory",
    answer: "sqlite-answer-memory",
    stream: "sqlite-stream-memory",
};

const POSTGRES: Cases = Cases {
    first_child: "postgres-children-first-byte",
    first_line: "postgres-stream-first-byte",
    pages: "postgres-children-memory",
    answer: "postgres-answer-memory",
    stream: "postgres-stream-memory",
};

/// Where figures go.
struct Report<'a> {
    bench: &'a Bench,
    is_ceilings: bool,
    cases: &'a Cases,
}

impl<'a> Report<'a> {
    fn of(bench: &'a Bench, is_ceilings: bool, cases: &'a Cases) -> Self {
        Self {
            bench,
            is_ceilings,
            cases,
        }
    }

    fn memory(&self, case: &'static str, n: u64, above_idle: u64) {
        if self.is_ceilings {
            println!(
                r#"{{"scenario":"{case}","n":{n},"peak_bytes":{above_idle},"limit_bytes":{ABOVE_IDLE}}}"#
            );
        } else {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            // What takes no page at all is still a ratio.
            let above_idle = mib(above_idle).max(0.001);
            self.bench
                .less(case, "limit", "MiB", above_idle, mib(ABOVE_IDLE));
        }
    }
}

/// A tree behind a service.
struct Served<'a> {
    folder: &'a Path,
    url: &'a str,
    forest: Forest,
    report: Report<'a>,
}

impl Served<'_> {
    /// Makes the schema, lets `fill` put the projects there, and numbers the tree.
    fn fill(&self, fill: impl FnOnce()) {
        run_expecting(
            self.folder,
            0,
            ["database", "migrate", "--database", self.url],
        );
        fill();
        let check = ["project", "check", "--fix", "--database", self.url];
        let said = run(self.folder, check);
        // It finds the chain to be deeper than roll-ups go.
        assert!(matches!(said.code, 0 | 1), "{} {}", said.out, said.err);
    }

    fn start(&self, elements_max: u64) -> Server {
        let limit = (
            "RSR_MAX_DESCENDANTS_PER_REQUEST".to_owned(),
            elements_max.to_string(),
        );
        let server = Server::start_with(self.folder, &["--database", self.url], [limit]);
        // Warm: connections, statements, pages of the top of each index.
        for _round in 0..3 {
            for path in [self.children("?limit=20"), "/health/ready".to_owned()] {
                assert_eq!(server.get(&path).status, 200, "{path}");
            }
            assert!(first_byte(&server, &self.stream()).is_some(), "it streams");
            assert!(
                first_byte(&server, &self.children("")).is_some(),
                "it answers"
            );
        }
        settle(&server);
        server
    }

    fn children(&self, query: &str) -> String {
        format!("/api/v1/projects/{}/children/{query}", Forest::WIDE)
    }

    fn stream(&self) -> String {
        "/api/v1/projects/1/descendants/".to_owned()
    }

    fn measure(&self) {
        let Forest {
            n_projects, n_wide, ..
        } = self.forest;
        let cases = self.report.cases;
        let server = self.start(1_000);
        if !self.report.is_ceilings {
            for (case, path) in [
                (cases.first_child, self.children("")),
                (cases.first_line, self.stream()),
            ] {
                let mut all: Vec<f64> = Vec::new();
                while all.len() < TRIALS {
                    settle(&server);
                    all.extend(first_byte(&server, &path).map(|time| time.as_secs_f64() * 1e3));
                }
                all.sort_by(f64::total_cmp);
                let bench = self.report.bench;
                bench.less(case, "limit", "ms", all[TRIALS / 2], FIRST_BYTE_MS);
            }
        }
        let above = above_idle(&server, || {
            let mut path = self.children("");
            let mut n = 0;
            loop {
                let (head, found) = read(&server, &path);
                n += found;
                let Some(next) = next_page(&head) else { break };
                path = next;
            }
            assert_eq!(n, n_wide, "every child once");
        });
        self.report.memory(cases.pages, n_wide, above);
        let above = above_idle(&server, || {
            let (_head, n) = read(&server, &self.stream());
            assert_eq!(n, n_projects - 1, "every descendant once");
        });
        self.report.memory(cases.stream, n_projects - 1, above);
        drop(server);

        let server = self.start(n_wide);
        let above = above_idle(&server, || {
            let (_head, n) = read(&server, &self.children(""));
            assert_eq!(n, n_wide, "every child in one answer");
        });
        self.report.memory(cases.answer, n_wide, above);
    }
}

/// Bytes by which the resident set of the service grows while something is done.
fn above_idle(server: &Server, work: impl FnOnce()) -> u64 {
    let idle = settle(server);
    // Lets the kernel begin a new high-water mark.
    fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    work();
    status(server, "VmHWM:").saturating_sub(idle)
}

/// Waits until no stream is under way and answers the resident set.
fn settle(server: &Server) -> u64 {
    while !server
        .get("/metrics")
        .body
        .lines()
        .any(|line| line == "rsr_database_connections{state=\"used\"} 0")
    {
        std::thread::yield_now();
    }
    status(server, "VmRSS:")
}

/// A line of the process's status, in bytes.
fn status(server: &Server, name: &str) -> u64 {
    let file = fs::File::open(format!("/proc/{}/status", server.pid())).unwrap();
    let text = read_text_at_most(file, ByteSize::from_mib(1)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() << 10
}

/// Sends a request whose answer ends with the connection, so that nothing stands between the body's bytes.
fn ask(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.connect();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Reads the answer's head; answers it with what came of the body.
fn head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = end {
            let body = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap(), body);
        }
        assert!(n > 0, "an answer without a head");
    }
}

/// The time to the first byte of a body, then hangs up; `None` where no stream was free yet.
fn first_byte(server: &Server, path: &str) -> Option<Duration> {
    let clock = system_clock();
    let start = clock.elapsed();
    let mut stream = ask(server, path);
    let (head, mut body) = head(&mut stream);
    if head.starts_with("HTTP/1.0 503") {
        return None;
    }
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    if body.is_empty() {
        body.resize(1, 0);
        stream.read_exact(&mut body).unwrap();
    }
    Some(clock.elapsed() - start)
}

/// Reads an answer to its end and keeps nothing of it; answers its head and how many projects it showed.
fn read(server: &Server, path: &str) -> (String, u64) {
    let mut stream = ask(server, path);
    let (head, mut text) = head(&mut stream);
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let mut buffer = vec![0; 1 << 16];
    let mut n_found = 0;
    loop {
        let found = text.windows(MARK.len()).filter(|part| *part == MARK);
        n_found += found.count() as u64;
        // A mark may lie across two reads; what is left is shorter than one.
        let keep = text.len().min(MARK.len() - 1);
        text.drain(..text.len() - keep);
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            return (head, n_found);
        }
        text.extend_from_slice(&buffer[..n]);
    }
}

/// The path behind `rel="next"`.
fn next_page(head: &str) -> Option<String> {
    let link = head.lines().find(|line| line.starts_with("link: <"))?;
    let path = link.strip_prefix("link: <")?.split('>').next()?;
    Some(path.to_owned())
}
