//! Our side: the store's walker, read as the service reads it but for the JSON.

use std::num::NonZeroUsize;

use rsr_base::ProjectId;
use rsr_hierarchy::{
    Children, ChildrenRequest, Descendants, Filter, Limits, Scope, Sort, SortField, Viewer,
};
use rsr_store::{Snapshot, Store};

/// What is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// The children of a node, in one answer, in this order.
    Children(SortField),
    /// Everything below a node.
    Descendants,
}

/// Reads what lies below a project in one snapshot, `n_max` rows or all; answers how many there were and what it cost.
pub(crate) fn walk(store: &Store, walk: Walk, of: i64, n_max: usize, chunk: usize) -> Cost {
    let mut snapshot = store.snapshot().expect("a reader is free");
    let before = Cost::at(&snapshot);
    let limits = Limits::new(n_max, chunk);
    let n = match walk {
        Walk::Children(field) => {
            let mut request = ChildrenRequest::new(ProjectId(of), Viewer::Administrator);
            request.sort.field = field;
            request.sort.descending = field == SortField::Id;
            request.limit = NonZeroUsize::new(n_max);
            let children = Children::open(&mut snapshot, &request, &limits).expect("it is stored");
            count(children)
        }
        Walk::Descendants => {
            let filter = Filter::default();
            let scope = Scope {
                viewer: Viewer::Administrator,
                filter: &filter,
                sort: Sort::default(),
            };
            let all = Descendants::open(&mut snapshot, scope, ProjectId(of), None, &limits);
            let all = all.expect("it is stored").take(n_max);
            count(all)
        }
    };
    let after = Cost::at(&snapshot);
    Cost {
        n,
        n_rows: after.n_rows - before.n_rows,
        n_steps: after
            .n_steps
            .zip(before.n_steps)
            .map(|(after, before)| after - before),
    }
}

fn count<T, E: std::fmt::Debug>(nodes: impl Iterator<Item = Result<T, E>>) -> u64 {
    let mut n = 0;
    for node in nodes {
        std::hint::black_box(node.expect("a row"));
        n += 1;
    }
    n
}

/// What a walk came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Projects read.
    pub(crate) n: u64,
    /// Rows of all statements.
    pub(crate) n_rows: u64,
    /// Steps of SQLite's machine.
    pub(crate) n_steps: Option<u64>,
}

impl Cost {
    fn at(snapshot: &Snapshot) -> Self {
        let work = snapshot.work();
        Self {
            n: 0,
            n_rows: work.n_rows,
            n_steps: work.n_steps,
        }
    }
}
