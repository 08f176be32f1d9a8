//! What the store says to a server: a question about a tree names its root, so that the one server that has the tree answers.

use std::fs::File;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rsr_base::{ByteSize, read_at_most};
use rsr_hierarchy::{
    Children, ChildrenRequest, Descendants, Filter, Limits, Scope, Sort, Viewer, check_move,
};
use rsr_iati::export::{ExportOptions, export};
use rsr_iati::model::{ActivityElement, ActivityHead, Coded, Sector, TextBlock};
use rsr_store::{
    ActivityFilter, NewProject, ProjectEdit, Recalculation, Store, UpdateEdit, UpdateStatus,
};

use super::example::number;
use super::server::client;
use super::support::TestStore;

use super::roots::{SPREAD, filled};

/// What is asked of all trees, and why.
const OF_ALL_TREES: [(&str, &str); 3] = [
    ("AS door", "finds the tree of what is known by its id alone"),
    (
        "SELECT max(id) FROM",
        "new ids are higher than those of all trees",
    ),
    ("jobs", "the queue is one for all trees, and small"),
];

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
