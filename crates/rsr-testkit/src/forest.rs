//! A tree of projects of any size, made inside the database.
//!
//! What makes it is text: a database fills itself faster than rows can be handed to it, and this crate needs no driver.

/// A tree of projects below project 1: a node of very many children, one of a quarter of them, a long chain, and the
/// rest bushy. The same in every run and on both databases.
///
/// Children of the two wide nodes lie among all ids, as they do where projects are stored over years. Ids are 1 to
/// `n_projects`; the positions are not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forest {
    /// All projects.
    pub n_projects: u64,
    /// Children of [`Forest::WIDE`]; a fourth as many are below [`Forest::LESS_WIDE`].
    pub n_wide: u64,
    /// Projects of the chain.
    pub n_levels: u64,
}

/// How a database writes what not all write alike.
struct Dialect {
    /// Opens a statement about the numbers `i` from 1 on; `LAST` is the last.
    numbers: &'static str,
    uuid: &'static str,
    day: &'static str,
}

const SQLITE: Dialect = Dialect {
    numbers: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < LAST) ",
    uuid: "CAST(printf('%016d', i) AS BLOB)",
    day: "date('2000-01-01', (i % 9000) || ' days')",
};

const POSTGRES: Dialect = Dialect {
    numbers: "WITH n(i) AS (SELECT generate_series(CAST(1 AS BIGINT), LAST)) ",
    uuid: "convert_to(lpad(CAST(i AS TEXT), 16, '0'), 'UTF8')",
    day: "to_char(date '2000-01-01' + CAST(i % 9000 AS INTEGER), 'YYYY-MM-DD')",
};

impl Forest {
    /// The node of `n_wide` children.
    pub const WIDE: i64 = 2;
    /// The node of a fourth as many.
    pub const LESS_WIDE: i64 = 3;

    /// A million projects: a node of 200,000 children and one of 50,000, a chain of 10,000 levels.
    #[must_use]
    pub fn full() -> Self {
        Self {
            n_projects: 1_000_000,
            n_wide: 200_000,
            n_levels: 10_000,
        }
    }

    /// The shape of [`Forest::full`], a tenth of it.
    #[must_use]
    pub fn short() -> Self {
        Self {
            n_projects: 100_000,
            n_wide: 20_000,
            n_levels: 1_000,
        }
    }

    /// Statements that fill an empty SQLite database of rsr's schema.
    ///
    /// # Panics
    ///
    /// Where the wide nodes and the chain leave no room for one another.
    #[must_use]
    pub fn sqlite(&self) -> String {
        self.script(&SQLITE)
    }

    /// Statements that fill an empty PostgreSQL database of rsr's schema.
    ///
    /// # Panics
    ///
    /// As [`Forest::sqlite`].
    #[must_use]
    pub fn postgres(&self) -> String {
        let sequence = "SELECT setval(pg_get_serial_sequence('projects', 'id'), (SELECT max(id) FROM projects));";
        // The column that only this engine has: the one tree's top.
        let script = self.script(&POSTGRES).replace("/*!", "").replace("*/", "");
        format!("{script}\n{sequence}\nANALYZE;")
    }

    fn script(&self, dialect: &Dialect) -> String {
        let Self {
            n_projects,
            n_wide,
            n_levels,
        } = *self;
        let first_level = n_projects.saturating_sub(n_levels) + 1;
        assert!(
            n_wide >= 4 && n_wide * 4 < first_level,
            "the wide nodes take every fourth id, up to where the chain begins"
        );
        let Dialect { numbers, uuid, day } = dialect;
        let numbers = numbers.replace("LAST", &n_projects.to_string());
        let (wide, less_wide, n_less) = (Self::WIDE, Self::LESS_WIDE, n_wide / 4);
        // Every fourth id goes below the one wide node, every fourth below the other; what is left is at most two dozen to a parent.
        let parent = format!(
            "CASE WHEN i = 1 THEN NULL
                  WHEN i <= 3 OR i = {first_level} THEN 1
                  WHEN i > {first_level} THEN i - 1
                  WHEN i % 4 = 0 AND i <= {n_wide} * 4 THEN {wide}
                  WHEN i % 4 = 2 AND i < {n_less} * 4 + 4 THEN {less_wide}
                  WHEN i < 32 THEN 1
                  ELSE i / 24 * 4 + 1 END"
        );
        format!(
            "BEGIN;
INSERT INTO organisations (id, ref, name) {numbers} SELECT i, 'XM-' || i, 'Organisation ' || i FROM n WHERE i <= 20;
INSERT INTO projects (id, uuid, parent_id, title, title_folded, subtitle, planned_start, planned_end, is_published,
    is_public, organisation_id, created_ms, changed_ms /*!, root_id */)
{numbers} SELECT i, {uuid}, {parent}, 'Water point ' || (i * 7919 % {n_projects}), 'water point ' || (i * 7919 % {n_projects}),
    'In district ' || (i % 97), {day}, CASE WHEN i % 3 = 0 THEN {day} END, 1, 1, i % 20 + 1, 0, 0 /*!, 1 */ FROM n;
INSERT INTO sectors (project_id, place, vocabulary, code, percentage, name /*!, root_id */)
{numbers} SELECT i, 0, '1', '140' || (i % 90 + 10), NULL, 'Water supply' /*!, 1 */ FROM n;
INSERT INTO recipient_countries (project_id, place, code, percentage /*!, root_id */)
{numbers} SELECT i, 1, CASE WHEN i % 2 = 0 THEN 'KE' ELSE 'ML' END, NULL /*!, 1 */ FROM n;
COMMIT;"
        )
    }
}
