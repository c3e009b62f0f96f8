//! Weights silenced at random, each by its own place: nothing is stored, and the backward pass draws the same again.

use crate::element::Float;
use crate::random::mix;

/// Which weights count nothing, and what the others are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Silence<'a, F> {
    /// What the randomness of each row of the batch starts from.
    pub(crate) rows: &'a [i64],
    /// A weight is silenced if its random bits lie below.
    pub(crate) threshold: u32,
    pub(crate) kept: F,
}

impl<F: Copy> Silence<'_, F> {
    /// What the randomness of a head starts from.
    pub(super) fn of_head(&self, batch: usize, head: usize) -> u64 {
        head_start(self.rows[batch] as u64, head)
    }
}

#[inline(always)]
pub(crate) fn head_start(row: u64, head: usize) -> u64 {
    mix(row ^ mix(head as u64))
}

/// The two halves of what the randomness of a query starts from: SplitMix64, the queries being its steps.
#[inline(always)]
pub(crate) fn query_start(head: u64, query: usize) -> [u32; 2] {
    let start = mix(head.wrapping_add((query as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    [start as u32, (start >> 32) as u32]
}

/// The random bits of a query and a key: C. Wellons's 32-bit mixer "lowbias32" over a Weyl sequence, the second half of what
/// the query starts from added between its rounds.
#[inline(always)]
pub(crate) fn bits([first, second]: [u32; 2], key: u32) -> u32 {
    let mut h = first.wrapping_add(key.wrapping_mul(0x9e37_79b9));
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15))
        .wrapping_add(second)
        .wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// Where the rows of a tile stand.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Of the head.
    pub(super) start: u64,
    pub(super) query: usize,
    pub(super) key: usize,
}

multiversion! {
    /// Sets the silenced numbers of a tile to 0 and multiplies the others with `kept`; rows are `stride` numbers long, one for
    /// each query.
    pub(super) fn silence [F: Float] (tile: &mut [F], stride: usize, at: Place, threshold: u32, kept: F) {
        for (r, row) in tile.chunks_exact_mut(stride).enumerate() {
            let start = query_start(at.start, at.query + r);
            for (i, x) in row.iter_mut().enumerate() {
                let drawn = bits(start, (at.key as u32).wrapping_add(i as u32));
                *x = F::select(drawn < threshold, F::ZERO, *x * kept);
            }
        }
    }
}
