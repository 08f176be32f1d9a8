//! What the service's own dashboards and rules ask, asked of a real Prometheus that scrapes the real service.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rsr_base::{ByteSize, read_at_most, system_clock};
use rsr_service::{alert_cases, provisioned_queries};
use rsr_tests::documents::read;
use rsr_tests::serving::{Server, ask};
use rsr_tests::{Said, rsr, run_expecting};
use serde_json::Value;

/// Longest wait for Prometheus to have seen enough.
const PATIENCE: Duration = Duration::from_secs(60);

fn is_there(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        rsr_testkit::left_out(&format!(
            "{tool} is not there: what it judges was not judged"
        ));
    }
    found
}

fn said(command: &mut Command) -> Said {
    command.output().unwrap().into()
}

/// A folder with what `rsr dashboards export` writes.
fn exported() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ["dashboards", "export", "monitoring"]);
    folder
}

#[test]
fn promtool_accepts_the_rules_and_every_alert_fires_and_is_quiet() {
    if !is_there("promtool") {
        return;
    }
    let folder = exported();
    let prometheus = folder.path().join("monitoring/prometheus");
    let checked = said(
        Command::new("promtool")
            .args(["check", "config", "prometheus.yml"])
            .current_dir(&prometheus),
    );
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);

    fs::write(prometheus.join("cases.yml"), alert_cases().unwrap()).unwrap();
    let tested = said(
        Command::new("promtool")
            .args(["test", "rules", "cases.yml"])
            .current_dir(&prometheus),
    );
    assert_eq!(tested.code, 0, "{}{}", tested.out, tested.err);
}

#[test]
fn amtool_accepts_the_routes() {
    if !is_there("amtool") {
        return;
    }
    let folder = exported();
    let file = folder
        .path()
        .join("monitoring/alertmanager/alertmanager.yml");
    let checked = said(Command::new("amtool").arg("check-config").arg(&file));
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    for (severity, receivers) in [
        ("critical", "pager,people"),
        ("warning", "people"),
        ("info", "log"),
    ] {
        let routed = said(
            Command::new("amtool")
                .args(["config", "routes", "test", "--config.file"])
                .arg(&file)
                .arg(format!("severity={severity}")),
        );
        assert_eq!(routed.out.trim(), receivers, "{severity}: {}", routed.err);
    }
}

/// A Prometheus of the test's own, which ends with it.
struct Prometheus {
    child: Child,
    address: String,
}

/// An address that nobody listens on.
fn free() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

impl Prometheus {
    fn start(folder: &Path, target: &str) -> Self {
        Self::start_with(folder, target, "127.0.0.1:9")
    }

    /// One that tells this Alertmanager.
    fn start_with(folder: &Path, target: &str, alertmanager: &str) -> Self {
        let monitoring = folder.join("monitoring/prometheus");
        let config = read(&monitoring.join("prometheus.yml"));
        let config = config
            .replace("rsr:8000", target)
            .replace("15s", "1s")
            .replace("alertmanager:9093", alertmanager);
        fs::write(monitoring.join("test.yml"), config).unwrap();
        let address = free();
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                monitoring.join("test.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The values of an expression now, without its labels; an error where it is refused or nobody answers.
    fn ask(&self, expression: &str) -> Result<Vec<f64>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = ask(&self.address, &path).map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let results = answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let value = |result: &Value| {
            result["value"][1]
                .as_str()
                .and_then(|text| text.parse().ok())
        };
        Ok(results.iter().filter_map(value).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[test]
fn every_panel_and_rule_is_answered_with_data() {
    if !is_there("prometheus") {
        return;
    }
    let folder = exported();
    run_expecting(
        folder.path(),
        0,
        ["demo", "--once", "--listen", "127.0.0.1:0"],
    );
    let server = Server::start(folder.path(), &[]);
    let prometheus = Prometheus::start(folder.path(), server.address());
    let mut open: Vec<_> = provisioned_queries().unwrap();
    let since = system_clock();
    let mut last = String::new();
    // Rates need two scrapes with something between them, so there is traffic until every question has its answer.
    while !open.is_empty() && since.elapsed() < PATIENCE {
        for path in [
            "/api/v1/projects/1/children/?limit=1",
            "/api/v1/projects/1/descendants/",
            "/api/v1/projects/1/results/",
            "/api/v1/iati/activities.xml",
            "/metrics/",
        ] {
            assert!(server.get(path).status < 500, "{path}");
        }
        open.retain(|query| match prometheus.ask(&query.expression) {
            Ok(values) if !values.is_empty() && values.iter().all(|value| value.is_finite()) => {
                false
            }
            Ok(values) => {
                last = format!("{}: {} gives {values:?}", query.asked_by, query.expression);
                true
            }
            Err(why) => {
                last = format!("{}: {} gives {why}", query.asked_by, query.expression);
                true
            }
        });
    }
    let names: Vec<_> = open.iter().map(|query| &query.asked_by).collect();
    assert!(open.is_empty(), "without an answer: {names:?}\n{last}");
}

/// An Alertmanager as the export describes it, whose every receiver is a web hook of the test's.
struct Alertmanager {
    child: Child,
    address: String,
    told: Receiver<Value>,
}

impl Alertmanager {
    fn start(program: &str, folder: &Path) -> Self {
        let hook = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", hook.local_addr().unwrap());
        let exported = folder.join("monitoring/alertmanager");
        let config = read(&exported.join("alertmanager.yml"));
        let (routes, _receivers) = config.split_once("receivers:\n").unwrap();
        let routes = routes
            .replace("group_wait: 30s", "group_wait: 1s")
            .replace("group_interval: 5m", "group_interval: 1s");
        let receivers = ["people", "pager", "log"].map(|name| {
            format!("  - name: {name}\n    webhook_configs:\n      - url: \"{url}\"\n        send_resolved: true\n")
        });
        let config = format!("{routes}receivers:\n{}", receivers.concat());
        let file = exported.join("test.yml");
        fs::write(&file, config).unwrap();
        let address = free();
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.path={}",
                folder.join("alerts").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (tell, told) = sync_channel(1_000);
        std::thread::spawn(move || {
            hook.incoming()
                .map_while(Result::ok)
                .try_for_each(|stream| {
                    let alerts = received(stream).unwrap_or(Value::Null);
                    let all = alerts["alerts"].as_array().cloned().unwrap_or_default();
                    all.into_iter().try_for_each(|alert| tell.send(alert))
                })
        });
        Self {
            child,
            address,
            told,
        }
    }

    /// Waits until an alert of this name comes in this state.
    fn hears(&self, name: &str, status: &str, patience: Duration) -> Value {
        let clock = system_clock();
        let mut others = Vec::new();
        while let Some(left) = patience.checked_sub(clock.elapsed()) {
            let Ok(alert) = self.told.recv_timeout(left) else {
                break;
            };
            if alert["labels"]["alertname"] == name && alert["status"] == status {
                return alert;
            }
            others.push(format!(
                "{} {}",
                alert["labels"]["alertname"], alert["status"]
            ));
        }
        panic!("no {name} {status} within {patience:?}; came: {others:?}");
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The JSON of one request to the web hook, which is thanked for.
fn received(stream: TcpStream) -> Option<Value> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let body = read_at_most(stream.by_ref().take(length), ByteSize::from_mib(4)).ok()?;
    let thanks = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(thanks).ok()?;
    serde_json::from_slice(&body).ok()
}

/// The demonstration of the leak, from the one command to the alert and its end.
#[test]
fn a_planted_leak_is_named_its_alert_arrives_and_resolves() {
    /// What the demonstration promises.
    const NAMED_WITHIN: Duration = Duration::from_secs(120);
    /// The place it leaks in.
    const PLACE: &str = "keep_every_invoice";
    // Debian's package calls it by a longer name than the project does.
    let names = ["prometheus-alertmanager", "alertmanager"];
    let found = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let program = names.into_iter().find(found).unwrap_or("alertmanager");
    if !is_there("prometheus") || !is_there(program) {
        return;
    }
    let folder = exported();
    // The same alert over a shorter window: half an hour until it resolves is too long to wait for.
    let rules = folder.path().join("monitoring/prometheus");
    for entry in fs::read_dir(&rules).unwrap() {
        let path = entry.unwrap().path();
        let text = read(&path);
        fs::write(&path, text.replace("[30m]", "[20s]")).unwrap();
    }
    let alertmanager = Alertmanager::start(program, folder.path());
    let address = free();
    let leak = [
        "demo",
        "--leak",
        "--leak-for",
        "90",
        "--listen",
        &address,
        "--projects",
        "20",
    ];
    let mut demo = rsr(folder.path());
    let log = fs::File::create(folder.path().join("demo.log")).unwrap();
    let demo = demo
        .args(leak)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let demo = Ends(demo);
    let clock = system_clock();
    let prometheus = Prometheus::start_with(folder.path(), &address, &alertmanager.address);

    let alert = alertmanager.hears("RsrCriticalLeak", "firing", NAMED_WITHIN);
    assert_eq!(alert["labels"]["severity"], "critical");
    let said = run_expecting(folder.path(), 1, ["memory", "check-leaks"]);
    assert!(said.out.contains(PLACE), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("demo/leak.rs:"),
        "file and line: {}",
        said.out
    );
    assert!(clock.elapsed() <= NAMED_WITHIN * 2, "{:?}", clock.elapsed());
    let open = prometheus
        .ask("sum(rsr_memory_leaks_detected_total) > 0")
        .unwrap();
    assert_eq!(open.len(), 1, "the dashboard's question has an answer");
    let page = ask(&address, "/").unwrap().body;
    assert!(page.contains(PLACE), "the service's own page names it");

    let resolved = alertmanager.hears("RsrCriticalLeak", "resolved", PATIENCE * 2);
    assert_ne!(resolved["endsAt"], alert["endsAt"]);
    drop(demo);
}

/// A program that is ended with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
