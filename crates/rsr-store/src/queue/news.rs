//! Mail about jobs, written in the transaction that ends them (aggregation rule 40).

use rsr_base::{JobId, PeriodId, ProjectId};

use crate::error::Error;
use crate::outbox::NewMail;
use crate::sql::{id_list, params};
use crate::tx::Tx;

/// Jobs that one mail names; of more it gives the number.
const NAMED_MAX: usize = 50;

/// What people are to be told of the jobs of one run.
#[derive(Debug, Default)]
pub(crate) struct JobNews {
    /// Failed for the first time, and will be tried again.
    pub(crate) failed: Vec<JobId>,
    /// Failed for the last time.
    pub(crate) given_up: Vec<JobId>,
    /// Had failed, and are done now.
    pub(crate) recovered: Vec<JobId>,
}

impl Tx {
    /// Writes mail about the jobs under a root to whom its project says.
    pub(super) fn tell_of_root(&mut self, root: PeriodId, news: &JobNews) -> Result<(), Error> {
        let project = "SELECT door.project_id FROM periods AS door WHERE door.id = ?1";
        match self.db().number(project, params![root])? {
            0 => Ok(()),
            project => self.tell_of_jobs(ProjectId(project), news),
        }
    }

    /// Writes mail about jobs to the people of a project's primary organisation who asked for it, one a person and
    /// kind of news. Nobody to write to is nothing to do.
    pub(crate) fn tell_of_jobs(&mut self, project: ProjectId, news: &JobNews) -> Result<(), Error> {
        for (jobs, what) in [
            (&news.failed, "failed and will be tried again"),
            (&news.given_up, "was given up"),
            (&news.recovered, "succeeded after it had failed"),
        ] {
            if jobs.is_empty() {
                continue;
            }
            let people = self.people_to_tell(project)?;
            if people.is_empty() {
                return Ok(());
            }
            let title = "SELECT title FROM projects WHERE id = ?1 /*! AND root_id = ?root */";
            let root = self.root_of(project)?;
            let title = self
                .db()
                .row(title, params![project, root], |row| row.string(0))?
                .unwrap_or_default();
            let subject = match jobs.len() {
                1 => format!("Aggregation below \"{title}\" {what}"),
                n => format!("Aggregation below \"{title}\" {what}: {n} jobs"),
            };
            let body = self.describe_jobs(jobs)?;
            for person in people {
                self.queue_mail(&NewMail {
                    recipients: vec![person],
                    subject: subject.clone(),
                    body: body.clone(),
                    attachment: None,
                })?;
            }
        }
        Ok(())
    }

    fn people_to_tell(&self, project: ProjectId) -> Result<Vec<String>, Error> {
        self.db().rows(
            "SELECT DISTINCT u.email FROM projects p JOIN roles r ON r.organisation_id = p.organisation_id
             JOIN users u ON u.id = r.user_id
             WHERE p.id = ?1 /*! AND p.root_id = ?root */ AND u.wants_aggregation_mail = 1 AND u.is_active = 1 AND u.email IS NOT NULL
             ORDER BY u.email",
            params![project, self.root_of(project)?],
            |row| row.string(0),
        )
    }

    /// A line a job: where it is, and what it failed with.
    fn describe_jobs(&self, jobs: &[JobId]) -> Result<String, Error> {
        let mut lines = self.db().rows(
            "SELECT j.id, j.attempts, coalesce(j.reason, ''), p.id, coalesce(p.start_date, ''), coalesce(p.end_date, ''),
                 i.title, o.id, o.title
             FROM jobs j JOIN periods p ON p.id = j.period_id JOIN indicators i ON i.id = p.indicator_id
             JOIN projects o ON o.id = p.project_id
             WHERE j.id IN (SELECT value FROM json_each(?1)) ORDER BY j.id",
            params![&id_list(jobs.iter().take(NAMED_MAX).map(|job| job.0))],
            |row| {
                let reason = match row.text(2)? {
                    "" => String::new(),
                    reason => format!("\n  {reason}"),
                };
                Ok(format!(
                    "Job {}, run {}: period {} ({}..{}) of \"{}\" in project {} \"{}\"{reason}",
                    row.int(0)?,
                    row.int(1)?,
                    row.int(3)?,
                    row.text(4)?,
                    row.text(5)?,
                    row.text(6)?,
                    row.int(7)?,
                    row.text(8)?,
                ))
            },
        )?;
        if jobs.len() > NAMED_MAX {
            lines.push(format!("and {} more", jobs.len() - NAMED_MAX));
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }
}
