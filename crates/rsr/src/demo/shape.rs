//! The tree of the portfolio: how many programmes, and who is whose parent.

/// A forest of programmes of about the same size, three to five levels deep where there is room for them.
///
/// Projects are numbered programme by programme, and level by level within one, so a parent always comes before its
/// children. Every answer is computed from the number: nothing is kept for each project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    n_projects: usize,
    n_programmes: usize,
}

/// Where a project stands in the forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The programme it belongs to, from 0.
    pub(crate) programme: usize,
    /// Its number in the programme; the programme itself is 0.
    pub(crate) within: usize,
    /// Its level: 1 for the programme itself.
    pub(crate) level: u32,
    /// The number of its parent; none for a programme.
    pub(crate) parent: Option<usize>,
    /// Which child of its parent it is, from 0.
    pub(crate) sibling: usize,
    /// Whether it has no children.
    pub(crate) is_leaf: bool,
}

impl Shape {
    /// A forest of this many projects, at least one.
    pub(crate) fn new(n_projects: usize) -> Self {
        let n_projects = n_projects.max(1);
        let most = (n_projects.isqrt() / 4).max(3);
        Self {
            n_projects,
            n_programmes: (n_projects / 20).clamp(1, most),
        }
    }

    pub(crate) fn n_projects(&self) -> usize {
        self.n_projects
    }

    pub(crate) fn n_programmes(&self) -> usize {
        self.n_programmes
    }

    /// The number of the first project of a programme.
    pub(crate) fn first(&self, programme: usize) -> usize {
        // The first few programmes take one project more, so that the sizes add up.
        let (size, more) = (
            self.n_projects / self.n_programmes,
            self.n_projects % self.n_programmes,
        );
        programme * size + programme.min(more)
    }

    /// Children of a project that has as many as can be: enough that five levels hold the programme, and at least 3.
    fn fan_out(&self, programme: usize) -> usize {
        let size = self.first(programme + 1) - self.first(programme);
        // Four levels below the top hold about the fourth power.
        let wanted = size.isqrt().isqrt() + 2;
        // Programmes differ, as programmes do.
        wanted.max(3) + programme % 2
    }

    /// Where project `number` stands.
    pub(crate) fn position(&self, number: usize) -> Position {
        let mut programme = number * self.n_programmes / self.n_projects;
        while self.first(programme + 1) <= number {
            programme += 1;
        }
        while self.first(programme) > number {
            programme -= 1;
        }
        let first = self.first(programme);
        let within = number - first;
        let fan_out = self.fan_out(programme);
        let mut level = 1;
        let mut above = within;
        while above > 0 {
            above = (above - 1) / fan_out;
            level += 1;
        }
        let (parent, sibling) = match within {
            0 => (None, programme),
            within => (Some(first + (within - 1) / fan_out), (within - 1) % fan_out),
        };
        let first_child = first + within * fan_out + 1;
        Position {
            programme,
            within,
            level,
            parent,
            sibling,
            is_leaf: first_child >= self.first(programme + 1),
        }
    }

    /// The numbers of a project's children.
    pub(crate) fn children(&self, number: usize) -> std::ops::Range<usize> {
        let Position {
            programme, within, ..
        } = self.position(number);
        let (first, end) = (self.first(programme), self.first(programme + 1));
        let fan_out = self.fan_out(programme);
        let from = first + within * fan_out + 1;
        from.min(end)..(from + fan_out).min(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n: usize, n_programmes: usize, levels: std::ops::RangeInclusive<u32>) {
        let shape = Shape::new(n);
        assert_eq!(shape.n_programmes(), n_programmes, "programmes of {n}");
        let positions: Vec<Position> = (0..n).map(|number| shape.position(number)).collect();
        let deepest = positions
            .iter()
            .map(|position| position.level)
            .max()
            .unwrap();
        assert!(
            levels.contains(&deepest),
            "{n} projects have {deepest} levels"
        );
        for (number, position) in positions.iter().enumerate() {
            assert_eq!(position.parent.is_none(), position.level == 1, "{number}");
            if let Some(parent) = position.parent {
                assert!(parent < number, "{parent} comes before {number}");
                assert_eq!(positions[parent].level + 1, position.level);
                assert_eq!(positions[parent].programme, position.programme);
                assert_eq!(shape.children(parent).nth(position.sibling), Some(number));
            }
            assert_eq!(
                position.is_leaf,
                shape.children(number).is_empty(),
                "{number}"
            );
        }
        let n_children: usize = (0..n).map(|number| shape.children(number).len()).sum();
        assert_eq!(
            n_children + n_programmes,
            n,
            "everybody but the programmes is one parent's child"
        );
    }

    #[test]
    fn forests_of_many_sizes_are_sound() {
        check(1, 1, 1..=1);
        check(10, 1, 3..=3);
        check(60, 3, 3..=4);
        check(120, 3, 3..=5);
        check(1_000, 7, 3..=5);
        check(20_000, 35, 3..=5);
    }
}
