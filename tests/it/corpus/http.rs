//! Every route with what no caller should send.

use rsr_base::system_clock;
use rsr_tests::run_expecting;
use rsr_tests::serving::{Response, Server};
use serde_json::{Value, json};

use super::{CASES_MIN, Outcome};

/// Longest time until an answer: longer is a hang.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(5);

/// Values of a query's parameter, coded as they go over the wire.
const QUERY: [&str; 16] = [
    "",
    "0",
    "-1",
    "1.5",
    "1e3",
    "NaN",
    "99999999999999999999999",
    "%00",
    "%ff%fe",
    "%",
    "%0d%0aX-Evil:%20yes",
    "..%2f..%2fetc%2fpasswd",
    "'%20OR%201=1;--",
    "true%26true",
    "%F0%9F%92%A9",
    "a%2Cb%2Cc",
];

/// Ids in a path.
const IDS: [&str; 11] = [
    "0",
    "-1",
    "abc",
    "9223372036854775807",
    "9223372036854775808",
    "1%2f2",
    "%00",
    "..",
    "%2e%2e",
    "1;2",
    "%ff",
];

fn bodies(schema: &Value) -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"no_such_field\": 1}",
        "{\"a\":",
        "\u{1}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("[".repeat(10_000));
    let fields = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for field in fields.keys() {
        for value in [
            json!(null),
            json!({}),
            json!([[]]),
            json!(-1),
            json!(1.0e300),
            json!(true),
            json!("\u{0}"),
            json!("x".repeat(20_000)),
            json!("\r\nX-Evil: yes"),
            json!("9".repeat(400)),
        ] {
            all.push(json!({ field: value }).to_string());
        }
        all.push(format!("{{\"{field}\": 1e999999}}"));
        all.push(format!("{{\"{field}\": 1, \"{field}\": 2}}"));
    }
    all
}

struct Asking<'s> {
    server: &'s Server,
    clock: rsr_base::SharedClock,
    outcome: Outcome,
    slowest: std::time::Duration,
}

impl Asking<'_> {
    fn ask(&mut self, method: &str, target: &str, headers: &str, body: &str, names: Option<&str>) {
        let length = body.len();
        let length = if body.is_empty() && method == "GET" {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
        };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}\r\n{body}"
        );
        let began = self.clock.elapsed();
        let answer = self.server.send(&request);
        let took = self.clock.elapsed().saturating_sub(began);
        self.slowest = self.slowest.max(took);
        let judged = judge(&answer, names);
        let shown: String = body.chars().take(60).collect();
        self.outcome.check(judged.is_none() && took < LONGEST, || {
            format!(
                "{method} {target} {headers:?} {shown:?}: {} after {took:?}: {}: {}",
                answer.status,
                judged.unwrap_or_default(),
                answer.body.chars().take(200).collect::<String>()
            )
        });
    }
}

/// What is wrong with an answer to bad input; `names` must be in it where it is refused as a bad parameter or field.
fn judge(answer: &Response, names: Option<&str>) -> Option<String> {
    let is_refusal = answer.status == 503 && !answer.header("retry-after").is_empty();
    if answer.status >= 500 && !is_refusal {
        return Some("an error of the service's own".to_owned());
    }
    if !answer.header("x-evil").is_empty() {
        return Some("a header of the caller's making".to_owned());
    }
    if answer.status < 400 {
        return None;
    }
    let Ok(problem) = serde_json::from_str::<Value>(&answer.body) else {
        return Some("no problem JSON".to_owned());
    };
    if problem["detail"].as_str().is_none_or(str::is_empty) {
        return Some("no detail".to_owned());
    }
    let named = names.is_none_or(|name| answer.body.contains(name));
    let must_name = problem["type"] == "urn:rsr:problem:invalid-parameter";
    (must_name && !named).then(|| format!("{} is not named", names.unwrap_or_default()))
}

#[test]
fn no_parameter_field_or_header_breaks_a_route() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(
        folder.path(),
        0,
        [
            "demo",
            "--once",
            "--projects",
            "20",
            "--listen",
            "127.0.0.1:0",
        ],
    );
    let server = Server::start(folder.path(), &[]);
    let api: Value = serde_json::from_str(&server.get("/api/openapi.json").body).unwrap();
    let mut asking = Asking {
        server: &server,
        clock: system_clock(),
        outcome: Outcome::default(),
        slowest: std::time::Duration::ZERO,
    };
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_ascii_uppercase();
            // What is deleted would not be there for the cases after it: other ids are tried, id 1 is not.
            let good = path.replace("{id}", if method == "DELETE" { "999999" } else { "1" });
            if path.contains("{id}") {
                for id in IDS {
                    asking.ask(&method, &path.replace("{id}", id), "", "", None);
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let Some(name) = parameter["name"]
                    .as_str()
                    .filter(|_| parameter["in"] == "query")
                else {
                    continue;
                };
                for value in QUERY {
                    asking.ask(
                        &method,
                        &format!("{good}?{name}={value}"),
                        "",
                        "",
                        Some(name),
                    );
                }
                asking.ask(
                    &method,
                    &format!("{good}?{name}=1&{name}=2"),
                    "",
                    "",
                    Some(name),
                );
            }
            asking.ask(
                &method,
                &format!("{good}?no_such_parameter=1"),
                "",
                "",
                Some("no_such_parameter"),
            );
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_object() {
                for body in bodies(schema) {
                    asking.ask(&method, &good, "", &body, None);
                }
            }
        }
    }
    let long = "a".repeat(7_000);
    for (name, value) in [
        ("Authorization", ""),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer \u{e9}"),
        ("Authorization", "Basic eDp5"),
        ("Authorization", &long),
        ("Accept-Encoding", "gzip;q=nonsense, zstd;q=-1, *;q=1e9"),
        ("Accept-Encoding", &long),
        ("If-None-Match", "\"\", W/, ,,*x"),
        ("If-None-Match", &long),
        ("Accept", "\u{1}"),
        ("Traceparent", "00-zz-zz-zz"),
        ("Traceparent", &long),
        ("X-Request-Id", "a b\tc"),
        ("X-Request-Id", &long),
        ("Range", "bytes=-1"),
        ("Expect", "200-maybe"),
        ("Cookie", &long),
        ("Content-Encoding", "gzip"),
        ("Upgrade", "h2c"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        for path in [
            "/",
            "/api/v1/projects/1/children/",
            "/metrics/",
            "/health/memory",
        ] {
            let value: String = value.chars().filter(|c| *c != '\u{1}').collect();
            asking.ask("GET", path, &format!("{name}: {value}\r\n"), "", None);
        }
    }
    assert_eq!(server.get("/health/live").status, 200);
    asking.outcome.end(CASES_MIN);
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
