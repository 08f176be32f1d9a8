//! What a distribution of trees over servers rests on: each row says in which tree it lies, truly; keys and references hold
//! that; and questions about a tree name it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::postgres::Client;
use rsr_store::{Error, NewProject, Store};
use rsr_testkit::ManualClock;

use super::example::{Example, number};
use super::import::{activity, file, import};
use super::migrations::of_version_2;
use super::server::client;
use super::support::TestStore;

/// The tables that a distribution spreads, each with the column that leads to what a row belongs to.
pub(super) const SPREAD: [(&str, &str, &str); 22] = [
    ("projects", "", ""),
    ("project_elements", "project_id", "projects"),
    ("participations", "project_id", "projects"),
    ("sectors", "project_id", "projects"),
    ("recipient_countries", "project_id", "projects"),
    ("locations", "project_id", "projects"),
    ("transactions", "project_id", "projects"),
    ("budgets", "project_id", "projects"),
    ("planned_disbursements", "project_id", "projects"),
    ("documents", "project_id", "projects"),
    ("related_activities", "project_id", "projects"),
    ("results", "project_id", "projects"),
    ("indicators", "result_id", "results"),
    ("periods", "indicator_id", "indicators"),
    ("dimension_names", "project_id", "projects"),
    ("dimension_values", "name_id", "dimension_names"),
    ("indicator_dimension_names", "indicator_id", "indicators"),
    ("updates", "period_id", "periods"),
    ("disaggregations", "update_id", "updates"),
    ("manual_disaggregations", "period_id", "periods"),
    ("period_disaggregations", "period_id", "periods"),
    (
        "contributions",
        "period_disaggregation_id",
        "period_disaggregations",
    ),
];

/// What every server of a distribution has in full: `positions`, which leads from a project to its root, and small tables.
const EVERYWHERE: [&str; 11] = [
    "meta",
    "organisations",
    "positions",
    "users",
    "jobs",
    "roles",
    "tokens",
    "mails",
    "import_runs",
    "import_files",
    "import_seen",
];

/// Keys that stay beside those with the root, since links between trees go by an id alone, or the key is the whole world's.
const WITHOUT_ROOT: [&str; 9] = [
    "projects_id_key",
    "projects_uuid_key",
    "projects_iati_identifier_key",
    "results_id_key",
    "indicators_id_key",
    "periods_id_key",
    "periods_by_parent",
    "dimension_names_id_key",
    "dimension_values_id_key",
];

pub(super) fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let found = client.query(sql, &[]).unwrap();
    found.iter().map(|row| row.get(0)).collect()
}

/// Rows whose root is not the one of what they belong to, or of their position, by table.
pub(super) fn untrue(client: &mut Client) -> Vec<String> {
    let mut all = vec![
        "SELECT 'projects ' || p.id FROM projects p LEFT JOIN positions o ON o.project_id = p.id
         WHERE p.root_id <> coalesce(o.root_id, 0)"
            .to_owned(),
    ];
    for (table, column, above) in &SPREAD[1..] {
        all.push(format!(
            "SELECT '{table} of ' || x.{column} FROM {table} x LEFT JOIN {above} a ON a.id = x.{column}
             WHERE x.root_id IS DISTINCT FROM a.root_id"
        ));
    }
    rows(client, &all.join(" UNION ALL "))
}

#[track_caller]
fn check_true(test: &TestStore, what: &str) {
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    assert_eq!(untrue(&mut client), Vec::<String>::new(), "{what}");
    assert_eq!(
        test.store.check_integrity().unwrap(),
        Vec::<String>::new(),
        "{what}"
    );
}

#[test]
fn every_table_is_spread_or_everywhere() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let tables = "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'";
    for table in rows(&mut client, tables) {
        let is_spread = SPREAD.iter().any(|(name, _, _)| *name == table);
        assert_ne!(
            is_spread,
            EVERYWHERE.contains(&table.as_str()),
            "{table}: say where it lies in a distribution"
        );
    }
}

/// Keys and references of spread tables that do not hold the root, and spread tables without a root that is always there.
pub(super) fn without_root(client: &mut Client) -> Vec<String> {
    let spread: Vec<String> = SPREAD
        .iter()
        .map(|(name, _, _)| format!("'{name}'"))
        .collect();
    let spread = spread.join(", ");
    let holds = |columns: &str, table: &str| {
        format!(
            "EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = {table} AND a.attname = 'root_id'
                 AND a.attnotnull AND a.attnum = ANY({columns}))"
        )
    };
    rows(
        client,
        &format!(
            "SELECT CAST(i.indexrelid AS regclass)::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             WHERE c.relname IN ({spread}) AND i.indisunique AND NOT {}
             UNION ALL
             SELECT CAST(f.conname AS TEXT) FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
             WHERE c.relname IN ({spread}) AND f.contype = 'f' AND NOT ({} AND {})
             AND f.confrelid <> CAST('organisations' AS regclass) AND f.confrelid <> CAST('users' AS regclass)
             UNION ALL
             SELECT name || ' has no primary key with a root' FROM unnest(ARRAY[{spread}]) AS name
             WHERE NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = CAST(name AS regclass) AND i.indisprimary AND {})
             ORDER BY 1",
            holds("i.indkey", "i.indrelid"),
            holds("f.conkey", "f.conrelid"),
            holds("f.confkey", "f.confrelid"),
            holds("i.indkey", "i.indrelid"),
        ),
    )
}

#[test]
fn keys_and_references_hold_the_root() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    // Links to what a row was copied from, or counts for, go by its id: an import cuts those over the border of a tree late.
    let is_link = |name: &str| {
        name.contains("_parent_") && name.ends_with("_fkey")
            || name.ends_with("_dimension_value_id_fkey")
            || name == "indicator_dimension_names_name_id_fkey"
    };
    let without: Vec<String> = without_root(&mut client)
        .into_iter()
        .filter(|name| !is_link(name) && !WITHOUT_ROOT.contains(&name.as_str()))
        .collect();
    assert_eq!(without, Vec::<String>::new());
}

/// An example with all kinds of rows, below two trees.
pub(super) fn filled() -> Example {
    let example = Example::new(&[None, Some(0), Some(1), None], "1");
    let copies = example.test.store.snapshot().unwrap();
    let copies = copies.dimension_value_copies(example.projects[2]).unwrap();
    let genders: Vec<_> = copies.into_iter().map(|(_of, copy)| copy).collect();
    example.report(2, number(5), &[(genders[0], 2), (genders[1], 3)]);
    assert_eq!(example.work(), []);
    let texts = [
        activity("XX-1", "2024-01-01T00:00:00Z", ""),
        activity(
            "XX-2",
            "2024-01-01T00:00:00Z",
            r#"<sector vocabulary="1" code="11110"/><related-activity type="1" ref="XX-1"/>
               <result type="1"><title><narrative>wells</narrative></title>
                 <indicator measure="1"><title><narrative>dug</narrative></title>
                   <period><period-start iso-date="2024-01-01"/><period-end iso-date="2024-12-31"/>
                     <actual value="3"/><actual value="1"><dimension name="sex" value="f"/></actual></period>
                 </indicator></result>"#,
        ),
    ];
    import(&example.test, &[&file(&texts)]);
    example
}

#[test]
fn roots_stay_true_whatever_moves() {
    let example = filled();
    let test = &example.test;
    check_true(test, "as stored");
    let [top, middle, leaf, other] = example.projects[..] else {
        panic!("four projects")
    };
    type Work<'w> = &'w mut dyn FnMut(&mut rsr_store::Tx) -> Result<(), Error>;
    let go = |what: &str, work: Work<'_>| {
        test.store
            .write(work)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        check_true(test, what);
    };
    go("moved to another tree", &mut |tx| {
        tx.move_project(middle, Some(other), true)
    });
    go("made a root and asked at once", &mut |tx| {
        tx.move_project(middle, None, true)?;
        assert_eq!(tx.project(leaf)?.parent, Some(middle));
        assert_eq!(tx.results(leaf, None, 1)?.len(), 1);
        tx.move_project(leaf, Some(top), true)
    });
    go("a child made and moved in one", &mut |tx| {
        let new = NewProject {
            parent: Some(leaf),
            ..NewProject::default()
        };
        let child = tx.create_project(&new)?;
        tx.move_project(child, Some(middle), false)
    });
    test.meddle(&format!(
        "UPDATE projects SET parent_id = {leaf} WHERE id = {top}"
    ));
    go("led round in a circle", &mut |tx| tx.rebuild_positions());
    assert_eq!(test.store.snapshot().unwrap().place(leaf).unwrap(), None);
    assert_eq!(
        test.store.snapshot().unwrap().project(leaf).unwrap().id,
        leaf
    );
    go("made below the circle", &mut |tx| {
        let new = NewProject {
            parent: Some(leaf),
            ..NewProject::default()
        };
        tx.create_project(&new).map(drop)
    });
    test.meddle(&format!(
        "UPDATE projects SET parent_id = NULL WHERE id = {top}"
    ));
    go("out of the circle", &mut |tx| tx.rebuild_positions());
    go("deleted", &mut |tx| tx.delete_project(leaf).map(drop));
    let again = [activity(
        "XX-2",
        "2024-02-01T00:00:00Z",
        r#"<sector vocabulary="1" code="11110"/>"#,
    )];
    import(test, &[&file(&again)]);
    check_true(test, "an import took a child from its parent");
}

#[test]
fn what_is_imported_after_its_parent_is_stored_where_it_stays() {
    let test = TestStore::new();
    if client(&test.database.settings()).is_none() {
        return;
    }
    let link = r#"<related-activity type="1" ref="XX-1"/>"#;
    let second = r#"<related-activity type="1" ref="XX-2"/>"#;
    let day = "2024-01-01T00:00:00Z";
    import(&test, &[&file(&[activity("XX-1", day, "")])]);
    test.count_writes("project_elements");
    let text = file(&[activity("XX-2", day, link), activity("XX-3", day, second)]);
    let mut importer = super::import::importer(&test);
    let cancel = AtomicBool::new(false);
    importer
        .file("0", text.as_bytes(), false, &cancel, &mut |_note| {})
        .unwrap();
    // Before it is linked, it lies in the tree and in no branch of it.
    check_true(&test, "not linked yet");
    let of = |identifier: &str| {
        let snapshot = test.store.snapshot().unwrap();
        snapshot.project_by_identifier(identifier).unwrap().unwrap()
    };
    let [top, child, leaf] = ["XX-1", "XX-2", "XX-3"].map(of);
    let root = |id| {
        test.store
            .snapshot()
            .unwrap()
            .place(id)
            .unwrap()
            .unwrap()
            .root
    };
    assert_eq!([child, leaf].map(root), [top, top]);
    let branch = || test.store.snapshot().unwrap().branch(top, None, 9).unwrap();
    assert_eq!(branch(), []);
    test.project("made meanwhile", Some(top));
    importer.finish(&mut |_note| {}).unwrap();
    check_true(&test, "linked");
    assert_eq!(branch().len(), 3);
    assert_eq!(test.writes(), 0, "elements were written once");

    // One that is never linked is a tree of its own once positions are made anew.
    let text = file(&[activity("XX-4", day, link)]);
    let mut importer = super::import::importer(&test);
    importer
        .file("1", text.as_bytes(), false, &cancel, &mut |_note| {})
        .unwrap();
    drop(importer);
    let left = of("XX-4");
    assert_eq!(root(left), top);
    test.store.write(|tx| tx.rebuild_positions()).unwrap();
    assert_eq!(root(left), left);
    check_true(&test, "never linked");
}

#[test]
fn a_wrong_root_is_found_and_mended() {
    let example = filled();
    let test = &example.test;
    if client(&test.database.settings()).is_none() {
        return;
    }
    let leaf = example.projects[2];
    test.meddle(&format!(
        "ALTER TABLE projects DISABLE TRIGGER elements_follow_projects;
         UPDATE projects SET root_id = 77 WHERE id = {leaf};
         ALTER TABLE projects ENABLE TRIGGER elements_follow_projects;
         UPDATE sectors SET root_id = 78"
    ));
    let complaints = test.store.check_integrity().unwrap().join("\n");
    for said in [
        format!("the root of project {leaf} "),
        "rows of sectors".to_owned(),
    ] {
        assert!(complaints.contains(&said), "{said}: {complaints}");
    }
    let wrong = test
        .store
        .snapshot()
        .unwrap()
        .position_disagreements(None, 9);
    assert_eq!(wrong.unwrap(), [leaf]);
    test.store.write(|tx| tx.rebuild_positions()).unwrap();
    check_true(test, "mended");
}

/// Rows of every kind as a program stores them that knows of no root: of a project, in the tree of another one.
fn store_as_before(client: &mut Client, id: i64, parent: Option<i64>) {
    let parent = parent.map_or("NULL".to_owned(), |parent| parent.to_string());
    client
        .batch_execute(&format!(
            "BEGIN;
             INSERT INTO projects (id, uuid, parent_id, created_ms, changed_ms)
                 VALUES ({id}, decode(lpad('{id}', 32, '0'), 'hex'), {parent}, 0, 0);
             INSERT INTO positions (project_id, root_id, depth, place, last_place) VALUES ({id}, {id}, 0, {id}, {id});
             UPDATE positions SET root_id = o.root_id, depth = o.depth + 1 FROM positions o
                 WHERE o.project_id = {parent} AND positions.project_id = {id};
             INSERT INTO project_elements (project_id, place, name, xml) VALUES ({id}, 1, 'title', '<title/>')
                 ON CONFLICT (project_id, place) DO UPDATE SET xml = excluded.xml;
             INSERT INTO sectors (project_id, place, vocabulary, code, name) VALUES ({id}, 2, '1', '11110', '');
             INSERT INTO results (id, project_id, place) VALUES ({id}, {id}, 1);
             INSERT INTO indicators (id, result_id, project_id, place) VALUES ({id}, {id}, {id}, 1);
             INSERT INTO periods (id, indicator_id, project_id, place) VALUES ({id}, {id}, {id}, 1);
             INSERT INTO dimension_names (id, project_id, name) VALUES ({id}, {id}, 'sex')
                 ON CONFLICT (project_id, name) DO NOTHING;
             INSERT INTO dimension_values (id, name_id, value) VALUES ({id}, {id}, 'f')
                 ON CONFLICT (name_id, value) DO NOTHING;
             INSERT INTO indicator_dimension_names (indicator_id, name_id) VALUES ({id}, {id})
                 ON CONFLICT (indicator_id, name_id) DO NOTHING;
             INSERT INTO users (id, name, created_ms) VALUES ({id}, 'reporter', 0);
             INSERT INTO updates (id, period_id, user_id, status, created_ms, changed_ms)
                 VALUES ({id}, {id}, {id}, 'A', 0, 0);
             INSERT INTO disaggregations (id, update_id, dimension_value_id) VALUES ({id}, {id}, {id})
                 ON CONFLICT (update_id, dimension_value_id) DO NOTHING;
             INSERT INTO manual_disaggregations (period_id, dimension_value_id) VALUES ({id}, {id});
             INSERT INTO period_disaggregations (id, period_id, dimension_value_id) VALUES ({id}, {id}, {id})
                 ON CONFLICT (period_id, dimension_value_id) DO NOTHING;
             INSERT INTO contributions (period_disaggregation_id, project_id) VALUES ({id}, {id})
                 ON CONFLICT (period_disaggregation_id, project_id) DO NOTHING;
             COMMIT"
        ))
        .unwrap();
}

#[test]
fn rows_of_the_version_before_get_their_roots() {
    let Some((_database, settings, mut old)) = of_version_2() else {
        return;
    };
    store_as_before(&mut old, 1, None);
    store_as_before(&mut old, 2, Some(1));
    // What no root leads to.
    store_as_before(&mut old, 3, Some(4));
    store_as_before(&mut old, 4, Some(3));
    old.batch_execute("DELETE FROM positions WHERE project_id IN (3, 4)")
        .unwrap();
    let store = Store::open(&settings, Arc::new(ManualClock::new())).unwrap();
    assert_eq!(untrue(&mut old), Vec::<String>::new());
    store_as_before(&mut old, 5, Some(2));
    assert_eq!(untrue(&mut old), Vec::<String>::new());
    let of = |client: &mut Client, id: i64| -> i64 {
        let sql = "SELECT root_id FROM contributions WHERE project_id = $1";
        client.query_one(sql, &[&id]).unwrap().get(0)
    };
    let roots = [1, 2, 3, 4, 5].map(|id| of(&mut old, id));
    assert_eq!(roots, [1, 1, 0, 0, 1]);
    // It moves a branch, and deletes a project, as it always did.
    old.batch_execute(
        "UPDATE projects SET parent_id = NULL WHERE id = 2;
         UPDATE positions SET root_id = 2, depth = depth - 1 WHERE project_id IN (2, 5)",
    )
    .unwrap();
    assert_eq!([2, 5].map(|id| of(&mut old, id)), [2, 2]);
    assert_eq!(untrue(&mut old), Vec::<String>::new());
    old.batch_execute("DELETE FROM projects WHERE id = 2")
        .unwrap();
    assert_eq!(untrue(&mut old), Vec::<String>::new());
    assert_eq!(store.status().unwrap().rows[0], ("projects", 4));
}
