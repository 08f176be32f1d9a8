//! A deletion with everything under it, in one transaction: nobody writes to it from its begin to its commit, and nobody
//! is kept out a moment longer, whichever way it ends.
#![expect(
    clippy::print_stdout,
    clippy::missing_assert_message,
    reason = "it shows something"
)]

use std::collections::BTreeMap;

use rsr_base::ProjectId;
use rsr_deletion::{DeletionTracker, Transaction};

/// A database that fits on this page: projects with their parents.
struct Database {
    parents: BTreeMap<ProjectId, Option<ProjectId>>,
}

impl Database {
    fn branch(&self, top: ProjectId) -> Vec<ProjectId> {
        let mut branch = vec![top];
        let mut at = 0;
        while let Some(parent) = branch.get(at).copied() {
            let children = self.parents.iter().filter(|(_, its)| **its == Some(parent));
            branch.extend(children.map(|(id, _)| *id));
            at += 1;
        }
        branch
    }
}

fn write(tracker: &DeletionTracker, id: ProjectId) -> Result<(), String> {
    if tracker.contains(id) {
        return Err(format!("409: project {id} is being deleted"));
    }
    Ok(())
}

fn delete(
    database: &mut Database,
    tracker: &DeletionTracker,
    top: ProjectId,
    fails: bool,
) -> Result<usize, String> {
    let transaction = Transaction::begin();
    let branch = database.branch(top);
    for id in &branch {
        // The guard owns the id. Until the commit others still see the record, so it stays tracked until then.
        tracker.begin(*id).release_on_commit(&transaction);
    }
    assert!(write(tracker, top).is_err(), "nobody writes meanwhile");
    if fails {
        return Err("the database went away".to_owned()); // the transaction ends here, and so do the guards
    }
    for id in &branch {
        database.parents.remove(id);
    }
    transaction.end(); // the commit
    Ok(branch.len())
}

fn main() {
    let tracker = DeletionTracker::default();
    let links = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1))];
    let parents = links.map(|(id, parent)| (ProjectId(id), parent.map(ProjectId)));
    let mut database = Database {
        parents: parents.into(),
    };

    assert!(delete(&mut database, &tracker, ProjectId(2), true).is_err());
    assert!(
        write(&tracker, ProjectId(2)).is_ok(),
        "nothing is left behind by a failure"
    );

    assert_eq!(delete(&mut database, &tracker, ProjectId(2), false), Ok(2));
    let stats = tracker.stats();
    println!(
        "{} begun, {} finished, {} active",
        stats.n_begun, stats.n_finished, stats.n_active
    );
}
