//! Sorting and finding ids in about O(1) each: by their leading bits first, then within a few.

use super::NodeId;

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

    /// Buckets of ids that are sorted, to find their ranks.
    pub(super) fn of_sorted<I: NodeId>(ids: &[I]) -> Option<Self> {
        let mut buckets = Self::over(ids.iter().copied(), ids.len())?;
        for &id in ids {
            if let Some(bucket) = buckets.of(id.into()) {
                buckets.starts[bucket + 1] += 1;
            }
        }
        buckets.starts.pop();
        for bucket in 1..buckets.starts.len() {
            buckets.starts[bucket] += buckets.starts[bucket - 1];
        }
        Some(buckets)
    }

    /// Whether not one id is missing between the smallest and the largest.
    pub(super) fn is_gapless<I>(&self, ids: &[I]) -> bool {
        self.shift == 0 && self.starts.len() - 1 == ids.len()
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
        if self.is_gapless(ids) {
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

    /// Sorts nodes by id, those of one id in the order they came.
    ///
    /// In two passes that each stay near where they are: into runs of neighbouring buckets, each of which a processor
    /// keeps close; then each run into its buckets. One pass into a million buckets waits for memory at every node.
    pub(super) fn sort<I: NodeId>(mut nodes: Vec<(I, Option<I>)>) -> Vec<(I, Option<I>)> {
        let Some(buckets) = Self::over(nodes.iter().map(|node| node.0), nodes.len()) else {
            return nodes;
        };
        let n_buckets = buckets.starts.len() - 2;
        let runs = Runs::of(n_buckets);
        let bucket = |node: &(I, Option<I>)| buckets.of(node.0.into()).unwrap_or(0);
        let (by_run, starts) = runs.scatter(nodes.iter().map(|node| (bucket(node), *node)));
        let mut ends = vec![0; runs.buckets_per_run() + 1];
        for (run, bounds) in starts.windows(2).enumerate() {
            let (start, end) = (bounds[0] as usize, bounds[1] as usize);
            let first = run * runs.buckets_per_run();
            ends.fill(0);
            for node in &by_run[start..end] {
                ends[bucket(node) - first + 1] += 1;
            }
            let mut sum = start;
            for place in &mut ends {
                sum += *place;
                *place = sum;
            }
            for node in &by_run[start..end] {
                let place = &mut ends[bucket(node) - first];
                nodes[*place] = *node;
                *place += 1;
            }
            let mut from = start;
            for &to in &ends[..runs.buckets_per_run()] {
                match &mut nodes[from..to] {
                    [] | [_] => {}
                    // Most buckets with more than one have two.
                    [first, second] => {
                        if second.0 < first.0 {
                            std::mem::swap(first, second);
                        }
                    }
                    crowd => crowd.sort_by_key(|node| node.0),
                }
                from = to;
            }
        }
        nodes
    }

    /// As [`Buckets::rank`] for many ids at once: calls `found` with each one's number and rank, in no order of them. Takes
    /// them a run of buckets at a time, so that what is looked at stays close.
    pub(super) fn ranks<I: NodeId>(
        &self,
        wanted: impl Iterator<Item = (u32, I)> + Clone,
        ids: &[I],
        mut found: impl FnMut(u32, I, Option<u32>),
    ) {
        let n_buckets = self.starts.len() - 1;
        let runs = Runs::of(n_buckets);
        let bucket = |id: I| {
            let id: i64 = id.into();
            let bucket = usize::try_from(id.abs_diff(self.first) >> self.shift);
            bucket.map_or(0, |bucket| bucket.min(n_buckets - 1))
        };
        let (by_run, _starts) = runs.scatter(wanted.map(|(nth, id)| (bucket(id), (nth, id))));
        for (nth, id) in by_run {
            found(nth, id, self.rank(id, ids));
        }
    }
}

/// A few hundred runs of neighbouring buckets: as many as can be written to in turn without waiting.
#[derive(Clone, Copy, Debug)]
struct Runs {
    /// A run's buckets, as a power of two.
    shift: u32,
    n_runs: usize,
}

impl Runs {
    const MAX: usize = 256;

    fn of(n_buckets: usize) -> Self {
        let mut shift = 0;
        while n_buckets >> shift >= Self::MAX {
            shift += 1;
        }
        Self {
            shift,
            n_runs: (n_buckets >> shift) + 1,
        }
    }

    fn buckets_per_run(self) -> usize {
        1 << self.shift
    }

    /// Puts what has a bucket where its run is, in the order it comes; answers also where each run starts, and the end.
    fn scatter<T: Copy>(
        self,
        items: impl Iterator<Item = (usize, T)> + Clone,
    ) -> (Vec<T>, Vec<u32>) {
        let mut starts = vec![0_u32; self.n_runs + 1];
        let mut any = None;
        for (bucket, item) in items.clone() {
            starts[(bucket >> self.shift) + 1] += 1;
            any = Some(item);
        }
        for run in 1..starts.len() {
            starts[run] += starts[run - 1];
        }
        let n = starts.last().copied().unwrap_or(0);
        let mut all = any.map_or(Vec::new(), |any| vec![any; n as usize]);
        let mut next = starts.clone();
        for (bucket, item) in items {
            let place = &mut next[bucket >> self.shift];
            all[*place as usize] = item;
            *place += 1;
        }
        (all, starts)
    }
}
