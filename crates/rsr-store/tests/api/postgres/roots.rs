//! What a distribution of trees over servers rests on: each row says in which tree it lies, truly; keys and references hold
//! that; and questions about a tree name it.

use std::fs::File;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::postgres::Client;
use rsr_base::{ByteSize, read_at_most};
use rsr_hierarchy::{
    Children, ChildrenRequest, Descendants, Filter, Limits, Scope, Sort, Viewer, check_move,
};
use rsr_iati::export::{ExportOptions, export};
use rsr_iati::model::{ActivityElement, ActivityHead, Coded, Sector, TextBlock};
use rsr_store::{
    ActivityFilter, Error, NewProject, ProjectEdit, Recalculation, Store, UpdateEdit, UpdateStatus,
};
use rsr_testkit::ManualClock;

use super::example::{Example, number};
use super::import::{activity, file, import};
use super::migrations::of_version_2;
use super::server::client;
use super::support::TestStore;

/// The tables that a distribution spreads, each with the column that leads to what a row belongs to.
const SPREAD: [(&str, &str, &str); 22] = [
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

/// What is asked of all trees, and why.
const OF_ALL_TREES: [(&str, &str); 3] = [
    ("AS door", "finds the tree of what is known by its id alone"),
    (
        "SELECT max(id) FROM",
        "new ids are higher than those of all trees",
    ),
    ("jobs", "the queue is one for all trees, and small"),
];

/// Keys that stay beside those with the root while versions name them, or rows are found by an id alone.
const WITHOUT_ROOT: [&str; 17] = [
    "projects_id_key",
    "projects_uuid_key",
    "projects_iati_identifier_key",
    "results_id_key",
    "indicators_id_key",
    "periods_id_key",
    "periods_by_parent",
    "dimension_names_id_key",
    "dimension_names_project_id_name_key",
    "dimension_values_id_key",
    "dimension_values_name_id_value_key",
    "updates_id_key",
    "project_elements_project_id_place_key",
    "indicator_dimension_names_indicator_id_name_id_key",
    "disaggregations_update_id_dimension_value_id_key",
    "period_disaggregations_period_id_dimension_value_id_key",
    "contributions_period_disaggregation_id_project_id_key",
];

fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let found = client.query(sql, &[]).unwrap();
    found.iter().map(|row| row.get(0)).collect()
}

/// Rows whose root is not the one of what they belong to, or of their position, by table.
fn untrue(client: &mut Client) -> Vec<String> {
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
fn without_root(client: &mut Client) -> Vec<String> {
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
fn filled() -> Example {
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

/// What the store says to the server.
struct Listener {
    log: PathBuf,
    heard: usize,
}

impl Listener {
    /// Lets the server write down each statement to this database, for connections that are still to come.
    fn new(test: &mut TestStore) -> Option<Self> {
        let settings = test.database.settings();
        let mut client = client(&settings)?;
        let name: String = client
            .query_one("SELECT CAST(current_database() AS TEXT)", &[])
            .unwrap()
            .get(0);
        client
            .batch_execute(&format!("ALTER DATABASE {name} SET log_statement = 'all'"))
            .unwrap();
        test.store = Store::open(&settings, Arc::new(test.clock.clone())).unwrap();
        let url = settings.url.expose();
        let folder = url
            .split("host=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        Some(Self {
            log: Path::new(folder).join("log"),
            heard: 0,
        })
    }

    /// The statements since it was last asked, each on one line.
    fn said(&mut self) -> Vec<String> {
        let log = File::open(&self.log).unwrap();
        let log = read_at_most(log, ByteSize::from_mib(256)).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        let mut said: Vec<String> = Vec::new();
        let mut is_ours = false;
        for line in log.get(self.heard..).unwrap_or_default().lines() {
            if let Some(more) = line.strip_prefix('\t') {
                if let Some(last) = said.last_mut().filter(|_| is_ours) {
                    last.push(' ');
                    last.push_str(more.trim());
                }
                continue;
            }
            let statement = line
                .split_once(" LOG:  execute ")
                .and_then(|(_, rest)| rest.split_once(": "));
            let script = line.split_once(" LOG:  statement: ");
            is_ours = statement.or(script).is_some();
            if let Some((_, statement)) = statement.or(script) {
                said.push(statement.to_owned());
            }
        }
        self.heard = log.len();
        said
    }
}

/// Why a statement does not name the root of each row of a spread table, `None` where it does.
fn objection(statement: &str) -> Option<String> {
    let spaced = statement.replace(['(', ')', ',', '='], " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    for (nth, word) in words.iter().enumerate() {
        let is_table = SPREAD.iter().any(|(name, _, _)| name == word);
        let before = nth.checked_sub(1).map_or("", |before| words[before]);
        if !is_table || !["FROM", "JOIN", "UPDATE", "INTO", "COPY"].contains(&before) {
            continue;
        }
        let next = words.get(nth + 1).copied().unwrap_or_default();
        let is_alias = next.chars().all(|letter| letter.is_ascii_lowercase())
            && before != "INTO"
            && before != "COPY";
        let alias = match next {
            "AS" => words.get(nth + 2).copied().unwrap_or_default(),
            next if is_alias && !next.is_empty() => next,
            _ => "",
        };
        let n_refs = words
            .windows(3)
            .filter(|some| {
                let is_table = SPREAD.iter().any(|(name, _, _)| *name == some[0]);
                is_table && (some[1] == alias || (some[1] == "AS" && some[2] == alias))
            })
            .count();
        let is_named = match alias {
            "" => count("root_id") + count(&format!("{word}.root_id")) > 0,
            alias => count(&format!("{alias}.root_id")) >= n_refs.max(1),
        };
        if !is_named {
            return Some(format!("{word} {alias}: {statement}"));
        }
    }
    None
}

#[test]
fn what_names_no_root_is_told() {
    for silent in [
        "SELECT id FROM projects WHERE id = $1",
        "SELECT p.id FROM projects p WHERE p.parent_id = $1",
        "SELECT i.id FROM indicators i JOIN periods p ON p.indicator_id = i.id WHERE i.root_id = $1",
        "UPDATE periods SET value = 1 WHERE id = $1",
        "INSERT INTO updates (period_id) VALUES ($1)",
        "COPY sectors (project_id, place) FROM STDIN BINARY",
        "WITH a AS (SELECT p.id FROM projects p WHERE p.root_id = 1) SELECT 1 FROM a JOIN projects p ON p.id = a.id",
    ] {
        assert!(objection(silent).is_some(), "{silent}");
    }
    for fine in [
        "SELECT 1 FROM meta LIMIT 1",
        "SELECT p.id FROM projects p WHERE p.parent_id = $1 AND p.root_id = $2",
        "DELETE FROM sectors WHERE project_id = $1 AND root_id = $2",
        "COPY sectors (project_id, place, root_id) FROM STDIN BINARY",
    ] {
        assert_eq!(objection(fine), None);
    }
}

#[test]
fn questions_about_a_tree_name_its_root() {
    let mut example = filled();
    let Some(mut listener) = Listener::new(&mut example.test) else {
        return;
    };
    let [top, middle, leaf, _other] = example.projects[..] else {
        panic!("four projects")
    };
    let store = &example.test.store;
    let user = Viewer::User(example.user);
    let filter = Filter::default();
    let scope = |viewer| Scope {
        viewer,
        filter: &filter,
        sort: Sort::default(),
    };
    let limits = Limits::new(50, 2);
    let head = ActivityHead::default();
    let sector = Sector {
        code: Some("11110".to_owned()),
        ..Sector::default()
    };
    let elements = [
        ActivityElement::Title(TextBlock::new("top")),
        ActivityElement::ActivityStatus(Coded::new("2")),
        ActivityElement::Sector(sector),
    ];
    let mut n_said = 0;
    let mut hear = |what: &str, work: &mut dyn FnMut()| {
        drop(listener.said());
        work();
        let said = listener.said();
        let about_trees = said.iter().filter(|one| {
            let mut spread = SPREAD.iter();
            spread.any(|(table, _, _)| one.contains(table))
        });
        assert!(about_trees.count() > 0, "{what} said nothing: {said:#?}");
        n_said += said.len();
        for statement in said {
            let is_of_all = OF_ALL_TREES
                .iter()
                .any(|(mark, _why)| statement.contains(mark));
            let objection = objection(&statement).filter(|_| !is_of_all);
            assert_eq!(objection, None, "{what}");
        }
    };
    hear("elements", &mut || {
        store
            .write(|tx| tx.put_elements(top, &head, &elements).map(drop))
            .unwrap();
    });
    for viewer in [Viewer::Anonymous, user, Viewer::Administrator] {
        for (sort, nested) in [("title", false), ("-id", true)] {
            hear("children", &mut || {
                let mut request = ChildrenRequest::new(top, viewer);
                request.sort = Sort::parse(sort).unwrap();
                request.nested = nested;
                request.depth_max = NonZeroU32::new(3).unwrap();
                let mut snapshot = store.snapshot().unwrap();
                let answer = Children::open(&mut snapshot, &request, &limits).unwrap();
                answer.for_each(|node| drop(node.unwrap()));
            });
        }
        hear("descendants", &mut || {
            let mut snapshot = store.snapshot().unwrap();
            let nodes =
                Descendants::open(&mut snapshot, scope(viewer), top, None, &limits).unwrap();
            assert_eq!(nodes.map(Result::unwrap).count(), 2);
        });
        hear("results", &mut || {
            let snapshot = store.snapshot().unwrap();
            let results = snapshot.results_seen_by(viewer, top, None, 9).unwrap();
            let period = &results[0].indicators[0].periods[0];
            assert_eq!(period.disaggregations[0].contributions.len(), 1);
            drop(snapshot.updates(period.id).unwrap());
        });
    }
    hear("ancestors", &mut || {
        let mut snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.with_ancestors(leaf, 9).unwrap().len(), 3);
        check_move(&mut snapshot, leaf, top, true).unwrap();
        drop(snapshot.project(leaf).unwrap());
        assert_eq!(snapshot.role_in(leaf, example.user).unwrap(), None);
    });
    hear("values", &mut || {
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.achieved(&[top, middle], 3).unwrap().len(), 2);
    });
    hear("one activity exported", &mut || {
        let snapshot = store.snapshot().unwrap();
        let filter = ActivityFilter {
            project: Some(top),
            ..ActivityFilter::default()
        };
        let mut omit = |_omission: rsr_store::Omission<'_>| {};
        let mut source = snapshot.activities(&filter, 3, &mut omit);
        export(
            &mut source,
            &mut Vec::new(),
            &ExportOptions::default(),
            &mut |_note| {},
        )
        .unwrap();
    });
    hear("one report approved and aggregated", &mut || {
        let period = example.period(2).id;
        let parts = [(example.genders(2)[0], 1)];
        let update = example.update(period, UpdateStatus::Pending, number(4), &parts);
        let approval = UpdateEdit {
            status: Some(UpdateStatus::Approved),
            ..UpdateEdit::default()
        };
        example.write(|tx| tx.edit_update(update, &approval));
        assert_eq!(example.work(), []);
    });
    hear("a tree rolled up", &mut || {
        example.write(|tx| tx.recalculate(top, Recalculation::All));
        store.roll_up(top).unwrap();
        store.rebuild_disaggregations(top).unwrap();
    });
    hear("a project edited and made", &mut || {
        let edit = ProjectEdit {
            title: Some("new".to_owned()),
            ..ProjectEdit::default()
        };
        example.write(|tx| {
            tx.edit_project(top, &edit)?;
            let new = NewProject {
                parent: Some(leaf),
                ..NewProject::default()
            };
            let child = tx.create_project(&new)?;
            tx.inherit_results(child)
        });
    });
    assert!(n_said > 200, "{n_said} statements");
    // It does not listen in vain: the list of all projects asks all trees.
    drop(listener.said());
    drop(
        store
            .snapshot()
            .unwrap()
            .projects(&scope(user), None, 9)
            .unwrap(),
    );
    assert!(listener.said().iter().any(|one| objection(one).is_some()));
}

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
