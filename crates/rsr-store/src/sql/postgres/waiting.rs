//! Rows that wait to be stored with others of their table, by `COPY`: one statement for a table and thousands of rows.
//!
//! Source: PostgreSQL's documentation, `COPY`, "Binary Format": a header, for each row the number of its columns and each
//! column with its length before it, and a mark at the end.

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};

use super::numeric;
use crate::sql::{Root, Value};

/// Bytes of rows after which they are sent, whatever comes next.
pub(super) const WAITING_BYTES_MAX: usize = 1 << 20;
/// Bytes of rows from which on they are sent to a server that has nothing to do: little at first, so that it begins, then
/// more, since each statement has its price.
const WORTH_BYTES_MIN: usize = 1 << 16;
/// How often the worth doubles.
const WORTH_DOUBLED: u32 = 3;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: i16 = -1;
const NULL: i32 = -1;

/// Ids that are fetched at once for a table, at first and at most; what a transaction does not use is lost.
const IDS_MIN: i64 = 32;
const IDS_MAX: i64 = 1_024;

/// The rows of one table.
#[derive(Debug)]
pub(super) struct Rows {
    table: String,
    level: u8,
    /// The statement that takes them.
    copy: String,
    data: BytesMut,
}

impl Rows {
    /// The statement that takes them, and all of them with the mark at their end.
    pub(super) fn finish(mut self) -> (String, BytesMut) {
        self.data.put_i16(END);
        (self.copy, self.data)
    }
}

/// What waits on one connection.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tables: Vec<Rows>,
    n_bytes: usize,
    /// How often rows were taken out since everything was forgotten.
    n_taken: u32,
    ids: HashMap<&'static str, Ids>,
}

/// Ids that were fetched and not used yet.
#[derive(Debug)]
struct Ids {
    /// Falling, so that the lowest is taken first.
    left: Vec<i64>,
    n_fetched: i64,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.n_bytes >= WAITING_BYTES_MAX
    }

    pub(super) fn is_worth_sending(&self) -> bool {
        self.n_bytes >= WORTH_BYTES_MIN << self.n_taken.min(WORTH_DOUBLED)
    }

    /// Whether a statement could see that rows are missing. It may be told so of more statements than those.
    pub(super) fn is_missed_by(&self, sql: &str) -> bool {
        !self.is_empty()
            && (!sql.trim_start().starts_with("SELECT")
                || self.tables.iter().any(|rows| sql.contains(&rows.table)))
    }

    pub(super) fn push(
        &mut self,
        (table, level): (&str, u8),
        columns: &[&str],
        id: Option<i64>,
        values: &[Value<'_>],
    ) {
        let known = self.tables.iter().position(|rows| rows.table == table);
        let nth = known.unwrap_or_else(|| {
            let id = if id.is_some() { "id, " } else { "" };
            let is_rooted = values.last().is_some_and(Value::is_root);
            let root = if is_rooted { ", root_id" } else { "" };
            self.tables.push(Rows {
                table: table.to_owned(),
                level,
                copy: format!(
                    "COPY {table} ({id}{}{root}) FROM STDIN BINARY",
                    columns.join(", ")
                ),
                data: BytesMut::from(HEADER),
            });
            self.tables.len() - 1
        });
        let Some(rows) = self.tables.get_mut(nth) else {
            return;
        };
        let before = rows.data.len();
        let n_columns = values.len() + usize::from(id.is_some());
        rows.data.put_i16(i16::try_from(n_columns).unwrap_or(END));
        for value in id.map(Value::Int).iter().chain(values) {
            let own = id.map_or(Value::Null, Value::Int);
            let value = if matches!(value, Value::OwnRoot) {
                own
            } else {
                *value
            };
            write(value, &mut rows.data);
        }
        self.n_bytes += rows.data.len() - before;
    }

    /// Takes out all that waits, in the order in which tables refer to each other.
    pub(super) fn take(&mut self) -> Vec<Rows> {
        self.n_bytes = 0;
        self.n_taken = self.n_taken.saturating_add(1);
        let mut tables = std::mem::take(&mut self.tables);
        tables.sort_by_key(|rows| rows.level);
        tables
    }

    /// The next id of a table; `Err` with how many to fetch where none is left.
    pub(super) fn next_id(&mut self, table: &'static str) -> Result<i64, i64> {
        let Some(ids) = self.ids.get_mut(table) else {
            return Err(IDS_MIN);
        };
        ids.left
            .pop()
            .ok_or_else(|| (ids.n_fetched * 4).min(IDS_MAX))
    }

    /// Takes in ids, the lowest last.
    pub(super) fn fetched(&mut self, table: &'static str, left: Vec<i64>, n_fetched: i64) {
        self.ids.insert(table, Ids { left, n_fetched });
    }

    /// Forgets everything, ids too: those of the next transaction are to be higher than all that others took meanwhile.
    pub(super) fn clear(&mut self) {
        self.tables.clear();
        self.ids.clear();
        self.n_bytes = 0;
        self.n_taken = 0;
    }
}

/// Writes a column: its length and its bytes.
fn write(value: Value<'_>, out: &mut BytesMut) {
    let start = out.len();
    out.put_i32(NULL);
    match value {
        Value::Null | Value::Roots(_) | Value::OwnRoot => return,
        Value::Int(value) | Value::Root(Root(value)) => out.put_i64(value),
        Value::Hundredths(value) => numeric::write(value, out),
        Value::Text(value) => out.put_slice(value.as_bytes()),
        Value::Blob(value) => out.put_slice(value),
    }
    let n = i32::try_from(out.len() - start - size_of::<i32>()).unwrap_or(i32::MAX);
    if let Some(length) = out.get_mut(start..start + size_of::<i32>()) {
        length.copy_from_slice(&n.to_be_bytes());
    }
}
