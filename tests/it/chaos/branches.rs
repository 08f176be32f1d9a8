//! A service killed while it deletes or moves a branch of the tree.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{Clock as _, PeriodId, ProjectId, SystemClock, UserId};
use rsr_store::{NewProject, NewUpdate, Store, Tx, UpdateStatus};
use rsr_testkit::Seeded;
use rsr_tests::serving::{Server, exchange};

use super::pass;
use super::place::{PATIENCE, Place, each_round, moment};
use super::worker::{Tree, plant};

/// Projects of a branch, each with a report of one.
const PROJECTS: usize = 150;

/// Two trees, and branches that hang below the first until something befalls them.
struct Story {
    place: Place,
    store: Store,
    user: UserId,
    trees: Vec<Tree>,
}

/// A branch: all its projects, its top first.
struct Branch(Vec<ProjectId>);

impl Branch {
    fn top(&self) -> ProjectId {
        self.0[0]
    }
}

fn approved(period: PeriodId, user: UserId) -> NewUpdate {
    NewUpdate {
        period,
        user,
        status: UpdateStatus::Approved,
        numbers: Numbers::of_value(Hundredths::from_hundredths(100)),
        text: String::new(),
        narrative: String::new(),
        score: None,
        scores: Vec::new(),
        disaggregations: Vec::new(),
    }
}

impl Story {
    fn new(place: Place) -> Self {
        let store = place.store();
        let (user, trees) = store
            .write(|tx| {
                let user = tx.create_user("reporter", None, false)?;
                let trees = [plant(tx, 0)?, plant(tx, 1)?];
                for tree in &trees {
                    tx.create_update(&approved(tree.periods[3], user))?;
                }
                Ok::<_, rsr_store::Error>((user, trees.into()))
            })
            .unwrap();
        Self {
            place,
            store,
            user,
            trees,
        }
    }

    fn grow(&self) -> Branch {
        let make = |tx: &mut Tx| {
            let mut projects: Vec<ProjectId> = Vec::new();
            for nth in 0..PROJECTS {
                let parent = match nth.checked_sub(1) {
                    None => self.trees[0].top,
                    Some(before) => projects[before / 3],
                };
                projects.push(tx.create_project(&NewProject {
                    parent: Some(parent),
                    title: format!("branch {nth}"),
                    ..NewProject::default()
                })?);
            }
            tx.inherit_results(projects[0])?;
            for project in &projects {
                let results = tx.results(*project, None, 1)?;
                let period = results[0].indicators[0].periods[0].id;
                tx.create_update(&approved(period, self.user))?;
            }
            Ok::<_, rsr_store::Error>(Branch(projects))
        };
        let branch = self.store.write(make).unwrap();
        self.place.settle("a branch has grown");
        branch
    }

    fn serve(&self) -> Server {
        Server::start_with(self.place.folder(), &[], self.place.variables())
    }

    /// What stands at the top of a tree, in whole numbers.
    fn value(&self, tree: usize) -> i128 {
        let snapshot = self.store.snapshot().unwrap();
        let results = snapshot.results(self.trees[tree].top, None, 1).unwrap();
        let value = results[0].indicators[0].periods[0].numbers.value;
        value.map_or(0, Hundredths::hundredths) / 100
    }

    /// How many projects of a branch are stored.
    fn n_left(&self, branch: &Branch) -> usize {
        let snapshot = self.store.snapshot().unwrap();
        let is_there = |id: &&ProjectId| snapshot.project(**id).is_ok();
        branch.0.iter().filter(is_there).count()
    }

    fn parent(&self, branch: &Branch) -> Option<ProjectId> {
        let snapshot = self.store.snapshot().unwrap();
        snapshot.project(branch.top()).unwrap().parent
    }

    /// Asks a service, and kills it at a moment within the time that this takes. Answers the status, where one came.
    fn ask_and_kill(
        &self,
        method: &str,
        path: &str,
        body: &str,
        takes: Duration,
        random: &mut Seeded,
    ) -> Option<u16> {
        let server = self.serve();
        let address = server.address().to_owned();
        let (answers, answered) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let answer = exchange(&address, method, path, body);
                let status = answer.ok().map(|answer| answer.status);
                answers.send(status).unwrap();
            });
            pass(&SystemClock::new(), moment(takes, random));
            drop(server);
            answered.recv_timeout(PATIENCE).unwrap()
        })
    }

    /// Asks a service that is left alone. Answers the status, and how long it took.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Duration) {
        let server = self.serve();
        let clock = SystemClock::new();
        let status = exchange(server.address(), method, path, body)
            .unwrap()
            .status;
        (status, clock.elapsed())
    }
}

mod delete {
    use super::*;

    #[test]
    fn on_sqlite() {
        story(Place::sqlite());
    }

    #[test]
    fn on_postgresql() {
        if let Some(place) = Place::postgresql() {
            story(place);
        }
    }

    fn story(place: Place) {
        let story = Story::new(place);
        let path = |branch: &Branch| format!("/api/v1/projects/{}/", branch.top());
        let (status, takes) = story.ask("DELETE", &path(&story.grow()), "");
        assert_eq!(status, 200, "undisturbed");
        each_round("delete", story.place.name, |_nth, random, what| {
            let branch = story.grow();
            let whole = branch.0.len();
            assert_eq!(story.value(0), 1 + PROJECTS as i128, "{what}");
            let answer = story.ask_and_kill("DELETE", &path(&branch), "", takes, random);
            story.place.settle(what);
            let n_left = story.n_left(&branch);
            assert!(n_left == 0 || n_left == whole, "{what}: {n_left} are left");
            if answer == Some(200) {
                assert_eq!(n_left, 0, "{what}: it was acknowledged");
            }
            assert_eq!(story.value(0), 1 + n_left as i128, "{what}");
            // What was cut off is no hindrance to asking again.
            let (status, _) = story.ask("DELETE", &path(&branch), "");
            assert_eq!(status, if n_left == 0 { 404 } else { 200 }, "{what}");
            assert_eq!(story.n_left(&branch), 0, "{what}");
            story.place.settle(what);
            assert_eq!(story.value(0), 1, "{what}");
            answer.is_none()
        });
    }
}

mod moves {
    use super::*;

    #[test]
    fn on_sqlite() {
        story(Place::sqlite());
    }

    #[test]
    fn on_postgresql() {
        if let Some(place) = Place::postgresql() {
            story(place);
        }
    }

    fn story(place: Place) {
        let story = Story::new(place);
        let path = |branch: &Branch| format!("/api/v1/projects/{}/", branch.top());
        let [from, to] = [0, 1].map(|tree| story.trees[tree].top);
        let body = format!(r#"{{"parent":{to},"force":true}}"#);
        let (status, takes) = story.ask("PATCH", &path(&story.grow()), &body);
        assert_eq!(status, 200, "undisturbed");
        each_round("move", story.place.name, |_nth, random, what| {
            let branch = story.grow();
            let answer = story.ask_and_kill("PATCH", &path(&branch), &body, takes, random);
            story.place.settle(what);
            let is_moved = story.parent(&branch) == Some(to);
            assert!(is_moved || story.parent(&branch) == Some(from), "{what}");
            if answer == Some(200) {
                assert!(is_moved, "{what}: it was acknowledged");
            }
            // Its results were inherited, so none of them counts where it comes to hang.
            let counted = if is_moved { 0 } else { PROJECTS as i128 };
            assert_eq!([story.value(0), story.value(1)], [1 + counted, 1], "{what}");
            let (status, _) = story.ask("PATCH", &path(&branch), &body);
            assert_eq!(status, if is_moved { 409 } else { 200 }, "{what}");
            assert_eq!(story.parent(&branch), Some(to), "{what}");
            story.place.settle(what);
            assert_eq!([story.value(0), story.value(1)], [1, 1], "{what}");
            answer.is_none()
        });
    }
}
