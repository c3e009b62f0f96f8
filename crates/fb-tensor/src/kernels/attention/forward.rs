//! The forward pass: for a block of queries, tile after tile of keys.

use super::lines::{Lines, Tokens};
use super::softmax::{self, LANES};
use super::{FEW_QUERIES, KEYS, Problem, Tile, multiply, rows_of};
use crate::element::Float;
use crate::kernels::gemm::{Start, gather};
use crate::storage::UniqueStorage;
use crate::threads;
use std::ops::Range;

/// Queries whose scores are worked on together.
const QUERIES: usize = 24;
/// Queries for which a tile of keys is prepared together, at most.
const BLOCK: usize = 8 * QUERIES;

/// Writes the weighted values `[batch, time, head, width]` and, for each query, the logarithm of the sum of its
/// exponentials, `[batch, time, head]`.
pub(crate) fn forward<F: Float>(problem: &Problem<'_, F>, output: &mut [F], log_sums: &mut [F]) {
    let [batches, heads, queries, _] = problem.queries.extents;
    let output = Tokens::new(output, [batches, queries, heads, problem.values.width()]);
    let log_sums = Tokens::new(log_sums, [batches, queries, heads, 1]);
    let mut block = BLOCK;
    while block > QUERIES && batches * heads * queries.div_ceil(block) < 2 * threads::count() {
        block /= 2;
    }
    let blocks = queries.div_ceil(block);
    threads::for_each(batches * heads * blocks, problem.cost(2), |i| {
        let (batch, head) = (i / blocks / heads, i / blocks % heads);
        let start = i % blocks * block;
        let queries = start..queries.min(start + block);
        // SAFETY: each number names another batch, head or block of queries.
        let (output, log_sums) = unsafe {
            let output = output.lines(batch, head, queries.clone());
            (output, log_sums.lines(batch, head, queries.clone()))
        };
        part(problem, batch, head, queries, output, log_sums);
    });
}

/// The forward pass of some queries of one head.
fn part<F: Float>(
    problem: &Problem<'_, F>,
    batch: usize,
    head: usize,
    queries: Range<usize>,
    mut output: Lines<'_, F>,
    mut log_sums: Lines<'_, F>,
) {
    let (rows, width) = (queries.len(), problem.values.width());
    let mut gathered = UniqueStorage::stale(rows * (width + 2));
    let gathered = &mut gathered.as_mut_slice()[..rows * (width + 2)];
    gathered.fill(F::ZERO);
    let (values, rest) = gathered.split_at_mut(rows * width);
    let (sums, largest) = rest.split_at_mut(rows);
    largest.fill(-F::INFINITY);
    let copied = if rows <= FEW_QUERIES { 0 } else { KEYS };
    let (turned, plain) = (copied * problem.keys.width(), copied * width);
    let mut scratch = UniqueStorage::stale(turned + plain + QUERIES * KEYS);
    let (turned, rest) = scratch.as_mut_slice().split_at_mut(turned);
    let (plain, scores) = rest.split_at_mut(plain);

    let end = problem.seen_by(queries.end - 1);
    for start in (0..end).step_by(KEYS) {
        let keys = start..end.min(start + KEYS);
        let kv_head = head / problem.group();
        let key_rows = problem.keys.matrix(batch, kv_head, keys.clone());
        let mut value_rows = problem.values.matrix(batch, kv_head, keys.clone());
        let stride = keys.len().next_multiple_of(LANES);
        if copied > 0 {
            gather(
                key_rows.transposed(),
                stride,
                &mut turned[..key_rows.columns * stride],
            );
            gather(value_rows, width, &mut plain[..keys.len() * width]);
            value_rows = rows_of(plain, keys.len(), width, width);
        }
        let from = queries.start.max(problem.first_to_see(start));
        for at in (from..queries.end).step_by(QUERIES) {
            let tile_queries = at..queries.end.min(at + QUERIES);
            let seen = problem.seen_by(tile_queries.end - 1).min(keys.end);
            let tile = Tile {
                batch,
                head,
                queries: tile_queries.clone(),
                keys: start..seen,
            };
            let scores = &mut scores[..tile.rows() * tile.stride()];
            let left = problem.queries.matrix(batch, head, tile_queries.clone());
            let right = if copied > 0 {
                rows_of(turned, key_rows.columns, tile.stride(), stride)
            } else {
                key_rows
                    .part(0..tile.keys(), 0..key_rows.columns)
                    .transposed()
            };
            let update = (problem.scale, Start::Zero);
            multiply(update, left, right, scores, tile.stride());
            tile.apply_mask(problem, scores);
            let own = tile_queries.start - queries.start..tile_queries.end - queries.start;
            let values = &mut values[own.start * width..own.end * width];
            let (largest, sums) = (&mut largest[own.clone()], &mut sums[own]);
            softmax::online(scores, tile.seen(problem), largest, sums, values, width);
            // The sums are of all weights: what is silenced is missing from the values alone.
            tile.silence(problem, scores);
            let weights = rows_of(scores, tile.rows(), tile.keys(), tile.stride());
            let value_rows = value_rows.part(0..tile.keys(), 0..width);
            let update = (F::ONE, Start::Output);
            multiply(update, weights, value_rows, values, width);
        }
    }
    for (row, values) in values.chunks_exact(width).enumerate() {
        let log_sum = softmax::finish(largest[row], sums[row], values, output.line_mut(row));
        log_sums.line_mut(row)[0] = log_sum;
    }
}
