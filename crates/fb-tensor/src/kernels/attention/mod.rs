//! Scaled dot-product attention in tiles of scores: neither they nor the weights made from them are ever stored whole.
//!
//! The forward pass is the online softmax of M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax",
//! 2018 (algorithm 3), taken over tiles as in T. Dao et al., "FlashAttention: fast and memory-efficient exact attention
//! with IO-awareness", 2022 (algorithms 1 and 4): it keeps each query's logarithm of the sum of exponentials, from which
//! the backward pass makes the weights again.
//!
//! Keys are cut into tiles of [`KEYS`] from the first one on, whatever is asked of them, and what a query does not see
//! counts as an exact zero: so the bits of an output row depend on its own query and on the keys that it sees alone, and a
//! step of cached decoding gives those of the whole run. Gradients by keys and values are added up query tile by query
//! tile, in order. How the work is split between threads never shows.

mod backward;
pub(crate) mod dropout;
mod forward;
mod lines;
mod softmax;

pub(crate) use backward::{Gradients, Saved, backward};
pub(crate) use forward::forward;

use super::gemm::{DIRECT_ROWS, MatMut, MatRef, Start, Update, product_unsplit};
use crate::element::Float;
use dropout::{Place, Silence};
use softmax::{LANES, Seen};
use std::ops::Range;

/// Keys of one tile.
pub(super) const KEYS: usize = 128;
/// Multiply–adds that one core does in a nanosecond, roughly, with the exponentials among them.
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// Exponentials of one core in a nanosecond, roughly.
const EXPONENTIALS_PER_NS: usize = 4;

/// Tokens `[batch, head, time, width]` in a slice, the numbers of one next to each other.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a, F> {
    pub(crate) data: &'a [F],
    pub(crate) offset: usize,
    /// Batches, heads, times, width.
    pub(crate) extents: [usize; 4],
    /// From batch to batch, from head to head, from time to time.
    pub(crate) strides: [isize; 3],
}

impl<'a, F> Heads<'a, F> {
    pub(super) fn time(&self) -> usize {
        self.extents[2]
    }

    pub(super) fn width(&self) -> usize {
        self.extents[3]
    }

    fn at(&self, batch: usize, head: usize, time: usize) -> usize {
        let shift = self.strides[0] * batch as isize
            + self.strides[1] * head as isize
            + self.strides[2] * time as isize;
        self.offset.wrapping_add_signed(shift)
    }

    /// Some times of one head, a row each.
    pub(super) fn matrix(&self, batch: usize, head: usize, times: Range<usize>) -> MatRef<'a, F> {
        MatRef {
            data: self.data,
            offset: self.at(batch, head, times.start),
            rows: times.len(),
            columns: self.width(),
            row_stride: self.strides[2],
            column_stride: 1,
        }
    }

    pub(super) fn row(&self, batch: usize, head: usize, time: usize) -> &'a [F] {
        let at = self.at(batch, head, time);
        &self.data[at..at + self.width()]
    }
}

/// A number for each query and key, `[batch, head, query, key]`, from key to key in steps of 0 or 1.
#[derive(Clone, Copy)]
pub(crate) struct Pairs<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) offset: usize,
    pub(crate) strides: [isize; 4],
}

impl<'a, T> Pairs<'a, T> {
    /// What one query has for some keys: one number each, or one for all of them.
    pub(super) fn row(&self, at: [usize; 3], keys: Range<usize>) -> &'a [T] {
        let start = (0..3).map(|i| self.strides[i] * at[i] as isize).sum();
        let start = self.offset.wrapping_add_signed(start);
        if self.strides[3] == 0 {
            &self.data[start..=start]
        } else {
            &self.data[start + keys.start..start + keys.end]
        }
    }
}

/// What is done to the scores before their softmax.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a, F> {
    None,
    /// Pairs that are `false` count nothing.
    Allow(Pairs<'a, bool>),
    /// Added to the scores.
    Add(Pairs<'a, F>),
}

/// What attends to what.
#[derive(Clone, Copy)]
pub(crate) struct Problem<'a, F> {
    pub(crate) queries: Heads<'a, F>,
    /// With `heads / group` heads, like the values.
    pub(crate) keys: Heads<'a, F>,
    pub(crate) values: Heads<'a, F>,
    pub(crate) scale: F,
    /// Whether the last query stands at the last key, and each sees the keys up to its own.
    pub(crate) causal: bool,
    pub(crate) mask: Mask<'a, F>,
    /// What is done to the weights.
    pub(crate) silence: Option<Silence<'a, F>>,
}

impl<F: Float> Problem<'_, F> {
    fn batches(&self) -> usize {
        self.queries.extents[0]
    }

    fn heads(&self) -> usize {
        self.queries.extents[1]
    }

    fn key_heads(&self) -> usize {
        self.keys.extents[1]
    }

    /// How many heads of queries share one of keys.
    fn group(&self) -> usize {
        self.heads() / self.key_heads().max(1)
    }

    /// How many keys, from the first on, a query sees.
    fn seen_by(&self, query: usize) -> usize {
        let keys = self.keys.time();
        if self.causal {
            (query + 1 + keys)
                .saturating_sub(self.queries.time())
                .min(keys)
        } else {
            keys
        }
    }

    /// The first query that sees a key, or one beyond the last.
    fn first_to_see(&self, key: usize) -> usize {
        if self.causal {
            (key + self.queries.time())
                .saturating_sub(self.keys.time())
                .min(self.queries.time())
        } else {
            0
        }
    }

    /// Nanoseconds of one core for `products` products of queries with keys, roughly.
    fn cost(&self, products: usize) -> usize {
        let heads = self.batches().saturating_mul(self.heads());
        let pairs = heads
            .saturating_mul(self.queries.time())
            .saturating_mul(self.keys.time());
        let pairs = if self.causal { pairs / 2 } else { pairs };
        let width = self.queries.width().max(self.values.width());
        (pairs / MULTIPLY_ADDS_PER_NS).saturating_mul(products * width)
            + pairs / EXPONENTIALS_PER_NS
    }
}

/// A tile of the scores of some queries: which pairs it holds.
#[derive(Clone)]
pub(super) struct Tile {
    batch: usize,
    head: usize,
    queries: Range<usize>,
    keys: Range<usize>,
}

impl Tile {
    fn rows(&self) -> usize {
        self.queries.len()
    }

    fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Length of the tile's rows: whole vectors.
    fn stride(&self) -> usize {
        self.keys().next_multiple_of(LANES)
    }

    /// What each query sees of the tile, of which the first sees something.
    fn seen<F: Float>(&self, problem: &Problem<'_, F>) -> Seen {
        Seen {
            first: problem.seen_by(self.queries.start) - self.keys.start,
            step: usize::from(problem.causal),
            keys: self.keys(),
            stride: self.stride(),
        }
    }

    /// Applies dropout to the tile's weights, or to the gradients by them.
    fn silence<F: Float>(&self, problem: &Problem<'_, F>, weights: &mut [F]) {
        if let Some(silence) = &problem.silence {
            let at = Place {
                start: silence.of_head(self.batch, self.head),
                query: self.queries.start,
                key: self.keys.start,
            };
            dropout::silence(weights, self.stride(), at, silence.threshold, silence.kept);
        }
    }

    /// Applies the mask to the tile's scores.
    fn apply_mask<F: Float>(&self, problem: &Problem<'_, F>, scores: &mut [F]) {
        let rows = scores
            .chunks_exact_mut(self.stride())
            .zip(self.queries.clone());
        match problem.mask {
            Mask::None => {}
            Mask::Allow(pairs) => rows.for_each(|(row, query)| {
                let allowed = pairs.row([self.batch, self.head, query], self.keys.clone());
                softmax::hide(&mut row[..self.keys()], allowed);
            }),
            Mask::Add(pairs) => rows.for_each(|(row, query)| {
                let added = pairs.row([self.batch, self.head, query], self.keys.clone());
                softmax::add(&mut row[..self.keys()], added);
            }),
        }
    }
}

/// Up to so many queries the keys and values are read where they lie: copies of them would be used too few times.
const FEW_QUERIES: usize = 4;

/// `out = start + alpha · left · right`, rows `stride` apart.
///
/// Rows are taken by as many as the product reads a right factor for where it lies: it fits the first cache.
fn multiply<F: Float>(
    (alpha, start): (F, Start<'_, F>),
    left: MatRef<'_, F>,
    right: MatRef<'_, F>,
    out: &mut [F],
    stride: usize,
) {
    let columns = right.columns;
    for row in (0..left.rows).step_by(DIRECT_ROWS) {
        let rows = row..left.rows.min(row + DIRECT_ROWS);
        let left = left.part(rows.clone(), 0..left.columns);
        let update = Update {
            alpha,
            start,
            finish: None,
        };
        let out = MatMut {
            data: &mut out[row * stride..],
            rows: rows.len(),
            columns,
            row_stride: stride,
        };
        product_unsplit(left, right, update, out);
    }
}

/// `out += alpha · leftᵀ · right`, row by row without gaps.
fn multiply_transposed<F: Float>(
    alpha: F,
    left: MatRef<'_, F>,
    right: MatRef<'_, F>,
    out: &mut [F],
) {
    let update = Update {
        alpha,
        ..Update::ADD
    };
    let out = MatMut::row_major(out, left.columns, right.columns);
    product_unsplit(left.transposed(), right, update, out);
}

/// A matrix with rows of `stride` numbers from the start of a slice.
fn rows_of<F>(data: &[F], rows: usize, columns: usize, stride: usize) -> MatRef<'_, F> {
    MatRef {
        data,
        offset: 0,
        rows,
        columns,
        row_stride: stride as isize,
        column_stride: 1,
    }
}
