//! A tree in memory that answers as a store must, by the rules taken literally, and counts how it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{
    BranchNode, Condition, Key, MoveSource, Node, NodeSource, Parent, ParentSource, Scope,
    SortField, Viewer, Waypoint,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Project {
    pub(crate) parent: Option<i64>,
    pub(crate) title: Option<String>,
    pub(crate) is_hidden: bool,
    pub(crate) has_inherited_results: bool,
}

/// How often the tree was asked, and for how much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Rows given by each call for children.
    pub(crate) children: Vec<usize>,
    pub(crate) keys: Vec<usize>,
    pub(crate) branches: Vec<usize>,
    pub(crate) counts: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) projects: BTreeMap<i64, Project>,
    pub(crate) asked: Asked,
}

impl Tree {
    /// Ids with their parents; titles are "p" and the id.
    pub(crate) fn new(links: impl IntoIterator<Item = (i64, Option<i64>)>) -> Self {
        let mut tree = Self::default();
        for (id, parent) in links {
            tree.projects.insert(
                id,
                Project {
                    parent,
                    title: Some(format!("p{id}")),
                    ..Project::default()
                },
            );
        }
        tree
    }

    /// Project 1 with `n` children from 2 on.
    pub(crate) fn fan(n: i64) -> Self {
        Self::new((1..=n + 1).map(|id| (id, (id > 1).then_some(1))))
    }

    /// Ids from 1, each the parent of the next.
    pub(crate) fn chain(n: i64) -> Self {
        Self::new((1..=n).map(|id| (id, (id > 1).then_some(id - 1))))
    }

    fn exists(&self, scope: &Scope<'_>, project: &Project) -> bool {
        let is_visible = scope.viewer == Viewer::Administrator || !project.is_hidden;
        is_visible
            && scope
                .filter
                .conditions()
                .iter()
                .all(|condition| match condition {
                    Condition::TitleContains(text) => {
                        project.title.as_ref().is_some_and(|t| t.contains(text))
                    }
                    _ => true,
                })
    }

    fn key(&self, scope: &Scope<'_>, id: i64) -> Key {
        match scope.sort.field {
            SortField::Title => Key::new(self.projects[&id].title.as_deref(), ProjectId(id)),
            _ => Key::of_id(ProjectId(id)),
        }
    }

    fn sorted(&self, scope: &Scope<'_>, parent: ProjectId) -> Vec<Key> {
        let mut keys: Vec<Key> = self
            .projects
            .iter()
            .filter(|(_, project)| project.parent == Some(parent.0) && self.exists(scope, project))
            .map(|(&id, _)| self.key(scope, id))
            .collect();
        keys.sort_by(|a, b| scope.sort.compare(a, b));
        keys
    }

    /// Everything below, depth first, newest first, with its depth.
    fn below(&self, scope: &Scope<'_>, id: ProjectId, depth_max: u32) -> Vec<(i64, u32)> {
        let newest_first = Scope {
            sort: rsr_hierarchy::Sort::default(),
            ..*scope
        };
        let mut found = Vec::new();
        let mut open = vec![(id.0, 0)];
        while let Some((at, depth)) = open.pop() {
            if depth > 0 {
                found.push((at, depth));
            }
            if depth < depth_max {
                let children = self.sorted(&newest_first, ProjectId(at));
                open.extend(children.iter().rev().map(|key| (key.id.0, depth + 1)));
            }
        }
        found
    }

    fn node(&self, scope: &Scope<'_>, id: i64, depth: u32) -> Node<String> {
        let project = &self.projects[&id];
        Node {
            id: ProjectId(id),
            parent: ProjectId(project.parent.unwrap_or_default()),
            depth,
            children_count: self.sorted(scope, ProjectId(id)).len() as u64,
            row: project.title.clone().unwrap_or_default(),
        }
    }

    fn after(
        &self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
    ) -> Vec<Key> {
        let mut keys = self.sorted(scope, parent);
        keys.retain(|key| after.is_none_or(|last| scope.sort.compare(key, last).is_gt()));
        keys.truncate(n);
        keys
    }
}

fn levels(depth_max: Option<NonZeroU32>) -> u32 {
    depth_max.map_or(u32::MAX, NonZeroU32::get)
}

impl NodeSource for Tree {
    type Row = String;
    type Error = Infallible;
    type Resume = usize;

    fn is_visible(&mut self, project: ProjectId, viewer: Viewer) -> Result<bool, Infallible> {
        let project = self.projects.get(&project.0);
        Ok(project.is_some_and(|p| viewer == Viewer::Administrator || !p.is_hidden))
    }

    fn count_descendants(
        &mut self,
        scope: &Scope<'_>,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
        at_most: u64,
    ) -> Result<u64, Infallible> {
        self.asked.counts += 1;
        let all = self.below(scope, project, levels(depth_max)).len() as u64;
        Ok(all.min(at_most))
    }

    fn child_keys(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        keys: &mut Vec<Key>,
    ) -> Result<(), Infallible> {
        assert!(n > 0, "an empty read was asked for");
        let found = self.after(scope, parent, after, n);
        self.asked.keys.push(found.len());
        keys.extend(found);
        Ok(())
    }

    fn count_below(
        &mut self,
        scope: &Scope<'_>,
        nodes: &[Key],
        depth_max: NonZeroU32,
    ) -> Result<u64, Infallible> {
        self.asked.counts += 1;
        let counts = nodes
            .iter()
            .map(|key| self.below(scope, key.id, depth_max.get()).len() as u64);
        Ok(counts.sum())
    }

    fn children(
        &mut self,
        scope: &Scope<'_>,
        parent: ProjectId,
        after: Option<&Key>,
        n: usize,
        nodes: &mut Vec<Node<String>>,
    ) -> Result<Option<Key>, Infallible> {
        assert!(n > 0, "an empty read was asked for");
        let keys = self.after(scope, parent, after, n);
        self.asked.children.push(keys.len());
        nodes.extend(keys.iter().map(|key| self.node(scope, key.id.0, 1)));
        Ok(keys.last().cloned())
    }

    fn branches(
        &mut self,
        scope: &Scope<'_>,
        of: &[ProjectId],
        depth_max: Option<NonZeroU32>,
        resume: Option<usize>,
        n: usize,
        nodes: &mut Vec<BranchNode<String>>,
    ) -> Result<Option<usize>, Infallible> {
        let all: Vec<BranchNode<String>> = of
            .iter()
            .enumerate()
            .flat_map(|(nth, &id)| {
                self.below(scope, id, levels(depth_max))
                    .into_iter()
                    .map(move |(id, depth)| (nth, id, depth))
            })
            .map(|(nth, id, depth)| BranchNode {
                nth,
                node: self.node(scope, id, depth),
            })
            .collect();
        let from = resume.unwrap_or(0);
        let to = (from + n).min(all.len());
        self.asked.branches.push(to - from);
        nodes.extend_from_slice(&all[from..to]);
        Ok((to < all.len()).then_some(to))
    }

    fn resume_after(
        &mut self,
        scope: &Scope<'_>,
        top: ProjectId,
        last: &Waypoint,
    ) -> Result<Option<usize>, Infallible> {
        let all = self.below(scope, top, u32::MAX);
        Ok(all
            .iter()
            .position(|&(id, _)| id == last.id.0)
            .map(|nth| nth + 1))
    }
}

impl ParentSource for Tree {
    type Error = Infallible;

    fn parent(&mut self, node: ProjectId) -> Result<Parent, Infallible> {
        Ok(match self.projects.get(&node.0) {
            None => Parent::Unknown,
            Some(Project { parent: None, .. }) => Parent::Root,
            Some(Project {
                parent: Some(parent),
                ..
            }) => Parent::Node(ProjectId(*parent)),
        })
    }
}

impl MoveSource for Tree {
    fn has_inherited_results(&mut self, node: ProjectId) -> Result<bool, Infallible> {
        Ok(self.projects[&node.0].has_inherited_results)
    }
}
