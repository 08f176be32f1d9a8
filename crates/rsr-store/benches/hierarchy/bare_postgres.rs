//! The peer over the `postgres` driver.

use postgres::{Client, NoTls, Row, Statement};

use crate::bare::{Bare, BareRow, Peer, RELATED, Walk, index};

/// A connection with the statements it needs.
pub(crate) struct BarePostgres {
    client: Client,
    related: Vec<Statement>,
}

impl BarePostgres {
    pub(crate) fn open(url: &str) -> Self {
        let mut client = Client::connect(url, NoTls).expect("the server that was started");
        client.batch_execute("SET jit = off").expect("a setting");
        let prepare = |sql: &&str| {
            let sql = sql.replace("IN IDS", "= ANY($1)");
            client.prepare(&sql).expect("a statement")
        };
        Self {
            related: RELATED.iter().map(prepare).collect(),
            client,
        }
    }
}

impl BareRow for Row {
    fn int(&self, column: usize) -> Option<i64> {
        self.get(column)
    }

    fn text(&self, column: usize) -> Option<String> {
        self.get(column)
    }

    fn bytes(&self, column: usize) -> Vec<u8> {
        self.get(column)
    }
}

impl Peer for BarePostgres {
    fn walk(&mut self, walk: Walk, of: i64, n_max: u64, chunk: usize) -> u64 {
        let limit = i64::try_from(chunk).expect("a small number");
        let mut from = walk.start();
        let mut n = 0;
        let sql = walk.sql().replace('?', "$");
        let mut moment = self.client.transaction().expect("a transaction");
        let statement = moment.prepare(&sql).expect("a statement");
        while n < n_max {
            let rows = moment
                .query(&statement, &[&of, &from, &limit])
                .expect("an answer");
            let mut all: Vec<Bare> = rows.iter().map(|row| Bare::read(walk, row)).collect();
            let Some(next) = walk.next(from, &all) else {
                break;
            };
            from = next;
            let places = index(&all);
            let ids: Vec<i64> = all.iter().map(|bare| bare.id).collect();
            for (nth, statement) in (0..).zip(&self.related) {
                for row in moment.query(statement, &[&ids]).expect("an answer") {
                    let place = row.int(0).and_then(|id| places.get(&id).copied());
                    if let Some(bare) = place.and_then(|place| all.get_mut(place)) {
                        bare.take(nth, &row);
                    }
                }
            }
            n += std::hint::black_box(all).len() as u64;
        }
        drop(moment);
        n
    }
}
