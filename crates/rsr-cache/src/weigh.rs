//! How many bytes an entry takes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Tells the bytes of an entry, once, when it is written.
///
/// Implemented for every `Fn(&K, &V) -> u64`. It runs before any lock is taken. An entry of no bytes counts as one.
pub trait Weigher<K, V>: Send + Sync {
    /// Bytes that this entry holds.
    fn weigh(&self, key: &K, value: &V) -> u64;
}

impl<K, V, F: Fn(&K, &V) -> u64 + Send + Sync> Weigher<K, V> for F {
    fn weigh(&self, key: &K, value: &V) -> u64 {
        self(key, value)
    }
}

/// Bytes that a value owns on the heap, beside its own `size_of`.
///
/// An estimate that is cheap to take: capacities count, the allocator's own overhead does not. What an [`Arc`] points to
/// counts in full for each handle.
///
/// ```
/// use rsr_cache::HeapSize;
///
/// assert_eq!(7_u64.heap_bytes(), 0);
/// assert_eq!(String::with_capacity(100).heap_bytes(), 100);
/// assert_eq!(vec![String::with_capacity(8)].heap_bytes(), size_of::<String>() + 8);
/// ```
pub trait HeapSize {
    /// Bytes on the heap that dropping this value would free.
    fn heap_bytes(&self) -> usize;
}

macro_rules! flat {
    ($($kind:ty)*) => {$(
        impl HeapSize for $kind {
            fn heap_bytes(&self) -> usize {
                0
            }
        }
    )*};
}

flat! {
    () bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64
    std::time::Duration std::time::Instant std::time::SystemTime &'static str
    rsr_base::ByteSize rsr_base::ProjectId rsr_base::ResultId rsr_base::IndicatorId rsr_base::PeriodId
    rsr_base::UpdateId rsr_base::DisaggregationId rsr_base::DimensionNameId rsr_base::DimensionValueId
    rsr_base::OrganisationId rsr_base::UserId rsr_base::JobId
}

impl HeapSize for String {
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl HeapSize for Box<str> {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl HeapSize for Arc<str> {
    fn heap_bytes(&self) -> usize {
        2 * size_of::<usize>() + self.len()
    }
}

impl<T: HeapSize> HeapSize for Vec<T> {
    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>() + owned(self.iter())
    }
}

impl<T: HeapSize> HeapSize for VecDeque<T> {
    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>() + owned(self.iter())
    }
}

impl<T: HeapSize> HeapSize for Box<[T]> {
    fn heap_bytes(&self) -> usize {
        size_of_val::<[T]>(self) + owned(self.iter())
    }
}

impl<T: HeapSize> HeapSize for Box<T> {
    fn heap_bytes(&self) -> usize {
        size_of::<T>() + T::heap_bytes(self)
    }
}

impl<T: HeapSize> HeapSize for Arc<T> {
    fn heap_bytes(&self) -> usize {
        2 * size_of::<usize>() + size_of::<T>() + T::heap_bytes(self)
    }
}

impl<T: HeapSize> HeapSize for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: HeapSize, E: HeapSize> HeapSize for Result<T, E> {
    fn heap_bytes(&self) -> usize {
        match self {
            Ok(value) => value.heap_bytes(),
            Err(error) => error.heap_bytes(),
        }
    }
}

impl<T: HeapSize, const N: usize> HeapSize for [T; N] {
    fn heap_bytes(&self) -> usize {
        owned(self.iter())
    }
}

impl<K: HeapSize, V: HeapSize, S> HeapSize for HashMap<K, V, S> {
    fn heap_bytes(&self) -> usize {
        let slot = size_of::<(K, V)>() + 1;
        self.capacity() * slot + owned(self.keys()) + owned(self.values())
    }
}

impl<K: HeapSize, V: HeapSize> HeapSize for BTreeMap<K, V> {
    fn heap_bytes(&self) -> usize {
        self.len() * size_of::<(K, V)>() + owned(self.keys()) + owned(self.values())
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: HeapSize),+> HeapSize for ($($name,)+) {
            fn heap_bytes(&self) -> usize {
                #[expect(non_snake_case, reason = "the members of a tuple are named like their types")]
                let ($($name,)+) = self;
                0 $(+ $name.heap_bytes())+
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }

fn owned<'a, T: HeapSize + 'a>(items: impl Iterator<Item = &'a T>) -> usize {
    items.map(T::heap_bytes).sum()
}
