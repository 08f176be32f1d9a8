//! However many rows there are, two chunks of them are held; and each is read once.

use std::cell::Cell;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::rc::Rc;

use rsr_base::ProjectId;
use rsr_hierarchy::{
    BranchNode, Children, ChildrenRequest, Descendants, Key, Limits, Node, NodeSource, Scope,
    Viewer,
};

/// Counts the rows that are held, and the most that ever were.
#[derive(Debug, Default)]
struct Held {
    now: Cell<usize>,
    most: Cell<usize>,
}

#[derive(Debug)]
struct Row(Rc<Held>);

impl Drop for Row {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

/// Project 0 has `n` children, -n to -1, newest first -1; each has `below` children that have none. Made up row by row.
struct Wide {
    n: i64,
    below: i64,
    held: Rc<Held>,
    rows_read: usize,
}

impl Wide {
    fn new(n: i64, below: i64) -> Self {
        Self {
            n,
            below,
            held: Rc::default(),
            rows_read: 0,
        }
    }

    fn row(&mut self) -> Row {
        let now = self.held.now.get() + 1;
        self.held.now.set(now);
        self.held.most.set(self.held.most.get().max(now));
        self.rows_read += 1;
        Row(Rc::clone(&self.held))
    }

    fn after(&self, after: Option<&Key>, n: usize) -> impl Iterator<Item = i64> + use<> {
        let from = after.map_or(-1, |key| key.id.0 - 1);
        (-self.n..=from).rev().take(n)
    }
}

impl NodeSource for Wide {
    type Row = Row;
    type Error = Infallible;
    /// Which of the branches, and how many of its nodes were given.
    type Resume = (usize, i64);

    fn is_visible(&mut self, _: ProjectId, _: Viewer) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn count_descendants(
        &mut self,
        _: &Scope<'_>,
        _: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Infallible> {
        let is_flat = depth_max == Some(NonZeroU32::MIN);
        let all = self.n * if is_flat { 1 } else { 1 + self.below };
        Ok(all.unsigned_abs().min(at_most))
    }

    fn child_keys(
        &mut self,
        _: &Scope<'_>,
        _: ProjectId,
        after: Option<&Key>,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), Infallible> {
        keys.extend(self.after(after, n).map(|id| Key::of_id(ProjectId(id))));
        Ok(())
    }

    fn count_below(
        &mut self,
        _: &Scope<'_>,
        nodes: &[Key],
        _: NonZeroU32,
    ) -> Result<u64, Infallible> {
        Ok(nodes.len() as u64 * self.below.unsigned_abs())
    }

    fn children(
        &mut self,
        _: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<Row>>,
    ) -> Result<Option<Key>, Infallible> {
        for id in self.after(after, n) {
            nodes.push(Node {
                id: ProjectId(id),
                parent,
                depth: 1,
                children_count: self.below.unsigned_abs(),
                row: self.row(),
            });
        }
        Ok(nodes.last().map(|node| Key::of_id(node.id)))
    }

    fn branches(
        &mut self,
        _: &Scope<'_>,
        of: &[ProjectId],
        _: Option<NonZeroU32>,
        resume: Option<(usize, i64)>,
        n: usize,
        nodes: &mut Vec<BranchNode<Row>>,
    ) -> Result<Option<(usize, i64)>, Infallible> {
        let (mut nth, mut given) = resume.unwrap_or_default();
        while nodes.len() < n && nth < of.len() {
            if given == self.below {
                (nth, given) = (nth + 1, 0);
                continue;
            }
            given += 1;
            let node = Node {
                id: ProjectId(given),
                parent: of[nth],
                depth: 1,
                children_count: 0,
                row: self.row(),
            };
            nodes.push(BranchNode { nth, node });
        }
        Ok((nth < of.len()).then_some((nth, given)))
    }
}

#[test]
fn an_answer_holds_two_chunks_at_any_size() {
    let limits = Limits::new(1_000_000, 50);
    for (children, below) in [(200_000, 0), (20_000, 3), (3, 50_000)] {
        let mut source = Wide::new(children, below);
        let request = ChildrenRequest {
            nested: true,
            ..ChildrenRequest::new(ProjectId(0), Viewer::Anonymous)
        };
        let answer = Children::open(&mut source, &request, &limits).unwrap();
        let expected = answer.head().total_processed;
        assert_eq!(
            answer.map(|node| drop(node.unwrap())).count() as u64,
            expected
        );
        assert!(
            source.held.most.get() <= 2 * 50,
            "{}",
            source.held.most.get()
        );
        assert_eq!(source.rows_read as u64, expected, "each row is read once");
    }
}

#[test]
fn the_stream_of_descendants_holds_one_chunk() {
    let mut source = Wide::new(1, 200_000);
    let filter = rsr_hierarchy::Filter::default();
    let scope = Scope {
        viewer: Viewer::Anonymous,
        filter: &filter,
        sort: rsr_hierarchy::Sort::default(),
    };
    let limits = Limits::new(10, 50);
    let stream = Descendants::open(&mut source, scope, ProjectId(-1), None, &limits).unwrap();
    assert_eq!(stream.map(|node| drop(node.unwrap())).count(), 200_000);
    assert!(source.held.most.get() <= 50, "{}", source.held.most.get());
}
