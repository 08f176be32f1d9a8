//! What the demo made, as it is seen from outside: answers of the running service, files, commands to try.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rsr_base::ProjectId;
use serde_json::{Value, json};

use super::ask::{Answer, ask};
use super::fill::Filled;
use super::portfolio::Portfolio;
use super::summary::Summary;
use crate::exit::Failure;
use crate::output::Out;

/// What there is to show.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) portfolio: Portfolio,
    pub(crate) filled: Filled,
    /// Periods that the roll-up computed.
    pub(crate) n_periods: u64,
    /// How many of them it changed.
    pub(crate) n_periods_changed: u64,
    /// Where the database is.
    pub(crate) database: String,
    /// Its address, without a password.
    pub(crate) url: String,
    pub(crate) file: PathBuf,
    /// The first programme.
    pub(crate) top: ProjectId,
    /// Its first result.
    pub(crate) result: Summary,
}

/// Headers that say how the memory was protected and what was cut.
const HEADERS: [&str; 5] = [
    "x-memory-protection",
    "x-total-processed",
    "x-children-count",
    "x-truncated",
    "link",
];

/// The answers that are shown.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    children: (String, Answer),
}

impl Shown {
    /// Asks the running service for what is shown.
    pub(crate) async fn ask(&self, address: SocketAddr) -> io::Result<Answers> {
        let path = format!("/api/v1/projects/{}/children/?max_depth=2", self.top);
        let answer = ask(address, &path).await?;
        if answer.status != 200 {
            return Err(io::Error::other(format!(
                "{path} answered {}: {}",
                answer.status, answer.body
            )));
        }
        Ok(Answers {
            children: (format!("http://{address}{path}"), answer),
        })
    }

    fn urls(address: SocketAddr) -> [(&'static str, String); 4] {
        [
            ("dashboard", format!("http://{address}/")),
            ("metrics", format!("http://{address}/metrics/")),
            (
                "IATI",
                format!("http://{address}/api/v1/iati/activities.xml"),
            ),
            ("API", format!("http://{address}/api/openapi.json")),
        ]
    }

    fn commands(&self, address: SocketAddr) -> [String; 3] {
        [
            format!(
                "curl -i 'http://{address}/api/v1/projects/{}/children/?max_depth=2'",
                self.top
            ),
            format!("rsr project tree {} --database '{}'", self.top, self.url),
            format!("rsr validate iati {}", self.file.display()),
        ]
    }

    /// Prints all of it as one JSON object.
    pub(crate) fn print_json(
        &self,
        address: SocketAddr,
        answers: &Answers,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let (url, children) = &answers.children;
        let headers: Vec<Value> = shown_headers(children)
            .map(|(name, value)| json!([name, value]))
            .collect();
        out.json(&json!({
            "projects": self.portfolio.shape().n_projects(),
            "programmes": self.portfolio.shape().n_programmes(),
            "programmes_made": self.filled.n_written,
            "updates_made": self.filled.n_updates,
            "periods": self.n_periods,
            "periods_changed": self.n_periods_changed,
            "database": self.database,
            "iati_file": path_text(&self.file),
            "children": { "url": url, "headers": headers, "body": body(children) },
            "aggregated": self.result.to_json(),
            "urls": Self::urls(address).into_iter().map(|(name, url)| json!([name, url])).collect::<Vec<_>>(),
            "commands": self.commands(address),
        }))?;
        out.flush()
    }

    /// Prints all of it for people.
    pub(crate) fn print(
        &self,
        address: SocketAddr,
        answers: &Answers,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let shape = self.portfolio.shape();
        let made = match self.filled.n_written {
            0 => "as made before".to_owned(),
            n => format!("{n} made now with {} updates", self.filled.n_updates),
        };
        out.line(format_args!(
            "{} projects in {} programmes ({made}) in {}",
            shape.n_projects(),
            shape.n_programmes(),
            self.database
        ))?;
        out.line(format_args!(
            "{} periods rolled up, {} of them changed",
            self.n_periods, self.n_periods_changed
        ))?;
        out.line(format_args!(
            "IATI 2.03, checked against the standard: {}",
            self.file.display()
        ))?;

        let (url, children) = &answers.children;
        out.line(format_args!("\nGET {url}"))?;
        for (name, value) in shown_headers(children) {
            out.line(format_args!("  {name}: {value}"))?;
        }
        let elements = body(children);
        for element in elements.as_array().into_iter().flatten() {
            out.line(format_args!(
                "  {} {} ({} below it)",
                element["id"],
                element["title"].as_str().unwrap_or_default(),
                element["children_count"]
            ))?;
        }

        out.line(format_args!(
            "\nRolled up from the reports of all below project {}:",
            self.top
        ))?;
        for line in self.result.lines() {
            out.line(format_args!("  {line}"))?;
        }
        out.line("")?;
        for (name, url) in Self::urls(address) {
            out.line(format_args!("{name:<10} {url}"))?;
        }
        out.line("\nTry:")?;
        for command in self.commands(address) {
            out.line(format_args!("  {command}"))?;
        }
        out.flush()
    }
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

fn shown_headers(answer: &Answer) -> impl Iterator<Item = (&str, &str)> {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| HEADERS.iter().any(|shown| name.eq_ignore_ascii_case(shown)))
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_no_json| answer.body.as_str().into())
}
