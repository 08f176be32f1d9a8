//! The walker over a generated forest against the bare driver: its keyset loop, and paging by OFFSET.
//!
//! `cargo bench -p rsr-store --bench hierarchy -- [--quick] [--json] [CASE]`. A full run makes a million projects in
//! SQLite and in a PostgreSQL server of its own; a quick one a tenth of them. Ours and the peer run in turn, and the
//! median of the rounds' ratios counts. Growth is the exponent between a node of 50,000 children and one of 200,000.
#![expect(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on says so, and prints figures to a few digits"
)]

mod bare;
mod bare_postgres;
mod bare_sqlite;
mod ours;

use postgres::{Client, NoTls};
use rsr_base::system_clock;
use rsr_hierarchy::SortField;
use rsr_settings::Settings;
use rsr_store::{Error, Store};
use rsr_testkit::{Bench, Forest, PostgresDatabase};

use bare::{Peer, Walk};
use bare_postgres::BarePostgres;
use bare_sqlite::BareSqlite;
use ours::Walk as Ours;

const CHUNK: usize = 500;
const NEWEST: Ours = Ours::Children(SortField::Id);

fn main() {
    let bench = Bench::from_args("hierarchy");
    let forest = if bench.is_quick() {
        Forest::short()
    } else {
        Forest::full()
    };
    if SQLITE.are_wanted(&bench) {
        sqlite(&bench, forest);
    }
    if POSTGRES.are_wanted(&bench) {
        postgres(&bench, forest);
    }
}

fn sqlite(bench: &Bench, forest: Forest) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("forest.db");
    let store = open(&format!("sqlite://{}", path.display()));
    let filled =
        rusqlite::Connection::open(&path).and_then(|db| db.execute_batch(&forest.sqlite()));
    filled.expect("a forest of this size fits");
    number(&store);
    let mut peer = BareSqlite::open(&path);
    Comparison::new(bench, forest, &store, &mut peer).run(&SQLITE);
}

fn postgres(bench: &Bench, forest: Forest) {
    let Some(database) = PostgresDatabase::make() else {
        return;
    };
    let url = database.url();
    let store = open(&url);
    let mut client = Client::connect(&url, NoTls).expect("the server runs");
    client
        .batch_execute(&forest.postgres())
        .expect("a forest of this size fits");
    number(&store);
    let mut peer = BarePostgres::open(&url);
    Comparison::new(bench, forest, &store, &mut peer).run(&POSTGRES);
}

fn open(url: &str) -> Store {
    let mut settings = Settings::default().database;
    settings.url = url.parse().expect("an address");
    Store::open(&settings, system_clock()).expect("a new database")
}

fn number(store: &Store) {
    let numbered: Result<(), Error> = store.write(|tx| tx.rebuild_positions());
    numbered.expect("the tree can be numbered");
}

/// The names of one engine's cases.
struct Cases {
    keyset: &'static str,
    offset: &'static str,
    title: &'static str,
    stream: &'static str,
    growth_rows: &'static str,
    growth_steps: &'static str,
    growth_time: &'static str,
}

impl Cases {
    fn are_wanted(&self, bench: &Bench) -> bool {
        let of_growth = [self.growth_rows, self.growth_steps, self.growth_time];
        let of_reading = [self.keyset, self.offset, self.title, self.stream];
        let mut all = of_reading.iter().chain(&of_growth);
        all.any(|case| bench.wants(case))
    }
}

const SQLITE: Cases = Cases {
    keyset: "sqlite-children",
    offset: "sqlite-offset",
    title: "sqlite-by-title",
    stream: "sqlite-stream",
    growth_rows: "sqlite-growth-rows",
    growth_steps: "sqlite-growth-steps",
    growth_time: "sqlite-growth-time",
};

const POSTGRES: Cases = Cases {
    keyset: "postgres-children",
    offset: "postgres-offset",
    title: "postgres-by-title",
    stream: "postgres-stream",
    growth_rows: "postgres-growth-rows",
    growth_steps: "",
    growth_time: "postgres-growth-time",
};

/// One database with both sides.
struct Comparison<'a> {
    bench: &'a Bench,
    forest: Forest,
    store: &'a Store,
    peer: &'a mut dyn Peer,
    rounds: usize,
}

impl<'a> Comparison<'a> {
    fn new(bench: &'a Bench, forest: Forest, store: &'a Store, peer: &'a mut dyn Peer) -> Self {
        Self {
            bench,
            forest,
            store,
            peer,
            rounds: 5,
        }
    }

    fn run(&mut self, cases: &Cases) {
        let n_wide = self.forest.n_wide;
        let wide = Forest::WIDE;
        self.compare(
            cases.keyset,
            "keyset loop",
            NEWEST,
            Walk::Keyset,
            wide,
            n_wide,
        );
        self.compare(cases.offset, "OFFSET", NEWEST, Walk::Offset, wide, n_wide);
        let by_title = Ours::Children(SortField::Title);
        self.compare(cases.title, "by id", by_title, Walk::Keyset, wide, n_wide);
        let n_below = self.forest.n_projects - 1;
        self.compare(
            cases.stream,
            "range scan",
            Ours::Descendants,
            Walk::Places,
            1,
            n_below,
        );
        self.growth(cases);
    }

    /// Seconds for the whole walk, in turn.
    fn compare(
        &mut self,
        case: &'static str,
        peer_name: &'static str,
        ours: Ours,
        theirs: Walk,
        of: i64,
        n: u64,
    ) {
        if !self.bench.wants(case) {
            return;
        }
        // Paging by OFFSET takes minutes at full size, and loses by far.
        let rounds = if theirs == Walk::Offset {
            1
        } else {
            self.rounds
        };
        let mut all: Vec<(f64, f64)> = (0..rounds)
            .map(|_| {
                let ours = self.time(|this| assert_eq!(this.ours(ours, of, n).n, n, "all of them"));
                // The tree's scan has the top itself in it.
                let n_theirs = n + u64::from(theirs == Walk::Places);
                let theirs = self.time(|this| {
                    let found = this.peer.walk(theirs, of, n_theirs, CHUNK);
                    assert_eq!(found, n_theirs, "all of them");
                });
                (ours, theirs)
            })
            .collect();
        all.sort_by(|left, right| (left.1 / left.0).total_cmp(&(right.1 / right.0)));
        let (ours, theirs) = all[all.len() / 2];
        self.bench
            .less(case, peer_name, "ms", ours * 1e3, theirs * 1e3);
    }

    /// How figures grow from a node to one with four times its children.
    fn growth(&mut self, cases: &Cases) {
        let (few, many) = (self.forest.n_wide / 4, self.forest.n_wide);
        let exponent = |few: f64, many: f64| (many / few).log(4.0);
        if self.bench.wants(cases.growth_rows) || self.bench.wants(cases.growth_steps) {
            let small = self.ours(NEWEST, Forest::LESS_WIDE, few);
            let large = self.ours(NEWEST, Forest::WIDE, many);
            let rows = exponent(small.n_rows as f64, large.n_rows as f64);
            self.bench
                .less(cases.growth_rows, "limit", "exponent", rows, 1.05);
            if let (Some(small), Some(large)) = (small.n_steps, large.n_steps) {
                let steps = exponent(small as f64, large as f64);
                self.bench
                    .less(cases.growth_steps, "limit", "exponent", steps, 1.05);
            }
        }
        if self.bench.wants(cases.growth_time) {
            let mut ours = Vec::new();
            let mut theirs = Vec::new();
            for round in 0..self.rounds {
                let small = self.time(|this| this.ours(NEWEST, Forest::LESS_WIDE, few));
                let large = self.time(|this| this.ours(NEWEST, Forest::WIDE, many));
                ours.push(exponent(small, large));
                // Paging by OFFSET takes long, and its exponent says the same each time.
                if round == 0 {
                    let mut offset =
                        |of, n| self.time(|this| this.peer.walk(Walk::Offset, of, n, CHUNK));
                    let (small, large) =
                        (offset(Forest::LESS_WIDE, few), offset(Forest::WIDE, many));
                    theirs.push(exponent(small, large));
                }
            }
            ours.sort_by(f64::total_cmp);
            let (ours, theirs) = (ours[ours.len() / 2], theirs[0]);
            self.bench
                .less(cases.growth_time, "OFFSET", "exponent", ours, theirs);
        }
    }

    fn ours(&self, walk: Ours, of: i64, n: u64) -> ours::Cost {
        let n = usize::try_from(n).expect("it fits");
        ours::walk(self.store, walk, of, n, CHUNK)
    }

    fn time<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> f64 {
        let clock = system_clock();
        let start = clock.elapsed();
        std::hint::black_box(work(self));
        (clock.elapsed() - start).as_secs_f64()
    }
}
