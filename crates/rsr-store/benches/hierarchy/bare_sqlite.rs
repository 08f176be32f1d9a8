//! The peer over rusqlite.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, params};

use crate::bare::{Bare, BareRow, Peer, RELATED, Walk, index};

/// A connection with the page cache that the store gives its readers.
#[derive(Debug)]
pub(crate) struct BareSqlite {
    connection: Connection,
    related: [String; RELATED.len()],
}

impl BareSqlite {
    pub(crate) fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).expect("the file that was made");
        connection
            .execute_batch("PRAGMA cache_size = -2048")
            .expect("a pragma");
        Self {
            connection,
            related: RELATED.map(|sql| sql.replace("IDS", "(SELECT value FROM json_each(?1))")),
        }
    }
}

impl BareRow for Row<'_> {
    fn int(&self, column: usize) -> Option<i64> {
        self.get(column).expect("a number")
    }

    fn text(&self, column: usize) -> Option<String> {
        self.get(column).expect("a text")
    }

    fn bytes(&self, column: usize) -> Vec<u8> {
        self.get(column).expect("bytes")
    }
}

impl Peer for BareSqlite {
    fn walk(&mut self, walk: Walk, of: i64, n_max: u64, chunk: usize) -> u64 {
        let sql = walk.sql();
        let limit = i64::try_from(chunk).expect("a small number");
        let mut from = walk.start();
        let mut n = 0;
        self.connection
            .execute_batch("BEGIN")
            .expect("a transaction");
        while n < n_max {
            let mut statement = self.connection.prepare_cached(&sql).expect("a statement");
            let rows =
                statement.query_map(params![of, from, limit], |row| Ok(Bare::read(walk, row)));
            let mut all: Vec<Bare> = rows
                .expect("an answer")
                .collect::<Result<_, _>>()
                .expect("rows");
            let Some(next) = walk.next(from, &all) else {
                break;
            };
            from = next;
            let places = index(&all);
            let ids: Vec<String> = all.iter().map(|bare| bare.id.to_string()).collect();
            let ids = format!("[{}]", ids.join(","));
            for (nth, sql) in (0..).zip(&self.related) {
                let mut statement = self.connection.prepare_cached(sql).expect("a statement");
                let mut rows = statement.query([&ids]).expect("an answer");
                while let Some(row) = rows.next().expect("a row") {
                    let place = row.int(0).and_then(|id| places.get(&id).copied());
                    if let Some(bare) = place.and_then(|place| all.get_mut(place)) {
                        bare.take(nth, row);
                    }
                }
            }
            n += std::hint::black_box(all).len() as u64;
        }
        self.connection.execute_batch("COMMIT").expect("its end");
        n
    }
}
