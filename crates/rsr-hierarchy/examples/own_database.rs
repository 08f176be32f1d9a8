//! A tree from a database of one's own, walked a page at a time and as a stream: what the database must answer is
//! `NodeSource`, here over a table with an index on (parent, id), as any database has it.
#![expect(clippy::print_stdout, reason = "it shows something")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{
    BranchNode, Children, ChildrenRequest, CursorKey, Descendants, Key, Limits, Node, NodeSource,
    Scope, Viewer,
};

/// `CREATE TABLE tasks (id PRIMARY KEY, parent, title)` and its index.
#[derive(Default)]
struct Tasks {
    titles: BTreeMap<i64, String>,
    by_parent: BTreeMap<(i64, i64), ()>,
}

impl Tasks {
    fn insert(&mut self, id: i64, parent: i64, title: &str) {
        self.titles.insert(id, title.to_owned());
        self.by_parent.insert((parent, id), ());
    }

    /// `SELECT id FROM tasks WHERE parent = ? AND id < ? ORDER BY id DESC LIMIT ?`
    fn below(&self, parent: i64, after: Option<i64>, n: usize) -> Vec<i64> {
        let range = (parent, i64::MIN)..(parent, after.unwrap_or(i64::MAX));
        let found = self.by_parent.range(range).rev();
        found.map(|((_, id), ())| *id).take(n).collect()
    }

    fn node(&self, id: i64, parent: i64, depth: u32) -> Node<String> {
        Node {
            id: ProjectId(id),
            parent: ProjectId(parent),
            depth,
            children_count: self.below(id, None, usize::MAX).len() as u64,
            row: self.titles[&id].clone(),
        }
    }

    /// Where a walk stands: a level's parent, and the child it ended with.
    fn walk(
        &self,
        way: &mut Vec<(i64, Option<i64>)>,
        depth_max: Option<NonZeroU32>,
    ) -> Option<Node<String>> {
        while let Some((parent, last)) = way.last_mut() {
            let Some(id) = self.below(*parent, *last, 1).pop() else {
                way.pop();
                continue;
            };
            *last = Some(id);
            let (parent, depth) = (*parent, u32::try_from(way.len()).unwrap_or(u32::MAX));
            if depth_max.is_none_or(|max| depth < max.get()) {
                way.push((id, None));
            }
            return Some(self.node(id, parent, depth));
        }
        None
    }
}

impl NodeSource for Tasks {
    type Row = String;
    type Error = Infallible;
    /// The branch that is walked, and the way down to where the walk stands: as long as the tree is deep.
    type Resume = (usize, Vec<(i64, Option<i64>)>);

    fn is_visible(&mut self, task: ProjectId, _: Viewer) -> Result<bool, Infallible> {
        Ok(self.titles.contains_key(&task.0))
    }

    fn count_descendants(
        &mut self,
        _: &Scope<'_>,
        task: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Infallible> {
        let mut way = vec![(task.0, None)];
        let mut n = 0;
        while n < at_most && self.walk(&mut way, depth_max).is_some() {
            n += 1;
        }
        Ok(n)
    }

    fn child_keys(
        &mut self,
        _: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), Infallible> {
        let ids = self.below(parent.0, after.map(|key| key.id.0), n);
        keys.extend(ids.into_iter().map(|id| Key::of_id(ProjectId(id))));
        Ok(())
    }

    fn count_below(
        &mut self,
        scope: &Scope<'_>,
        nodes: &[Key],
        depth_max: NonZeroU32,
    ) -> Result<u64, Infallible> {
        let mut n = 0;
        for node in nodes {
            n += self.count_descendants(scope, node.id, Some(depth_max), u64::MAX)?;
        }
        Ok(n)
    }

    fn children(
        &mut self,
        _: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<String>>,
    ) -> Result<Option<Key>, Infallible> {
        let ids = self.below(parent.0, after.map(|key| key.id.0), n);
        nodes.extend(ids.iter().map(|id| self.node(*id, parent.0, 1)));
        Ok(ids.last().map(|id| Key::of_id(ProjectId(*id))))
    }

    fn branches(
        &mut self,
        _: &Scope<'_>,
        of: &[ProjectId],
        depth_max: Option<NonZeroU32>,
        resume: Option<Self::Resume>,
        n: usize,
        nodes: &mut Vec<BranchNode<String>>,
    ) -> Result<Option<Self::Resume>, Infallible> {
        let (mut nth, mut way) = resume.unwrap_or_default();
        let mut n_given = 0;
        while let Some(top) = of.get(nth) {
            if way.is_empty() {
                way.push((top.0, None));
            }
            if n_given == n {
                return Ok(Some((nth, way)));
            }
            if let Some(node) = self.walk(&mut way, depth_max) {
                nodes.push(BranchNode { nth, node });
                n_given += 1;
            } else {
                nth += 1;
            }
        }
        Ok(None)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut tasks = Tasks::default();
    tasks.insert(1, 0, "build a house");
    for (id, parent, title) in [
        (2, 1, "foundation"),
        (3, 1, "walls"),
        (4, 1, "roof"),
        (5, 4, "beams"),
        (6, 5, "nails"),
    ] {
        tasks.insert(id, parent, title);
    }
    let key = CursorKey::new([7; 32]);

    // Two children an answer, with true counts; the cursor goes on where it ended.
    let limits = Limits::new(2, 100);
    let mut cursor = None;
    loop {
        let query = cursor.as_deref().map(|cursor: &str| ("cursor", cursor));
        let request = ChildrenRequest::parse(ProjectId(1), Viewer::Anonymous, query, &key)?;
        let children = Children::open(&mut tasks, &request, &limits)?;
        let head = children.head().clone();
        println!(
            "{} children, more to come: {}",
            head.children_count,
            head.is_truncated()
        );
        for node in children {
            let node = node?;
            println!("  {} ({} below)", node.row, node.children_count);
        }
        cursor = head.next_cursor(&key, &request);
        if cursor.is_none() {
            break;
        }
    }

    // Everything below, depth first, a chunk of two rows in memory at a time.
    let request = ChildrenRequest::new(ProjectId(1), Viewer::Anonymous);
    let scope = Scope::from(&request);
    for node in Descendants::open(&mut tasks, scope, ProjectId(1), None, &Limits::new(1, 2))? {
        let node = node?;
        println!("{}{}", "  ".repeat(node.depth as usize), node.row);
    }
    Ok(())
}
