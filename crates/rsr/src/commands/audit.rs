//! `rsr audit`: stored values held against a fresh computation.

use rsr_aggregation::Hundredths;
use rsr_base::{PeriodId, ProjectId};
use rsr_settings::MailSettings;
use rsr_store::{AuditRow, Error, Expected, NewMail, Store};
use serde_json::json;

use crate::cli::Audit;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, note};
use crate::table::Table;

/// The columns of a finding for people.
const SHORT_HEADER: [&str; 7] = [
    "project (id)",
    "result",
    "indicator",
    "period",
    "column",
    "stored",
    "expected",
];
/// The columns of a finding for programs.
const HEADER: [&str; 10] = [
    "project",
    "project_id",
    "result",
    "indicator",
    "period",
    "period_id",
    "dimension",
    "column",
    "stored",
    "expected",
];
/// Findings under one header of a table for people; periods queued in one transaction.
const TOGETHER: usize = 500;
/// Findings in the table of a mail.
const MAILED_MAX: usize = 10_000;
/// Characters of a title in a table for people.
const TITLE_MAX: usize = 24;

/// Audits, prints what differs as it is found, and queues it where asked to.
pub(crate) fn run(context: &Context, flags: &Audit) -> Outcome {
    context.accept(&[Format::Text, Format::Json, Format::Tsv])?;
    let store = context.existing_store()?;
    let snapshot = store.snapshot()?;
    let mut printer = Printer::new(context.format)?;
    let mut queue = Queue::new(&store, flags.fix);
    let mut mail = Mail::new(&context.settings().mail);
    let mut failed = None;
    let cancel = context.interrupt.flag();
    let audited = snapshot.audit(flags.project.map(ProjectId), &cancel, &mut |row| {
        mail.row(&row);
        let done = printer.row(&row).and_then(|()| queue.add(row.period));
        done.map_err(|failure| {
            failed = Some(failure);
            Error::Cancelled
        })
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    let report = match audited {
        Ok(report) => report,
        Err(Error::Cancelled) => {
            printer.flush()?;
            return Err(Failure::new(
                Exit::PartWay,
                "stopped: there may be more findings than those above",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    drop(snapshot);
    let n_queued = queue.end()?;
    let summary = Summary {
        n_periods: report.n_periods,
        n_findings: report.n_findings,
        n_queued: flags.fix.then_some(n_queued),
    };
    mail.send(&store, &context.settings().mail, &summary)?;
    printer.end(&summary)
}

/// One mail with the table of the findings, for those the settings name.
struct Mail {
    recipients: Vec<String>,
    table: String,
    n_rows: usize,
}

impl Mail {
    fn new(settings: &MailSettings) -> Self {
        let all = settings.audit_recipients.as_deref().unwrap_or_default();
        let each = all.split(',').map(str::trim).filter(|one| !one.is_empty());
        Self {
            recipients: each.map(str::to_owned).collect(),
            table: format!("{}\n", HEADER.join("\t")),
            n_rows: 0,
        }
    }

    fn row(&mut self, row: &AuditRow) {
        self.n_rows += 1;
        if !self.recipients.is_empty() && self.n_rows <= MAILED_MAX {
            self.table.push_str(&Table::new(cells(row)).tsv());
            self.table.push('\n');
        }
    }

    /// Puts the mail into the outbox, and tries at once to send it. None where all is well.
    fn send(
        self,
        store: &Store,
        settings: &MailSettings,
        summary: &Summary,
    ) -> Result<(), Failure> {
        if self.recipients.is_empty() || self.n_rows == 0 {
            return Ok(());
        }
        let mut body = format!("{}\n", summary.in_words());
        if self.n_rows > MAILED_MAX {
            body.push_str(&format!("the table holds the first {MAILED_MAX} of them\n"));
        }
        let mail = NewMail {
            recipients: self.recipients,
            subject: format!("Audit of results: {} findings", self.n_rows),
            body,
            attachment: Some(("audit.tsv".to_owned(), self.table)),
        };
        store.write(|tx| tx.queue_mail(&mail))?;
        let waits = match rsr_service::send_waiting_mail(store, settings) {
            Ok(report) if settings.host.is_none() => {
                drop(report);
                Some("mail.host names no server".to_owned())
            }
            Ok(report) => report.failure,
            Err(error) => Some(Failure::of(Exit::PartWay, error).to_string()),
        };
        if let Some(reason) = waits {
            note(format_args!(
                "the mail about it waits for `rsr serve` or `rsr worker` to send it: {reason}"
            ));
        }
        Ok(())
    }
}

/// What is said at the end.
#[derive(Debug)]
struct Summary {
    n_periods: u64,
    n_findings: u64,
    n_queued: Option<u64>,
}

impl Summary {
    fn in_words(&self) -> String {
        let Self {
            n_periods,
            n_findings,
            n_queued,
        } = self;
        let queued = n_queued.map_or_else(String::new, |n| format!(", {n} periods queued"));
        format!("{n_periods} periods audited, {n_findings} findings{queued}")
    }
}

/// Puts the periods that differ into the queue, some at a time.
struct Queue<'s> {
    store: &'s Store,
    is_wanted: bool,
    waiting: Vec<PeriodId>,
    n_queued: u64,
}

impl<'s> Queue<'s> {
    fn new(store: &'s Store, is_wanted: bool) -> Self {
        Self {
            store,
            is_wanted,
            waiting: Vec::new(),
            n_queued: 0,
        }
    }

    /// The findings of one period come together.
    fn add(&mut self, period: PeriodId) -> Result<(), Failure> {
        if !self.is_wanted || self.waiting.last() == Some(&period) {
            return Ok(());
        }
        if self.waiting.len() == TOGETHER {
            self.send()?;
        }
        self.waiting.push(period);
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failure> {
        let periods = std::mem::take(&mut self.waiting);
        if periods.is_empty() {
            return Ok(());
        }
        self.store.write(|tx| {
            for &period in &periods {
                tx.queue_period(period)?;
            }
            Ok::<_, Error>(())
        })?;
        self.n_queued += periods.len() as u64;
        Ok(())
    }

    fn end(mut self) -> Result<u64, Failure> {
        self.send()?;
        Ok(self.n_queued)
    }
}

/// Prints findings: a table for people, tab-separated lines, or one JSON object, whichever their number.
struct Printer {
    out: Out,
    format: Format,
    table: Table,
    n_in_table: usize,
    is_first: bool,
}

impl Printer {
    fn new(format: Format) -> Result<Self, Failure> {
        let mut out = Out::new();
        match format {
            Format::Tsv => out.line(HEADER.join("\t"))?,
            Format::Json => out.text("{\"findings\":[")?,
            _ => {}
        }
        Ok(Self {
            out,
            format,
            table: Table::new(SHORT_HEADER),
            n_in_table: 0,
            is_first: true,
        })
    }

    fn row(&mut self, row: &AuditRow) -> Result<(), Failure> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        match self.format {
            Format::Json => {
                self.out.text(if is_first { "\n" } else { ",\n" })?;
                self.out.text(&to_json(row).to_string())
            }
            Format::Tsv => self.out.line(Table::new(cells(row)).tsv()),
            _ => {
                self.table.row(short_cells(row));
                self.n_in_table += 1;
                if self.n_in_table == TOGETHER {
                    self.flush_table()?;
                }
                Ok(())
            }
        }
    }

    fn flush_table(&mut self) -> Result<(), Failure> {
        if self.n_in_table > 0 {
            self.out.line(self.table.aligned())?;
            self.table = Table::new(SHORT_HEADER);
            self.n_in_table = 0;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.flush_table()?;
        self.out.flush()
    }

    /// Says what it came to, on standard output; beside tab-separated lines, on standard error.
    fn end(mut self, summary: &Summary) -> Outcome {
        self.flush_table()?;
        match self.format {
            Format::Json => {
                let mut rest = format!(
                    "],\"periods_audited\":{},\"findings_count\":{}",
                    summary.n_periods, summary.n_findings
                );
                if let Some(n_queued) = summary.n_queued {
                    rest.push_str(&format!(",\"periods_queued\":{n_queued}"));
                }
                self.out.line(rest + "}")?;
            }
            Format::Tsv => {
                self.out.flush()?;
                note(format_args!("{}", summary.in_words()));
            }
            _ => self.out.line(summary.in_words())?,
        }
        self.out.end(if summary.n_findings == 0 {
            Exit::Done
        } else {
            Exit::Problems
        })
    }
}

fn to_json(row: &AuditRow) -> serde_json::Value {
    json!({
        "project": row.project_title,
        "project_id": row.project.0,
        "result": row.result_title,
        "result_id": row.result.0,
        "indicator": row.indicator_title,
        "indicator_id": row.indicator.0,
        "period": dates(row),
        "period_id": row.period.0,
        "dimension": dimension(row),
        "column": row.column.to_string(),
        "stored": row.stored.map(|number| number.to_string()),
        "expected": match &row.expected {
            Expected::Number(number) => number.map(|number| number.to_string()),
            _ => None,
        },
        "not_computable": match &row.expected {
            Expected::Unknown(reason) => Some(reason),
            _ => None,
        },
    })
}

/// The cells of a row for programs. No value is an empty cell.
fn cells(row: &AuditRow) -> [String; 10] {
    [
        row.project_title.clone(),
        row.project.to_string(),
        row.result_title.clone(),
        row.indicator_title.clone(),
        dates(row),
        row.period.to_string(),
        dimension(row).unwrap_or_default(),
        row.column.to_string(),
        number(row.stored, ""),
        expected(&row.expected, ""),
    ]
}

/// The cells of a row for people.
fn short_cells(row: &AuditRow) -> [String; 7] {
    let column = match dimension(row) {
        Some(dimension) => format!("{} of {}", row.column, cut(&dimension, TITLE_MAX)),
        None => row.column.to_string(),
    };
    [
        format!("{} ({})", cut(&row.project_title, TITLE_MAX), row.project),
        cut(&row.result_title, TITLE_MAX),
        cut(&row.indicator_title, TITLE_MAX),
        dates(row),
        column,
        number(row.stored, "no value"),
        expected(&row.expected, "no value"),
    ]
}

fn number(number: Option<Hundredths>, missing: &str) -> String {
    number.map_or_else(|| missing.to_owned(), |number| number.to_string())
}

/// The number, or that there is none to tell.
fn expected(expected: &Expected, missing: &str) -> String {
    match expected {
        Expected::Number(due) => number(*due, missing),
        _ => "not computable".to_owned(),
    }
}

/// First and last day; a missing one is left out.
fn dates(row: &AuditRow) -> String {
    let day = |day: &Option<String>| day.clone().unwrap_or_default();
    format!("{}..{}", day(&row.start), day(&row.end))
}

fn dimension(row: &AuditRow) -> Option<String> {
    let (name, value) = row.dimension.as_ref()?;
    Some(format!("{name}: {value}"))
}

/// A text of one line and so many characters at most.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.replace(['\n', '\r', '\t'], " ");
    }
    let kept = text.chars().take(chars_max.saturating_sub(1));
    let kept: String = kept.collect();
    format!("{}…", kept.replace(['\n', '\r', '\t'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_cut_between_characters() {
        assert_eq!(cut("wells", 5), "wells");
        assert_eq!(cut("größere", 5), "größ…");
        assert_eq!(cut("a\nb", 5), "a b");
    }

    #[test]
    fn the_summary_counts_what_was_done() {
        let summary = |n_queued| Summary {
            n_periods: 7,
            n_findings: 2,
            n_queued,
        };
        assert_eq!(summary(None).in_words(), "7 periods audited, 2 findings");
        assert_eq!(
            summary(Some(1)).in_words(),
            "7 periods audited, 2 findings, 1 periods queued"
        );
    }
}
