//! Sorting and finding ids in about O(1) each: by their leading bits first, then within a few.

use super::{NONE, NodeId};

/// As many buckets as ids or up to twice that, over equal ranges between the smallest and the largest id. Ids that a
/// database gave out, with or without gaps, fall about one into each; where they crowd, a bucket is searched or sorted
/// as any list would be.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
    first: i64,
    shift: u32,
    /// Where each bucket starts, and at the end where the last one ends.
    starts: Vec<u32>,
}

impl Buckets {
    /// `None` where there is no id.
    fn over<I: NodeId>(ids: impl Iterator<Item = I> + Clone, n: usize) -> Option<Self> {
        let first: i64 = ids.clone().min()?.into();
        let last: i64 = ids.max()?.into();
        let span = last.abs_diff(first);
        let mut shift = 0;
        while span >> shift > n as u64 * 2 {
            shift += 1;
        }
        let n_buckets = usize::try_from(span >> shift).ok()? + 1;
        Some(Self {
            first,
            shift,
            starts: vec![0; n_buckets + 2],
        })
    }

    /// The bucket of an id; `None` outside of their range.
    fn of(&self, id: i64) -> Option<usize> {
        if id < self.first {
            return None;
        }
        let bucket = usize::try_from(id.abs_diff(self.first) >> self.shift).ok()?;
        (bucket + 2 < self.starts.len()).then_some(bucket)
    }

    /// Counts ids two places on, so that filling the buckets leaves each start where it belongs.
    fn count<I: NodeId>(&mut self, ids: impl Iterator<Item = I>) {
        for id in ids {
            if let Some(bucket) = self.of(id.into()) {
                self.starts[bucket + 2] += 1;
            }
        }
        for bucket in 2..self.starts.len() {
            self.starts[bucket] += self.starts[bucket - 1];
        }
    }

    /// Buckets of ids that are sorted, to find their ranks.
    pub(super) fn of_sorted<I: NodeId>(ids: &[I]) -> Option<Self> {
        let mut buckets = Self::over(ids.iter().copied(), ids.len())?;
        buckets.count(ids.iter().copied());
        buckets.starts.remove(0);
        Some(buckets)
    }

    /// The rank of an id among the sorted ones that the buckets were made of.
    #[inline]
    pub(super) fn rank<I: NodeId>(&self, id: I, ids: &[I]) -> Option<u32> {
        let wanted: i64 = id.into();
        if wanted < self.first {
            return None;
        }
        let bucket = usize::try_from(wanted.abs_diff(self.first) >> self.shift).ok()?;
        let n_buckets = self.starts.len() - 1;
        if bucket >= n_buckets {
            return None;
        }
        if self.shift == 0 && n_buckets == ids.len() {
            // Not a gap among them.
            return u32::try_from(bucket).ok();
        }
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        if self.shift == 0 {
            return (start < end).then_some(start);
        }
        let within = &ids[start as usize..end as usize];
        let at = within.binary_search(&id).ok()?;
        Some(start + u32::try_from(at).ok()?)
    }

    /// The order of these nodes by id, those of one id in the order they came: indices into them.
    pub(super) fn sort<I: NodeId>(nodes: &[(I, Option<I>)]) -> Vec<u32> {
        let ids = || nodes.iter().map(|node| node.0);
        let Some(mut buckets) = Self::over(ids(), nodes.len()) else {
            return Vec::new();
        };
        buckets.count(ids());
        let mut order = vec![0; nodes.len()];
        for (input, id) in (0..NONE).zip(ids()) {
            if let Some(bucket) = buckets.of(id.into()) {
                let place = &mut buckets.starts[bucket + 1];
                order[*place as usize] = input;
                *place += 1;
            }
        }
        for bounds in buckets.starts.windows(2) {
            let within = &mut order[bounds[0] as usize..bounds[1] as usize];
            if within.len() > 1 {
                within.sort_unstable_by_key(|&input| (nodes[input as usize].0, input));
            }
        }
        order
    }
}
