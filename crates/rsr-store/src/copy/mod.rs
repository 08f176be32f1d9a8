//! All rows of one database into another, of whatever engine.
//!
//! Tables go one after the other, by key, a transaction a chunk; what was reached is noted in the target in the same
//! transaction, so that a copy that was ended goes on there. Rows that refer to rows of their own table get that link
//! once the table is whole. In the end the rows of both are counted and digested.

mod digest;
mod tables;

use std::ops::ControlFlow;

use digest::Digest;
use tables::{TABLES, Whole};

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::{Column, Root, Row, Session, Value, params};
use crate::store::Store;
use crate::tx::Tx;

/// Most rows of a transaction, and bytes after which it ends.
const CHUNK_ROWS: i64 = 5_000;
const CHUNK_BYTES: usize = 4 << 20;

/// Where a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// The table at hand.
    pub table: &'static str,
    /// Rows of it that were copied by this run so far.
    pub n_rows: u64,
}

/// What came of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Rows of each table, the same in both databases.
    pub rows: Vec<(&'static str, u64)>,
    /// Whether it went on where an earlier copy had ended.
    pub was_resumed: bool,
}

/// A table with what both databases have of it.
struct Plan<'p> {
    table: &'p Whole,
    columns: Vec<Column>,
}

/// How far a table was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    After(i64, i64),
    Rows,
    End,
}

impl Store {
    /// Copies everything into an empty database, or goes on with a copy from this one that was ended.
    ///
    /// The rows are those of one moment; where the copy is made in several runs nobody may write to this database between
    /// them, which the comparison in the end finds out. Memory: a chunk of rows.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the target holds other data, or differs in the end; those of either database. What was
    /// copied stays, and the next call goes on from there.
    pub fn copy_into(
        &self,
        target: &Self,
        hear: &mut dyn FnMut(CopyProgress),
    ) -> Result<CopyReport, Error> {
        let source = self.snapshot()?;
        let was_resumed = begin(target, &self.location())?;
        let mut report = CopyReport {
            was_resumed,
            ..CopyReport::default()
        };
        for table in &TABLES {
            let columns = columns(source.db(), target.snapshot()?.db(), table.name)?;
            let plan = Plan { table, columns };
            plan.copy(&source, target, hear)?;
        }
        let copied = target.snapshot()?;
        for table in &TABLES {
            let columns = columns(source.db(), copied.db(), table.name)?;
            let plan = Plan { table, columns };
            let (ours, theirs) = (plan.digest(source.db())?, plan.digest(copied.db())?);
            if ours != theirs {
                return Err(differs(table.name, &ours, &theirs));
            }
            report.rows.push((table.name, ours.n_rows));
        }
        target.write(|tx| {
            tx.db()
                .execute("DELETE FROM meta WHERE key LIKE 'copy:%'", params![])?;
            tx.db().note_ids()?;
            tx.db().note_bulk(&TABLES.map(|table| table.name))
        })?;
        Ok(report)
    }
}

fn differs(table: &'static str, ours: &Digest, theirs: &Digest) -> Error {
    let reason = match ours.n_rows == theirs.n_rows {
        true => format!("the rows of {table} differ"),
        false => format!(
            "{table} has {} rows here and {} there",
            ours.n_rows, theirs.n_rows
        ),
    };
    Error::Invalid {
        field: "target",
        reason: format!(
            "{reason}: one of the databases was written meanwhile; empty the target and copy again"
        ),
    }
}

/// Claims the target for a copy. Answers whether there was one before.
fn begin(target: &Store, from: &str) -> Result<bool, Error> {
    target.write(|tx| {
        let db = tx.db();
        let known = db.row(
            "SELECT value FROM meta WHERE key = 'copy:from'",
            params![],
            |row| row.string(0),
        )?;
        if let Some(known) = known {
            return match known == from {
                true => Ok(true),
                false => Err(Error::Invalid {
                    field: "target",
                    reason: format!("holds an unfinished copy of {known}"),
                }),
            };
        }
        for table in &TABLES {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", table.name);
            if db.number(&sql, params![])? != 0 {
                return Err(Error::Invalid {
                    field: "target",
                    reason: format!(
                        "{} holds data already: name an empty one",
                        target.location()
                    ),
                });
            }
        }
        db.execute(
            "INSERT INTO meta (key, value) VALUES ('copy:from', ?1)",
            params![from],
        )?;
        Ok(false)
    })
}

/// The columns of a table, which have to be the same in both databases.
fn columns(ours: &dyn Session, theirs: &dyn Session, table: &str) -> Result<Vec<Column>, Error> {
    let (mut ours, mut theirs) = (ours.columns(table)?, theirs.columns(table)?);
    ours.sort_by(|one, other| one.name.cmp(&other.name));
    theirs.sort_by(|one, other| one.name.cmp(&other.name));
    match ours == theirs {
        true => Ok(ours),
        false => Err(Error::Invalid {
            field: "target",
            reason: format!("the columns of {table} differ: use one version of this program"),
        }),
    }
}

impl Plan<'_> {
    fn copy(
        &self,
        source: &Snapshot,
        target: &Store,
        hear: &mut dyn FnMut(CopyProgress),
    ) -> Result<(), Error> {
        let mut reached = self.reached(target)?;
        let mut n_rows = 0;
        while reached != Reached::End {
            let mut tx = target.begin()?;
            let (next, n) = match reached {
                Reached::After(first, second) => self.chunk(source.db(), &mut tx, first, second)?,
                _ => self.links(source.db(), &mut tx)?,
            };
            let note = match next {
                Reached::After(first, second) => format!("{first},{second}"),
                Reached::Rows => "rows".to_owned(),
                Reached::End => "end".to_owned(),
            };
            tx.db().execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                params![&self.note(), &note],
            )?;
            tx.commit()?;
            reached = next;
            n_rows += n;
            hear(CopyProgress {
                table: self.table.name,
                n_rows,
            });
        }
        Ok(())
    }

    fn note(&self) -> String {
        format!("copy:{}", self.table.name)
    }

    fn reached(&self, target: &Store) -> Result<Reached, Error> {
        let noted = target.snapshot()?.db().row(
            "SELECT value FROM meta WHERE key = ?1",
            params![&self.note()],
            |row| row.string(0),
        )?;
        Ok(match noted.as_deref() {
            None => Reached::After(i64::MIN, i64::MIN),
            Some("rows") => Reached::Rows,
            Some("end") => Reached::End,
            Some(noted) => {
                let numbers = noted.split_once(',');
                let numbers = numbers
                    .and_then(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)));
                let (first, second) = numbers.ok_or_else(|| Error::BadRow {
                    what: "meta.value of a copy",
                    id: 0,
                    found: noted.to_owned(),
                })?;
                Reached::After(first, second)
            }
        })
    }

    /// Copies the rows after a key, without their links; all of them at once where the table has no key.
    fn chunk(
        &self,
        source: &dyn Session,
        tx: &mut Tx,
        first: i64,
        second: i64,
    ) -> Result<(Reached, u64), Error> {
        let names: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let own: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| Some(column.name.as_str()) != self.table.link)
            .collect();
        let targets: Vec<&str> = own.iter().map(|column| column.name.as_str()).collect();
        let (order, params) = self.after(first, second);
        let db = tx.db();
        let root = match self.table.project.filter(|_| db.has_roots()) {
            Some(project) => format!(
                ", coalesce((SELECT o.root_id FROM positions o WHERE o.project_id = {project}), 0)"
            ),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {}{root} FROM {} t {order}",
            names.join(", "),
            self.table.name
        );
        let (mut n_rows, mut n_bytes) = (0_u64, 0);
        let mut last = (first, second);
        let flow = source.query_until(&sql, &params, &mut |row| {
            let mut values = Vec::with_capacity(own.len());
            for (nth, column) in (0..).zip(&self.columns) {
                if Some(column.name.as_str()) == self.table.link {
                    continue;
                }
                let value = read(row, nth, column)?;
                n_bytes += match value {
                    Value::Text(text) => text.len(),
                    Value::Blob(bytes) => bytes.len(),
                    _ => size_of::<i64>(),
                };
                values.push(value);
            }
            if !root.is_empty() {
                values.push(Value::Root(Root(row.int(self.columns.len())?)));
            }
            db.put_into(self.table.name, &targets, &values)?;
            n_rows += 1;
            if let Some(keys) = self.keys(row)? {
                last = keys;
            }
            let is_full = n_bytes > CHUNK_BYTES && !self.table.key.is_empty();
            Ok(match is_full {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        let is_last =
            flow.is_continue() && (self.table.key.is_empty() || n_rows < CHUNK_ROWS.unsigned_abs());
        let next = match (is_last, self.table.link) {
            (false, _) => Reached::After(last.0, last.1),
            (true, Some(_)) => Reached::Rows,
            (true, None) => Reached::End,
        };
        Ok((next, n_rows))
    }

    /// What comes after a key, in its order, and how much of it.
    fn after(&self, first: i64, second: i64) -> (String, Vec<Value<'static>>) {
        let (first, second) = (Value::Int(first), Value::Int(second));
        match self.table.key {
            [] => (String::new(), Vec::new()),
            [key] => (
                format!("WHERE {key} > ?1 ORDER BY {key} LIMIT ?2"),
                vec![first, Value::Int(CHUNK_ROWS)],
            ),
            keys => (
                format!(
                    "WHERE ({0}) > (?1, ?2) ORDER BY {0} LIMIT ?3",
                    keys.join(", ")
                ),
                vec![first, second, Value::Int(CHUNK_ROWS)],
            ),
        }
    }

    fn keys(&self, row: &dyn Row) -> Result<Option<(i64, i64)>, Error> {
        let at = |key: &str| {
            let nth = self.columns.iter().position(|column| column.name == key);
            row.int(nth.unwrap_or_default())
        };
        Ok(match self.table.key {
            [] => None,
            [key] => Some((at(key)?, 0)),
            [first, second, ..] => Some((at(first)?, at(second)?)),
        })
    }

    /// Sets the links of a table's rows among each other.
    fn links(&self, source: &dyn Session, tx: &mut Tx) -> Result<(Reached, u64), Error> {
        let (Some(link), db) = (self.table.link, tx.db()) else {
            return Ok((Reached::End, 0));
        };
        db.script(
            "CREATE TEMPORARY TABLE IF NOT EXISTS copy_links (id BIGINT PRIMARY KEY, linked BIGINT NOT NULL);
             DELETE FROM copy_links",
        )?;
        let table = self.table.name;
        source.query(
            &format!("SELECT id, {link} FROM {table} WHERE {link} IS NOT NULL ORDER BY id"),
            params![],
            &mut |row| {
                let link = params![row.int(0)?, row.int(1)?];
                db.put_into("copy_links", &["id", "linked"], link)
            },
        )?;
        db.execute(
            &format!(
                "UPDATE {table} SET {link} = l.linked FROM copy_links l WHERE l.id = {table}.id"
            ),
            params![],
        )?;
        db.script("DROP TABLE copy_links")?;
        Ok((Reached::End, 0))
    }

    fn digest(&self, db: &dyn Session) -> Result<Digest, Error> {
        let names: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let mut digest = Digest::default();
        let mut last = (i64::MIN, i64::MIN);
        loop {
            let (order, params) = self.after(last.0, last.1);
            let sql = format!(
                "SELECT {} FROM {} {order}",
                names.join(", "),
                self.table.name
            );
            let mut n_rows = 0;
            db.query(&sql, &params, &mut |row| {
                let mut values = Vec::with_capacity(self.columns.len());
                for (nth, column) in (0..).zip(&self.columns) {
                    values.push(read(row, nth, column)?);
                }
                digest.add(&values);
                n_rows += 1;
                last = self.keys(row)?.unwrap_or(last);
                Ok(())
            })?;
            if self.table.key.is_empty() || n_rows < CHUNK_ROWS {
                return Ok(digest);
            }
        }
    }
}

/// A column's value as both engines mean it.
fn read<'r>(row: &'r dyn Row, nth: usize, column: &Column) -> Result<Value<'r>, Error> {
    match column.is_number {
        true => Ok(row
            .opt_hundredths(nth)?
            .map_or(Value::Null, Value::Hundredths)),
        false => row.value(nth),
    }
}
