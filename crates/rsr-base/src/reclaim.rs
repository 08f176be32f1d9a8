//! Giving memory back when it is short.

use crate::ByteSize;

/// Something that holds memory it can do without.
///
/// The one who watches memory pressure knows only this trait, so caches and arenas need not know the watcher.
pub trait Reclaim: Send + Sync {
    /// The name that reports and metrics show.
    fn name(&self) -> &str;

    /// Bytes held now. Cheap enough to ask at every check: O(1), no lock that a writer waits for.
    fn held(&self) -> ByteSize;

    /// Gives back at least `wanted` if it can, the least useful first, and answers how much it gave.
    ///
    /// An implementation keeps a floor of its own: answering less than `wanted`, or zero, is allowed. The memory is
    /// free when this returns.
    fn reclaim(&self, wanted: ByteSize) -> ByteSize;
}
