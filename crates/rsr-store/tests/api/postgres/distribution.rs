//! A database prepared for a distributed server.

use std::sync::Arc;

use ::postgres::Client;
use rsr_store::Store;
use rsr_testkit::ManualClock;

use super::example::number;
use super::import::{activity, file, import};
use super::migrations::of_version_2;
use super::server::client;

use super::roots::{SPREAD, filled, rows, untrue, without_root};

const NARROW: &str = include_str!("../../../src/sql/postgres/0007_narrow.sql");
const DISTRIBUTE: &str = include_str!("../../../../../docs/deploy/distribute.sql");

/// Lets the server itself judge that rows can be spread by their root: it partitions only what holds the column in every key.
fn spread(client: &mut Client) {
    client.batch_execute("CREATE SCHEMA spread").unwrap();
    for (table, _, _) in SPREAD {
        client
            .batch_execute(&format!(
                "CREATE TABLE spread.{table} (LIKE public.{table} INCLUDING DEFAULTS) PARTITION BY HASH (root_id);
                 CREATE TABLE spread.{table}_0 PARTITION OF spread.{table} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                 CREATE TABLE spread.{table}_1 PARTITION OF spread.{table} FOR VALUES WITH (MODULUS 2, REMAINDER 1);
                 INSERT INTO spread.{table} SELECT * FROM public.{table}"
            ))
            .unwrap();
    }
    let spread: Vec<String> = SPREAD
        .iter()
        .map(|(name, _, _)| format!("'{name}'"))
        .collect();
    let keys = format!(
        "SELECT replace(pg_get_indexdef(i.indexrelid), ' ON public.', ' ON spread.')
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relname IN ({}) AND c.relnamespace = CAST('public' AS regnamespace) AND i.indisunique",
        spread.join(", ")
    );
    let references = format!(
        "SELECT format('ALTER TABLE spread.%I ADD %s', c.relname,
             regexp_replace(pg_get_constraintdef(f.oid), 'REFERENCES (public\\.)?', 'REFERENCES spread.'))
         FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class o ON o.oid = f.confrelid
         WHERE c.relname IN ({0}) AND o.relname IN ({0}) AND f.contype = 'f' AND f.conparentid = 0
             AND c.relnamespace = CAST('public' AS regnamespace)",
        spread.join(", ")
    );
    for definitions in [keys, references] {
        let definitions = rows(client, &definitions);
        assert!(definitions.len() > 20, "{definitions:#?}");
        for definition in definitions {
            client
                .batch_execute(&definition)
                .unwrap_or_else(|error| panic!("{definition}: {error:?}"));
        }
    }
}

/// A database that comes from before step 5 keeps what step 7 takes away elsewhere.
#[test]
fn a_distribution_of_an_old_database_has_the_root_in_every_key() {
    let Some((_database, settings, mut client)) = of_version_2() else {
        return;
    };
    Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    let mut tx = client.transaction().unwrap();
    tx.batch_execute(NARROW).unwrap();
    tx.batch_execute(DISTRIBUTE).unwrap();
    tx.commit().unwrap();
    assert_eq!(without_root(&mut client), Vec::<String>::new());
    spread(&mut client);
}

#[test]
fn a_distribution_has_the_root_in_every_key_and_serves() {
    let example = filled();
    let settings = example.test.database.settings();
    let Some(mut client) = client(&settings) else {
        return;
    };
    let mut tx = client.transaction().unwrap();
    tx.batch_execute(DISTRIBUTE).unwrap();
    tx.commit().unwrap();
    assert_eq!(without_root(&mut client), Vec::<String>::new());
    let triggers = "SELECT CAST(tgname AS TEXT) FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(rows(&mut client, triggers), Vec::<String>::new());
    spread(&mut client);

    let [top, middle, leaf, other] = example.projects[..] else {
        panic!("four projects")
    };
    example.report(2, number(7), &[(example.genders(2)[0], 7)]);
    assert_eq!(example.work(), []);
    example.check(0, "12.00 (9.00, 3.00)");
    let more = [activity("XX-3", "2024-01-01T00:00:00Z", "")];
    import(&example.test, &[&file(&more)]);
    let child = example.test.project("child", Some(leaf));
    assert_eq!(untrue(&mut client), Vec::<String>::new());
    // A row cannot change its place: nothing is left of a move to another tree.
    let moved = example
        .test
        .store
        .write(|tx| tx.move_project(middle, Some(other), true));
    assert!(moved.is_err(), "{moved:?}");
    assert_eq!(untrue(&mut client), Vec::<String>::new());
    example.write(|tx| tx.move_project(child, Some(top), false));
    assert_eq!(example.write(|tx| tx.delete_project(middle)), 2);
    assert_eq!(untrue(&mut client), Vec::<String>::new());
}
