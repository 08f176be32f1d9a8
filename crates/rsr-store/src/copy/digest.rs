//! A digest of a table that does not depend on the order of its rows.

use sha2::{Digest as _, Sha256};

use crate::sql::Value;

/// Rows, counted, and the sum of their digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) n_rows: u64,
    sum: u128,
}

impl Digest {
    pub(super) fn add(&mut self, row: &[Value<'_>]) {
        let mut hasher = Sha256::new();
        for value in row {
            match value {
                // Roots are derived, and no row that is copied has one.
                Value::Null | Value::Root(_) | Value::Roots(_) | Value::OwnRoot => {
                    hasher.update([0]);
                }
                Value::Int(number) => number_of(&mut hasher, i128::from(*number)),
                Value::Hundredths(number) => number_of(&mut hasher, *number),
                Value::Text(text) => bytes_of(&mut hasher, 2, text.as_bytes()),
                Value::Blob(bytes) => bytes_of(&mut hasher, 3, bytes),
            }
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let (half, _rest) = digest.split_at(size_of::<u128>());
        let half = half.try_into().map_or(0, u128::from_be_bytes);
        self.sum = self.sum.wrapping_add(half);
        self.n_rows += 1;
    }
}

fn number_of(hasher: &mut Sha256, number: i128) {
    hasher.update([1]);
    hasher.update(number.to_be_bytes());
}

fn bytes_of(hasher: &mut Sha256, kind: u8, bytes: &[u8]) {
    hasher.update([kind]);
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}
