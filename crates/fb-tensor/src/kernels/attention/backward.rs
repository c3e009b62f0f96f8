//! The backward pass: the weights are made again from the scores, tile by tile.

use super::lines::Tokens;
use super::softmax::{self, LANES};
use super::{Heads, KEYS, Problem, Tile, multiply, multiply_transposed, rows_of};
use crate::element::Float;
use crate::kernels::gemm::{Start, gather};
use crate::storage::UniqueStorage;
use crate::threads;
use std::ops::Range;

/// Queries whose scores are worked on together. Gradients by keys and values are added up in tiles of so many, cut from
/// the first query on.
const QUERIES: usize = 48;
/// Queries of one part, where heads are too few to split by them alone.
const BLOCK: usize = 4 * QUERIES;

/// What the forward pass left, and what came back.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a, F> {
    pub(crate) output: Heads<'a, F>,
    /// Of width 1.
    pub(crate) log_sums: Heads<'a, F>,
    /// The gradient by the output.
    pub(crate) gradient: Heads<'a, F>,
}

/// The gradients that are wanted, `[batch, time, head, width]` each.
pub(crate) struct Gradients<'a, F> {
    pub(crate) queries: Option<&'a mut [F]>,
    pub(crate) keys: Option<&'a mut [F]>,
    pub(crate) values: Option<&'a mut [F]>,
}

/// [`Gradients`] for several threads to write.
struct Targets<'a, F> {
    queries: Option<Tokens<'a, F>>,
    keys: Option<Tokens<'a, F>>,
    values: Option<Tokens<'a, F>>,
}

/// Writes the gradients by queries, keys and values.
pub(crate) fn backward<F: Float>(
    problem: &Problem<'_, F>,
    saved: &Saved<'_, F>,
    gradients: Gradients<'_, F>,
) {
    let tokens = |heads: &Heads<'_, F>| {
        let [batches, heads, times, width] = heads.extents;
        [batches, times, heads, width]
    };
    let by_queries = Targets {
        queries: gradients
            .queries
            .map(|out| Tokens::new(out, tokens(&problem.queries))),
        keys: None,
        values: None,
    };
    let by_keys = Targets {
        queries: None,
        keys: gradients
            .keys
            .map(|out| Tokens::new(out, tokens(&problem.keys))),
        values: gradients
            .values
            .map(|out| Tokens::new(out, tokens(&problem.values))),
    };
    let (batches, heads, kv_heads) = (problem.batches(), problem.heads(), problem.key_heads());
    let (all_queries, all_keys) = (problem.queries.time(), problem.keys.time());
    let group = problem.group();
    let both = by_queries.queries.is_some() && (by_keys.keys.is_some() || by_keys.values.is_some());
    let cost = problem.cost(5);
    if both && (batches * kv_heads >= 2 * threads::count() || !threads::worth_splitting(cost)) {
        let targets = Targets {
            queries: by_queries.queries,
            ..by_keys
        };
        threads::for_each(batches * kv_heads, cost, |i| {
            let (batch, kv_head) = (i / kv_heads, i % kv_heads);
            let part = Part {
                batch,
                kv_head,
                heads: kv_head * group..(kv_head + 1) * group,
                queries: 0..all_queries,
                keys: 0..all_keys,
            };
            // SAFETY: each number names another batch or head of keys, with heads of queries of its own.
            unsafe { part.run(problem, saved, &targets) };
        });
        return;
    }
    // Few heads: the scores are made twice, and the parts are blocks of queries and tiles of keys.
    if by_queries.queries.is_some() {
        let blocks = all_queries.div_ceil(BLOCK);
        threads::for_each(batches * heads * blocks, problem.cost(3), |i| {
            let (batch, head, start) = (i / blocks / heads, i / blocks % heads, i % blocks * BLOCK);
            let part = Part {
                batch,
                kv_head: head / group,
                heads: head..head + 1,
                queries: start..all_queries.min(start + BLOCK),
                keys: 0..all_keys,
            };
            // SAFETY: each number names another batch, head or block of queries, and no others are written.
            unsafe { part.run(problem, saved, &by_queries) };
        });
    }
    if by_keys.keys.is_some() || by_keys.values.is_some() {
        let blocks = all_keys.div_ceil(KEYS);
        threads::for_each(batches * kv_heads * blocks, problem.cost(4), |i| {
            let (batch, kv_head, start) = (
                i / blocks / kv_heads,
                i / blocks % kv_heads,
                i % blocks * KEYS,
            );
            let part = Part {
                batch,
                kv_head,
                heads: kv_head * group..(kv_head + 1) * group,
                queries: 0..all_queries,
                keys: start..all_keys.min(start + KEYS),
            };
            // SAFETY: each number names another batch, head or tile of keys, and no others are written.
            unsafe { part.run(problem, saved, &by_keys) };
        });
    }
}

/// Some queries and some keys: what goes from these to those and back. Ranges start at whole tiles.
struct Part {
    batch: usize,
    kv_head: usize,
    heads: Range<usize>,
    queries: Range<usize>,
    keys: Range<usize>,
}

/// Consecutive parts of a block of scratch memory.
struct Scratch<'a, F>(&'a mut [F]);

impl<'a, F> Scratch<'a, F> {
    fn take(&mut self, len: usize) -> &'a mut [F] {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut(len);
        self.0 = rest;
        taken
    }
}

impl Part {
    /// Writes the gradients by the part's queries, as far as they come from its keys, and the other way round.
    ///
    /// # Safety
    /// No other thread writes the gradients of the same tokens.
    unsafe fn run<F: Float>(
        &self,
        problem: &Problem<'_, F>,
        saved: &Saved<'_, F>,
        to: &Targets<'_, F>,
    ) {
        let (width, value_width) = (problem.keys.width(), problem.values.width());
        let (batch, kv_head, count) = (self.batch, self.kv_head, self.queries.len());
        let rows = self.heads.len() * count;
        let row_width = if to.queries.is_some() { width } else { 0 };
        let needed = rows * (row_width + 2) + KEYS * (3 * width + 2 * value_width + 2 * QUERIES);
        let mut storage = UniqueStorage::stale(needed);
        let mut scratch = Scratch(storage.as_mut_slice());
        let by_queries = scratch.take(rows * row_width);
        by_queries.fill(F::ZERO);
        let (log_sums, means) = (scratch.take(rows), scratch.take(rows));
        self.start_rows(saved, log_sums, means);
        let (turned_keys, turned_values) =
            (scratch.take(KEYS * width), scratch.take(KEYS * value_width));
        let plain_keys = scratch.take(KEYS * width);
        let (by_keys, by_values) = (scratch.take(KEYS * width), scratch.take(KEYS * value_width));
        let (scores, by_scores) = (scratch.take(QUERIES * KEYS), scratch.take(QUERIES * KEYS));

        for start in self.keys.clone().step_by(KEYS) {
            let keys = start..self.keys.end.min(start + KEYS);
            let stride = keys.len().next_multiple_of(LANES);
            let key_rows = problem.keys.matrix(batch, kv_head, keys.clone());
            let value_rows = problem.values.matrix(batch, kv_head, keys.clone());
            gather(
                key_rows.transposed(),
                stride,
                &mut turned_keys[..width * stride],
            );
            gather(
                value_rows.transposed(),
                stride,
                &mut turned_values[..value_width * stride],
            );
            if to.queries.is_some() {
                gather(key_rows, width, &mut plain_keys[..keys.len() * width]);
            }
            by_keys[..keys.len() * width].fill(F::ZERO);
            by_values[..keys.len() * value_width].fill(F::ZERO);
            let first = problem.first_to_see(start);
            for (i, head) in self.heads.clone().enumerate() {
                for at in self.queries.clone().step_by(QUERIES) {
                    let queries = at.max(first)..self.queries.end.min(at + QUERIES);
                    if queries.is_empty() {
                        continue;
                    }
                    let tile = Tile {
                        batch,
                        head,
                        queries: queries.clone(),
                        keys: start..problem.seen_by(queries.end - 1).min(keys.end),
                    };
                    let (tile_rows, tile_stride) = (tile.rows(), tile.stride());
                    let scores = &mut scores[..tile_rows * tile_stride];
                    let by_scores = &mut by_scores[..tile_rows * tile_stride];
                    let query_rows = problem.queries.matrix(batch, head, queries.clone());
                    let gradient_rows = saved.gradient.matrix(batch, head, queries.clone());
                    let right = rows_of(turned_keys, width, tile_stride, stride);
                    multiply(
                        (problem.scale, Start::Zero),
                        query_rows,
                        right,
                        scores,
                        tile_stride,
                    );
                    tile.apply_mask(problem, scores);
                    let right = rows_of(turned_values, value_width, tile_stride, stride);
                    multiply(
                        (F::ONE, Start::Zero),
                        gradient_rows,
                        right,
                        by_scores,
                        tile_stride,
                    );
                    let row = i * count + queries.start - self.queries.start;
                    let own = row..row + tile_rows;
                    let (log_sums, means) = (&log_sums[own.clone()], &means[own.clone()]);
                    tile.silence(problem, by_scores);
                    softmax::gradients(scores, by_scores, tile.seen(problem), log_sums, means);
                    tile.silence(problem, scores);
                    let weights = rows_of(scores, tile_rows, tile.keys(), tile_stride);
                    let by_scores = rows_of(by_scores, tile_rows, tile.keys(), tile_stride);
                    if to.values.is_some() {
                        let out = &mut by_values[..tile.keys() * value_width];
                        multiply_transposed(F::ONE, weights, gradient_rows, out);
                    }
                    if to.keys.is_some() {
                        let out = &mut by_keys[..tile.keys() * width];
                        multiply_transposed(problem.scale, by_scores, query_rows, out);
                    }
                    if to.queries.is_some() {
                        let right = rows_of(plain_keys, tile.keys(), width, width);
                        let out = &mut by_queries[own.start * width..own.end * width];
                        multiply((problem.scale, Start::Output), by_scores, right, out, width);
                    }
                }
            }
            // SAFETY: the caller's.
            unsafe {
                write(to.keys.as_ref(), [batch, kv_head], keys.clone(), by_keys);
                write(to.values.as_ref(), [batch, kv_head], keys, by_values);
            }
        }
        for (i, head) in self.heads.clone().enumerate() {
            let rows = &by_queries[i * count * row_width..];
            // SAFETY: the caller's.
            unsafe {
                write(
                    to.queries.as_ref(),
                    [batch, head],
                    self.queries.clone(),
                    rows,
                )
            };
        }
    }

    /// For each query its logarithm of the sum of exponentials, and the weighted mean of the gradients by its weights,
    /// which is the inner product of its output and the gradient by that, dropout or not.
    fn start_rows<F: Float>(&self, saved: &Saved<'_, F>, log_sums: &mut [F], means: &mut [F]) {
        let count = self.queries.len();
        for (i, head) in self.heads.clone().enumerate() {
            let rows = log_sums[i * count..]
                .iter_mut()
                .zip(&mut means[i * count..]);
            for ((log_sum, mean), query) in rows.zip(self.queries.clone()) {
                let output = saved.output.row(self.batch, head, query);
                *log_sum = saved.log_sums.row(self.batch, head, query)[0];
                *mean = softmax::dot(output, saved.gradient.row(self.batch, head, query));
            }
        }
    }
}

/// Copies rows to the tokens of one head, if they are wanted.
///
/// # Safety
/// As for [`Tokens::lines`].
unsafe fn write<F: Float>(
    to: Option<&Tokens<'_, F>>,
    [batch, head]: [usize; 2],
    times: Range<usize>,
    rows: &[F],
) {
    let Some(to) = to else {
        return;
    };
    let count = times.len();
    // SAFETY: the caller's.
    let mut lines = unsafe { to.lines(batch, head, times) };
    let width = lines.width();
    for line in 0..count {
        lines
            .line_mut(line)
            .copy_from_slice(&rows[line * width..(line + 1) * width]);
    }
}
