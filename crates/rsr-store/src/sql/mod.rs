//! The seam between this crate's statements and a database engine.
//!
//! Statements are written once, in the common part of SQLite's and PostgreSQL's dialects, with `?1`, `?2` … for
//! parameters, and a cast where the type of a parameter does not follow from its place. An engine is one implementation of [`Engine`] and [`Session`], with a schema of its own; nothing above
//! this module names an engine.
//!
//! Where rows can be spread over servers, each has the root of its tree beside its key, and statements say in which tree they
//! look: see [`roots`]. That is written as `/*! AND p.root_id = ?root */`: a comment to an engine that keeps all rows in one
//! place, a part of the statement to one that does not.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rsr_base::ByteSize;

use crate::error::Error;
use meeting::{Meeting, Word};

pub(crate) mod meeting;
pub(crate) mod postgres;
pub(crate) mod roots;
pub(crate) mod sqlite;

pub(crate) use roots::{Root, Roots};

/// A database that connections can be opened to.
pub(crate) trait Engine: Send + Sync + Debug {
    /// Opens a connection for one role.
    fn connect(&self, role: Role) -> Result<Box<dyn Session>, Error>;
    /// Brings the schema up to date, under the engine's lock. Answers the version before.
    fn migrate(&self, now_ms: i64) -> Result<i64, Error>;
    /// Where the database is, for people: without a password.
    fn location(&self) -> String;
    /// The file it lies in, where it lies in one.
    fn file(&self) -> Option<&Path>;
    /// Whether transactions of [`Begin::Work`] can be open side by side.
    fn has_workers_side_by_side(&self) -> bool {
        false
    }
    /// Brings what was written into the file itself, where the engine keeps it apart at first.
    fn checkpoint(&self) -> Result<(), Error> {
        Ok(())
    }
    fn schema_version(&self, db: &dyn Session) -> Result<i64, Error>;
    /// Another number once anybody has written; see [`Store::version`](crate::Store::version).
    fn data_version(&self, db: &dyn Session) -> Result<i64, Error>;
    fn size(&self, db: &dyn Session) -> Result<ByteSize, Error>;
    /// What the engine itself finds wrong with the database, about `n` complaints at most.
    fn complaints(&self, db: &dyn Session, n: usize) -> Result<Vec<String>, Error>;
    /// Writes a copy of the database as it is at this moment to a file that is not there yet.
    fn copy_to(&self, target: &Path) -> Result<(), Error>;
    /// How machines that share the database meet; `None` where it belongs to one.
    fn meeting(&self) -> Option<&dyn Meeting> {
        None
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Reader,
    Writer,
}

/// How a transaction sees the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Repeatable reads from its first statement on, no writes.
    Read,
    /// Takes the write lock at once.
    Write,
    /// Takes its part of the write lock at once: nobody else changes data meanwhile but others of this kind, who keep to
    /// what they hold by [`Session::hold`]. An engine that has one writer alone takes it for [`Begin::Write`].
    Work {
        /// After so long without a statement the engine gives the transaction up, with all that it holds.
        silence_max: Duration,
    },
}

/// One connection. Statements are prepared once and kept, up to a bound.
pub(crate) trait Session: Send + Debug {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<usize, Error>;
    /// Stores a row, with its root where the last of the values is one. It may wait and go with others, but is there for any statement that could miss it, and what is
    /// wrong with it is told by that statement or by the commit at the latest. For rows that come by the thousand.
    fn put(&self, into: &Table, values: &[Value<'_>]) -> Result<(), Error> {
        self.put_into(into.name, into.columns, values)
    }
    /// As [`Session::put`], into a table whose columns are known when the program runs. What its rows refer to is there.
    fn put_into(&self, name: &str, columns: &[&str], values: &[Value<'_>]) -> Result<(), Error> {
        self.execute(&insert(name, columns), values).map(|_one| ())
    }
    /// As [`Session::put`], for a table whose rows get an id of their own. Answers it.
    fn put_new(&self, into: &Table, values: &[Value<'_>]) -> Result<i64, Error>;
    /// As [`Session::query_until`], but may miss rows that were put in this transaction: for who knows these anyway. Where a
    /// connection breaks it may begin anew, and hand over rows twice.
    fn query_stored(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.query_until(sql, params, each)
    }
    /// Calls `each` with every row, in order, until it breaks. `each` must not use the session. Answers whether it broke.
    fn query_until(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error>;
    /// Calls `each` with every row, in order. `each` must not use the session.
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut every = |row: &dyn Row| each(row).map(ControlFlow::Continue);
        self.query_until(sql, params, &mut every).map(|_whole| ())
    }
    /// Whether rows have the root of their tree beside their key, so that statements can name it: see [`roots`].
    fn has_roots(&self) -> bool {
        false
    }
    /// Brings the roots of rows up to date with positions that this transaction changed, before something reads them. A
    /// commit does so anyway.
    fn settle_roots(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Gives every project the root that its position says, all in one look at them.
    fn follow_positions(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Gives every row the root that its project's position says, also where no position changed.
    fn mend_roots(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Whether each statement is a round trip to a server, so that many changes are better sent together.
    fn is_remote(&self) -> bool {
        false
    }
    /// Makes an empty table that no other connection sees, of columns with their types; its rows go with the transaction.
    /// For engines that are [remote](Session::is_remote).
    fn make_room(&self, _table: &str, _columns: &[(&str, &str)]) -> Result<(), Error> {
        Ok(())
    }
    /// The columns of a table.
    fn columns(&self, table: &str) -> Result<Vec<Column>, Error>;
    /// Tells the engine that rows came with ids, where it does not see that itself: its next ids are to be higher.
    fn note_ids(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Tells the engine that much was written to some tables, or to `table (columns)`, where its plans depend on what it
    /// knows of them.
    fn note_bulk(&self, _tables: &[&str]) -> Result<(), Error> {
        Ok(())
    }
    fn begin(&self, begin: Begin) -> Result<(), Error>;
    fn commit(&self) -> Result<(), Error>;
    /// Commits as far as can be done while more is written: `Some` says that this is on its way, and that another
    /// transaction is open, with nobody's writing in between. It has how many of the latest that were committed so, with
    /// this one, may not be seen yet; all before are seen by everybody. What went wrong is told by what comes next, and
    /// [`Session::query_stored`] may miss rows of those and of the one that is open. All of it outlives the server's breakdown
    /// once the transaction was ended in another way, and not before. `None` says that nothing was done: the engine commits at once or
    /// not at all, or somebody else waits to write.
    fn commit_behind(&self) -> Result<Option<usize>, Error> {
        Ok(None)
    }
    /// Waits for what was committed behind.
    fn wait_behind(&self) -> Result<(), Error> {
        Ok(())
    }
    /// How many of the latest that were committed behind may not be seen, also where something went wrong with them.
    fn n_unseen(&self) -> usize {
        0
    }
    /// Says, right after [`Session::commit_behind`], that it may be long until more comes: a while later the engine may end
    /// the transaction, whose end is waited for then, and let others write. Answers whether it will.
    fn rest(&self) -> bool {
        false
    }
    /// Ends that. Answers whether the transaction is still open.
    fn end_rest(&self) -> Result<bool, Error> {
        Ok(true)
    }
    fn rollback(&self) -> Result<(), Error>;
    /// Whether a transaction is open: some errors end it in the engine.
    fn in_transaction(&self) -> bool;
    /// Holds a number until the transaction ends, and waits for others that hold it. Nothing to do where a
    /// writer is alone.
    fn hold(&self, _number: i64) -> Result<(), Error> {
        Ok(())
    }
    /// The same without waiting. Answers whether it holds the number.
    fn try_hold(&self, _number: i64) -> Result<bool, Error> {
        Ok(true)
    }
    /// Says a word to all machines, which hear it once the transaction is kept. Nothing where there are no others.
    fn tell(&self, _word: Word) -> Result<(), Error> {
        Ok(())
    }
    /// Runs a script of many statements without parameters.
    fn script(&self, sql: &str) -> Result<(), Error>;
    /// What was read through it since it was opened.
    fn work(&self) -> Work;
}

/// What reading has cost, in figures that no other load of the machine changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Rows that the engine handed over.
    pub n_rows: u64,
    /// Steps of SQLite's virtual machine; `None` where the engine does not count.
    pub n_steps: Option<u64>,
}

/// A table as [`Session::put`] fills it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Tables whose rows it refers to have a lower one.
    pub(crate) level: u8,
    /// The columns that are given, without an id that the database gives.
    pub(crate) columns: &'static [&'static str],
}

/// The statement that stores one row.
fn insert(table: &str, columns: &[&str]) -> String {
    let mut sql = format!("INSERT INTO {table} ({}) VALUES (", columns.join(", "));
    for nth in 1..=columns.len() {
        sql.push_str(if nth == 1 { "?" } else { ", ?" });
        sql.push_str(&nth.to_string());
    }
    sql.push(')');
    sql
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether it holds hundredths.
    pub(crate) is_number: bool,
}

/// Takes one row after the other, and says whether to go on.
pub(crate) type EachRow<'e> = &'e mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, Error>;

/// A row while it is being read.
pub(crate) trait Row {
    fn opt_int(&self, column: usize) -> Result<Option<i64>, Error>;
    fn opt_text(&self, column: usize) -> Result<Option<&str>, Error>;
    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, Error>;
    /// Hundredths: an integer, or the text of one too long for 64 bits.
    fn opt_hundredths(&self, column: usize) -> Result<Option<i128>, Error>;

    /// Whatever it holds; hundredths as the engine keeps them.
    fn value(&self, column: usize) -> Result<Value<'_>, Error>;

    fn int(&self, column: usize) -> Result<i64, Error> {
        Ok(self.opt_int(column)?.unwrap_or_default())
    }

    fn text(&self, column: usize) -> Result<&str, Error> {
        Ok(self.opt_text(column)?.unwrap_or_default())
    }

    fn string(&self, column: usize) -> Result<String, Error> {
        self.text(column).map(str::to_owned)
    }

    fn opt_string(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(self.opt_text(column)?.map(str::to_owned))
    }

    fn flag(&self, column: usize) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    Hundredths(i128),
    /// What `?root` stands for: the last parameter, or nothing to an engine without roots.
    Root(Root),
    /// What `?roots` stands for, in its place.
    Roots(&'a Roots),
    /// The root of a new row that is one itself: its own id.
    OwnRoot,
}

impl Value<'_> {
    /// Whether it is a parameter only where there are roots.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self, Self::Root(_) | Self::Roots(_) | Self::OwnRoot)
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! value_from {
    ($($from:ty => |$value:ident| $to:expr;)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self { $to }
        }
    )*};
}

value_from! {
    i64 => |value| Value::Int(value);
    &i64 => |value| Value::Int(*value);
    bool => |value| Value::Int(i64::from(value));
    &'a str => |value| Value::Text(value);
    &'a String => |value| Value::Text(value);
    &'a [u8] => |value| Value::Blob(value);
    Root => |root| Value::Root(root);
    &'a Roots => |roots| Value::Roots(roots);
    rsr_base::ProjectId => |id| Value::Int(id.0);
    rsr_base::ResultId => |id| Value::Int(id.0);
    rsr_base::IndicatorId => |id| Value::Int(id.0);
    rsr_base::PeriodId => |id| Value::Int(id.0);
    rsr_base::UpdateId => |id| Value::Int(id.0);
    rsr_base::DimensionNameId => |id| Value::Int(id.0);
    rsr_base::DimensionValueId => |id| Value::Int(id.0);
    rsr_base::OrganisationId => |id| Value::Int(id.0);
    rsr_base::UserId => |id| Value::Int(id.0);
    rsr_base::JobId => |id| Value::Int(id.0);
}

/// The rows of the list in ?1, as made by [`id_list`].
pub(crate) const IDS: &str = "(SELECT value FROM json_each(?1))";

/// Ids as one parameter, so that a statement is prepared once for any number of them.
pub(crate) fn id_list(ids: impl Iterator<Item = i64>) -> String {
    let mut list = String::from("[");
    for id in ids {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&id.to_string());
    }
    list.push(']');
    list
}

/// The parameters of a statement, each converted to a [`Value`].
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
pub(crate) use params;

/// What every caller wants besides the two calls of [`Session`].
/// The last row that is handed over, mapped.
fn last<T>(
    mut map: impl FnMut(&dyn Row) -> Result<T, Error>,
    ask: impl FnOnce(EachRow<'_>) -> Result<ControlFlow<()>, Error>,
) -> Result<Option<T>, Error> {
    let mut found = None;
    let flow = ask(&mut |row| {
        found = Some(map(row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    debug_assert!(flow.is_continue(), "nothing breaks it");
    Ok(found)
}

impl dyn Session + '_ {
    /// The rows, each mapped.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.query(sql, params, &mut |row| {
            all.push(map(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The last row, where there is one; as [`Session::query_stored`] finds it.
    pub(crate) fn stored_row<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        map: impl FnMut(&dyn Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        last(map, |each| self.query_stored(sql, params, each))
    }

    /// The last row, where there is one.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        map: impl FnMut(&dyn Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        last(map, |each| self.query_until(sql, params, each))
    }

    /// The first column of the last row as a number; 0 where there is no row or no number.
    pub(crate) fn number(&self, sql: &str, params: &[Value<'_>]) -> Result<i64, Error> {
        Ok(self.row(sql, params, |row| row.int(0))?.unwrap_or_default())
    }
}
