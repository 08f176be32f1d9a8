//! What watches the service from outside: Grafana dashboards, Prometheus rules and the files that load them.
//!
//! All of it is made from the metrics' own definitions. A query that asks for a series nobody exports, takes the rate of
//! a gauge or the slope of a counter is refused when the files are made, and so by the tests.

mod alertmanager;
mod alerts;
mod board;
mod leaks;
mod memory;
mod query;
mod recording;

#[cfg(test)]
mod tests;

use alerts::ALERTS;
pub use query::QueryError;
use query::{Known, Scope};

/// A file of [`provisioning`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvisionedFile {
    /// Where it belongs below the folder, with `/` between the parts.
    pub path: &'static str,
    /// What is in it.
    pub text: String,
}

/// One question of a panel or rule, as Prometheus is asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvisionedQuery {
    /// The panel or rule, for people.
    pub asked_by: String,
    /// The expression without variables.
    pub expression: String,
}

/// All files: two dashboards, recording and alert rules, and what loads them into Grafana, Prometheus and Alertmanager.
/// The same at every call.
///
/// # Errors
///
/// [`QueryError`] where an expression does not fit the metrics: a mistake of the program.
pub fn provisioning() -> Result<Vec<ProvisionedFile>, QueryError> {
    let known = Known::of_this_service();
    let file = |path, text| ProvisionedFile { path, text };
    Ok(vec![
        file(
            "grafana/dashboards/rsr-memory.json",
            memory::BOARD.json(&known)?,
        ),
        file(
            "grafana/dashboards/rsr-leaks.json",
            leaks::BOARD.json(&known)?,
        ),
        file(
            "grafana/provisioning/dashboards/rsr.yml",
            GRAFANA_DASHBOARDS.to_owned(),
        ),
        file(
            "grafana/provisioning/datasources/rsr.yml",
            GRAFANA_DATASOURCES.to_owned(),
        ),
        file("prometheus/prometheus.yml", PROMETHEUS.to_owned()),
        file("prometheus/rsr-recording.yml", recording::yaml(&known)?),
        file("prometheus/rsr-alerts.yml", alerts::yaml(&known)?),
        file("alertmanager/alertmanager.yml", alertmanager::yaml()),
    ])
}

/// What the dashboards and rules ask, for whoever wants to see it answered.
///
/// # Errors
///
/// As [`provisioning`].
pub fn provisioned_queries() -> Result<Vec<ProvisionedQuery>, QueryError> {
    let known = Known::of_this_service();
    let mut queries = Vec::new();
    let mut ask = |asked_by: String, expression: &str| {
        let expression = known.check(expression, Scope::All)?;
        queries.push(ProvisionedQuery {
            asked_by,
            expression,
        });
        Ok(())
    };
    for board in [&memory::BOARD, &leaks::BOARD] {
        for panel in board.panels() {
            for (_, expression) in panel.queries {
                ask(format!("panel {}", panel.title), expression)?;
            }
        }
    }
    for (name, expression) in recording::RULES {
        ask(format!("rule {name}"), expression)?;
    }
    Ok(queries)
}

/// The alerts with a case in which each fires and one in which it is quiet, as a file for `promtool test rules`.
///
/// # Errors
///
/// As [`provisioning`].
pub fn alert_cases() -> Result<String, QueryError> {
    // Made from the same table, so that no alert goes without its two cases.
    Ok(alerts::cases(ALERTS))
}

const GRAFANA_DASHBOARDS: &str = "\
apiVersion: 1
providers:
  - name: rsr
    folder: rsr
    type: file
    options:
      path: /var/lib/grafana/dashboards
";

const GRAFANA_DATASOURCES: &str = "\
apiVersion: 1
datasources:
  - name: Prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: http://prometheus:9090
    isDefault: true
";

const PROMETHEUS: &str = "\
# Scrapes rsr and loads its rules. The host names are those of the compose file.
global:
  scrape_interval: 15s
  evaluation_interval: 15s
rule_files:
  - rsr-recording.yml
  - rsr-alerts.yml
alerting:
  alertmanagers:
    - static_configs:
        - targets: [\"alertmanager:9093\"]
scrape_configs:
  - job_name: rsr
    metrics_path: /metrics/
    static_configs:
      - targets: [\"rsr:8000\"]
";

/// A text in double quotes, as YAML and JSON both read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
