//! The shape of a Grafana dashboard.

use serde_json::{Value, json};

use super::query::{Known, QueryError, Scope};

/// A dashboard: what it is called, and its rows of panels.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) uid: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) rows: &'static [Row],
}

/// Panels under a heading.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: &'static [Panel],
}

/// One picture.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// What it shows and what to make of it, in a sentence.
    pub(super) about: &'static str,
    pub(super) look: Look,
    /// Grafana's name of the unit.
    pub(super) unit: &'static str,
    /// Legend and expression.
    pub(super) queries: &'static [(&'static str, &'static str)],
}

/// How a panel looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Lines,
    Number,
    Bars,
    Table,
}

impl Look {
    fn kind(self) -> &'static str {
        match self {
            Self::Lines => "timeseries",
            Self::Number => "stat",
            Self::Bars => "bargauge",
            Self::Table => "table",
        }
    }

    /// Columns of Grafana's 24, and rows.
    fn size(self) -> (u32, u32) {
        match self {
            Self::Number => (4, 4),
            Self::Lines | Self::Bars => (8, 8),
            Self::Table => (24, 8),
        }
    }
}

const COLUMNS: u32 = 24;

impl Board {
    /// All panels in reading order.
    pub(super) fn panels(&self) -> impl Iterator<Item = &'static Panel> {
        self.rows.iter().flat_map(|row| row.panels)
    }

    /// The file that Grafana loads.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where an expression does not fit the metrics.
    pub(super) fn json(&self, known: &Known) -> Result<String, QueryError> {
        let mut panels = Vec::new();
        let (mut y, mut id) = (0, 0);
        let mut next_id = || {
            id += 1;
            id
        };
        for row in self.rows {
            panels.push(json!({
                "id": next_id(), "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            }));
            y += 1;
            let (mut x, mut height) = (0, 0);
            for panel in row.panels {
                let (w, h) = panel.look.size();
                if x + w > COLUMNS {
                    y += height;
                    (x, height) = (0, 0);
                }
                let place = json!({"x": x, "y": y, "w": w, "h": h});
                panels.push(panel.json(next_id(), place, known)?);
                x += w;
                height = height.max(h);
            }
            y += height;
        }
        let text = serde_json::to_string_pretty(&self.around(&panels));
        Ok(text.expect("a value of texts and numbers can be written") + "\n")
    }

    fn around(&self, panels: &[Value]) -> Value {
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["rsr"],
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
                variable("job", "rsr_build_info", "job"),
                variable("instance", "rsr_build_info{job=~\"$job\"}", "instance"),
                variable("cache", "rsr_cache_entries{job=~\"$job\",instance=~\"$instance\"}", "cache"),
                variable("severity", "rsr_memory_leaks_detected_total{job=~\"$job\",instance=~\"$instance\"}", "severity"),
            ]},
            "annotations": {"list": [{
                "name": "Leaks", "enable": true, "iconColor": "red", "datasource": data_source(),
                "expr": "increase(rsr_memory_leaks_detected_total{job=~\"$job\",instance=~\"$instance\"}[1m]) > 0",
                "titleFormat": "{{severity}} leak", "textFormat": "{{object_type}}", "step": "60s",
            }]},
            "links": [{"type": "dashboards", "tags": ["rsr"], "title": "rsr", "asDropdown": false}],
            "panels": panels,
        })
    }
}

impl Panel {
    fn json(&self, id: u32, place: Value, known: &Known) -> Result<Value, QueryError> {
        let mut targets = Vec::new();
        for ((legend, expression), letter) in self.queries.iter().zip('A'..='Z') {
            targets.push(json!({
                "refId": letter.to_string(),
                "datasource": data_source(),
                "expr": known.check(expression, Scope::Chosen)?,
                "legendFormat": legend,
                "instant": self.look == Look::Table,
                "format": if self.look == Look::Table { "table" } else { "time_series" },
            }));
        }
        Ok(json!({
            "id": id,
            "type": self.look.kind(),
            "title": self.title,
            "description": self.about,
            "datasource": data_source(),
            "gridPos": place,
            "fieldConfig": {"defaults": {"unit": self.unit}, "overrides": []},
            "options": {},
            "targets": targets,
        }))
    }
}

fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn variable(name: &str, series: &str, label: &str) -> Value {
    json!({
        "name": name, "type": "query", "datasource": data_source(),
        "query": {"query": format!("label_values({series}, {label})"), "refId": name},
        "refresh": 2, "includeAll": true, "multi": true, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    })
}
