//! What attackers send: two requests that look like one, paths out of the tree, heads without an end.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rsr_base::{ByteSize, read_at_most, system_clock};
use rsr_tests::run_expecting;
use rsr_tests::serving::Server;

/// Bytes on the wire, and how many answers may come at most. A second answer to what a proxy takes for one request is a
/// request smuggled past it.
const SMUGGLED: [(&str, &str, usize); 12] = [
    (
        "two lengths",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 40\r\n\r\nhelloGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "length and chunks",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a coding that is none",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "chunks not last",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "space before the colon",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a folded line",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a length with a sign",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhelloGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a length beyond counting",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551621\r\n\r\nhelloGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a chunk beyond counting",
        "POST /api/v1/projects/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    (
        "a null in a name",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nX\0Y: z\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        1,
    ),
    ("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1),
    (
        "no protocol at all",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        1,
    ),
];

fn answers(server: &Server, sent: &[u8]) -> Vec<u8> {
    let mut stream = server.connect();
    // What keeps the connection open says nothing more after that.
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // The server may close before all is written: what it answered counts.
    let _was_taken = stream.write_all(sent).is_ok();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
    bytes
}

#[test]
fn one_request_is_never_two() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (what, sent, n_max) in SMUGGLED {
        let bytes = answers(&server, sent.as_bytes());
        let text = String::from_utf8_lossy(&bytes);
        let n_answers = text.matches("HTTP/1.1 ").count();
        assert!(n_answers <= n_max, "{what}: {text}");
        assert!(
            !text.contains("\"live\""),
            "{what}: the second was answered: {text}"
        );
        assert!(!text.starts_with("HTTP/1.1 5"), "{what}: {text}");
        assert_eq!(server.get("/health/live").status, 200, "{what}");
    }
}

#[test]
fn no_path_leads_out_of_the_tree_and_no_text_becomes_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for path in [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/api/v1/projects/../../../admin/v1/memory/",
        "/admin/v1/memory/",
        "/debug/pprof/heap",
        "/api/v1/projects/1/children/%0d%0aX-Evil:%20yes",
        "/./metrics/",
        "http://127.0.0.1/admin/v1/memory/",
        "/%",
        "/\u{e9}",
        "*",
    ] {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let bytes = answers(&server, sent.as_bytes());
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let is_refused = ["http/1.1 404", "http/1.1 400"]
            .iter()
            .any(|start| text.starts_with(start));
        assert!(is_refused, "{path}: {text}");
        assert!(!text.contains("root:"), "{path}");
        assert!(!text.contains("\r\nx-evil"), "{path}: {text}");
    }
}

#[test]
fn a_head_without_an_end_is_given_up_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("RSR_HEADER_TIMEOUT".to_owned(), "1".to_owned())];
    let server = Server::start_with(folder.path(), &[], variables);
    let clock = system_clock();
    let mut slow: Vec<_> = (0..40).map(|_nth| server.connect()).collect();
    for stream in &mut slow {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
            .unwrap();
    }
    // Others are answered meanwhile.
    assert_eq!(server.get("/health/live").status, 200);
    for stream in &mut slow {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let left = read_at_most(&*stream, ByteSize::from_mib(1));
        let text = left.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // Closed, with or without a word.
        let is_closed = text.as_ref().map_or(true, |text| {
            text.is_empty() || text.starts_with("HTTP/1.1 408")
        });
        assert!(is_closed, "{text:?} after {:?}", clock.elapsed());
    }
    // A head that never ends but comes fast is cut by its size.
    let endless = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}",
        "X-A: b\r\n".repeat(20_000)
    );
    let bytes = answers(&server, endless.as_bytes());
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.is_empty() || text.starts_with("HTTP/1.1 431"),
        "{text}"
    );
    assert_eq!(server.get("/health/live").status, 200);
}

#[test]
fn what_the_service_makes_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    let variables = [
        ("RSR_PROFILING_ENABLED".to_owned(), "true".to_owned()),
        (
            "RSR_PROFILING_OUTPUT_DIR".to_owned(),
            profiles.display().to_string(),
        ),
    ];
    let _server = Server::start_with(folder.path(), &[], variables);
    run_expecting(folder.path(), 0, ["memory", "start-profiling"]);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let socket = folder.path().join("rsr/admin.sock");
    assert_eq!(mode(&socket), 0o600, "the socket");
    assert_eq!(mode(socket.parent().unwrap()), 0o700, "its folder");
    assert_eq!(mode(&profiles), 0o700, "the profiles");
}
