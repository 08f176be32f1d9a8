//! A million totals out of a database: read, summed and derived by ours, against what the database does by itself.
//!
//! `cargo bench -p rsr-aggregation --bench databases -- [--quick] [--json] [CASE]`. Both sides start at the same rows and
//! end with one number a period; the sums of those are compared. Peers:
//!
//! - interval: each row's branch is a range of places, summed along an index of places;
//! - prefix: running sums over all places, each branch the difference of two of them;
//! - recursive: each row handed up to all above it by a recursive query, then grouped.
#![expect(clippy::expect_used, reason = "a bench that cannot go on says so")]

use std::hint::black_box;

use postgres::fallible_iterator::FallibleIterator as _;
use rsr_aggregation::{Hundredths, Numbers, Rollup};
use rsr_base::{PeriodId, system_clock};
use rsr_hierarchy::Forest;
use rsr_testkit::{Bench, PostgresDatabase, Seeded};

/// Periods: an id, its parent, its own hundredths, the first and last place of its branch.
type Rows = Vec<(i64, Option<i64>, i64, i64, i64)>;

const PEERS: [(&str, [&str; 2], &str); 3] = [
    (
        "interval sum",
        ["sqlite-interval", "postgres-interval"],
        "SELECT count(*), sum(total) FROM (SELECT a.id AS id, (SELECT sum(b.own) FROM nodes b
             WHERE b.place >= a.place AND b.place <= a.last_place) AS total FROM nodes a) AS totals",
    ),
    (
        "prefix sums",
        ["sqlite-prefix", "postgres-prefix"],
        "WITH running AS MATERIALIZED (SELECT place, sum(own) OVER (ORDER BY place) AS before, own FROM nodes)
         SELECT count(*), sum(z.before - a.before + a.own) FROM nodes n
         JOIN running a ON a.place = n.place JOIN running z ON z.place = n.last_place",
    ),
    (
        "recursive CTE",
        ["sqlite-recursive", "postgres-recursive"],
        "WITH RECURSIVE up(id, own) AS (SELECT id, own FROM nodes UNION ALL
             SELECT n.parent, up.own FROM up JOIN nodes n ON n.id = up.id WHERE n.parent IS NOT NULL)
         SELECT count(*), sum(total) FROM (SELECT id, sum(own) AS total FROM up GROUP BY id) AS totals",
    ),
];

/// The same rows for both engines; PostgreSQL reads `INTEGER PRIMARY KEY` as 32 bits, which these ids fit.
const TABLE: &str = "CREATE TABLE nodes (id BIGINT PRIMARY KEY, parent BIGINT, own BIGINT NOT NULL,
    place BIGINT NOT NULL, last_place BIGINT NOT NULL)";
const INDEX: &str = "CREATE UNIQUE INDEX nodes_by_place ON nodes (place, own)";

fn main() {
    let bench = Bench::from_args("aggregation");
    let rows = rows(if bench.is_quick() { 100_000 } else { 1_000_000 });
    let wants = |nth: usize| PEERS.iter().any(|(_, cases, _)| bench.wants(cases[nth]));
    if wants(0) {
        sqlite(&bench, &rows);
    }
    if wants(1) {
        postgres(&bench, &rows);
    }
}

/// Trees of some hundred periods, three or four levels deep, as copies of indicators down a hierarchy are.
fn rows(n: i64) -> Rows {
    let mut seeded = Seeded::new(1);
    let mut root = 1;
    let links: Vec<(i64, Option<i64>)> = (1..=n)
        .map(|id| {
            if id - root > 300 || id == 1 {
                root = id;
                return (id, None);
            }
            let span = (id - root).min(40).unsigned_abs();
            let above = i64::try_from(seeded.below(span)).expect("less than 40");
            (id, Some(root + above))
        })
        .collect();
    let (forest, _) = Forest::build(links.iter().copied()).expect("a million fits");
    // Places of all trees one after the other, where a forest counts those of each tree.
    let mut rows: Rows = (1..)
        .zip(forest.positions(1))
        .map(|(place, at)| (at.id, None, 0, place, place + at.last_place - at.place))
        .collect();
    rows.sort_unstable();
    for (row, link) in rows.iter_mut().zip(links) {
        row.1 = link.1;
        row.2 = i64::try_from(seeded.below(1_000_000)).expect("it fits");
    }
    rows
}

fn sqlite(bench: &Bench, rows: &Rows) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut db = rusqlite::Connection::open(folder.path().join("nodes.db")).expect("a new file");
    let all = db.transaction().expect("a transaction");
    all.execute_batch(TABLE).expect("a table");
    {
        let sql = "INSERT INTO nodes VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = all.prepare(sql).expect("a statement");
        for row in rows {
            insert.execute(*row).expect("a row");
        }
    }
    all.execute_batch(INDEX).expect("an index");
    all.commit().expect("its end");
    let mut ours = || {
        let mut statement = db
            .prepare("SELECT id, parent, own FROM nodes")
            .expect("rows");
        let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        recompute(all.expect("rows").map(|row| row.expect("a row")))
    };
    let mut theirs = |sql: &str| {
        let answer = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        answer.expect("an answer")
    };
    compare(bench, 0, &mut ours, &mut theirs);
}

fn postgres(bench: &Bench, rows: &Rows) {
    use std::io::Write as _;

    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let connect = || postgres::Client::connect(&database.url(), postgres::NoTls);
    let mut loader = connect().expect("the server runs");
    loader.batch_execute(TABLE).expect("a table");
    let mut lines = loader.copy_in("COPY nodes FROM STDIN").expect("a copy");
    for (id, parent, own, place, last_place) in rows {
        let parent = parent.map_or("\\N".to_owned(), |parent| parent.to_string());
        writeln!(lines, "{id}\t{parent}\t{own}\t{place}\t{last_place}").expect("a line");
    }
    lines.finish().expect("its end");
    loader.batch_execute(INDEX).expect("an index");
    loader
        .batch_execute("VACUUM ANALYZE nodes")
        .expect("statistics");
    loader
        .batch_execute(
            "SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = '256MB'",
        )
        .expect("settings");
    let mut reader = connect().expect("the server runs");
    let mut ours = || {
        let none: [i64; 0] = [];
        let rows = reader.query_raw("SELECT id, parent, own FROM nodes", none);
        let mut rows = rows.expect("rows");
        let next = || {
            let row = rows.next().expect("a row")?;
            Some((row.get(0), row.get(1), row.get(2)))
        };
        recompute(std::iter::from_fn(next))
    };
    let mut theirs = |sql: &str| {
        let sql = sql.replace("sum(total)", "CAST(sum(total) AS BIGINT)");
        let sql = sql.replace(
            "sum(z.before - a.before + a.own)",
            "CAST(sum(z.before - a.before + a.own) AS BIGINT)",
        );
        let row = loader.query_one(&sql, &[]).expect("an answer");
        (row.get(0), row.get(1))
    };
    compare(bench, 1, &mut ours, &mut theirs);
}

/// Ours, whole: the rows into links and own parts, the pass, and each period's total. Answers how many, and their sum.
fn recompute(rows: impl Iterator<Item = (i64, Option<i64>, i64)>) -> (i64, i64) {
    let mut own = Vec::new();
    let links = rows.map(|(id, parent, value)| {
        own.push((PeriodId(id), value));
        (PeriodId(id), parent.map(PeriodId))
    });
    let (mut rollup, broken) = Rollup::new(links).expect("a million fits");
    assert!(broken.is_empty(), "nothing is broken here");
    let mut finder = rollup.order().finder();
    let indices: Vec<Option<u32>> = own.iter().map(|&(id, _)| finder.find(id)).collect();
    for (index, (_, value)) in indices.into_iter().zip(own) {
        let value = Numbers::of_value(Hundredths::from_hundredths(i128::from(value)));
        rollup.set_own_at(index.expect("it was put in"), true, &value);
    }
    rollup.run().expect("sums of a million small numbers fit");
    let mut n = 0;
    let mut sum = 0;
    for total in rollup.totals() {
        let (_, total) = total.expect("it fits");
        n += 1;
        sum += total.numbers.value.expect("a value").hundredths();
    }
    (n, i64::try_from(sum).expect("it fits"))
}

fn compare(
    bench: &Bench,
    engine: usize,
    ours: &mut dyn FnMut() -> (i64, i64),
    theirs: &mut dyn FnMut(&str) -> (i64, i64),
) {
    let clock = system_clock();
    for (peer, cases, sql) in PEERS {
        let case = cases[engine];
        if !bench.wants(case) {
            continue;
        }
        let mut rounds: Vec<(f64, f64)> = (0..3)
            .map(|_| {
                let start = clock.elapsed();
                let mine = black_box(ours());
                let middle = clock.elapsed();
                let other = black_box(theirs(sql));
                let end = clock.elapsed();
                assert_eq!(mine, other, "both come to the same");
                ((middle - start).as_secs_f64(), (end - middle).as_secs_f64())
            })
            .collect();
        rounds.sort_by(|left, right| (left.1 / left.0).total_cmp(&(right.1 / right.0)));
        let (ours, theirs) = rounds[1];
        bench.less(case, peer, "ms", ours * 1e3, theirs * 1e3);
    }
}
