//! What the service's own dashboards and rules ask, asked of a real Prometheus that scrapes the real service.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rsr_base::system_clock;
use rsr_service::{alert_cases, provisioned_queries};
use rsr_tests::documents::read;
use rsr_tests::serving::{Server, ask};
use rsr_tests::{Said, run_expecting};
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

impl Prometheus {
    fn start(folder: &Path, target: &str) -> Self {
        let monitoring = folder.join("monitoring/prometheus");
        let config = read(&monitoring.join("prometheus.yml"));
        let config = config
            .replace("rsr:8000", target)
            .replace("15s", "1s")
            .replace("alerting:", "# alerting:")
            .replace("  alertmanagers:", "# alertmanagers:")
            .replace(
                "    - static_configs:\n        - targets: [\"alertmanager:9093\"]\n",
                "",
            );
        fs::write(monitoring.join("test.yml"), config).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
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
