//! Each output as a sum over what it is made from: the forward pass, the gradient of the input, and both of a transposed
//! convolution.
//!
//! A piece of the image goes into a buffer with its border, so that no loop asks where the image ends. There a row of
//! outputs is a sum of products of overlapping strided matrices with the rows of the kernel; where those are too short for
//! that, patches are written out, some cache lines at a time.

use super::axis::Phase;
use super::geometry::Geometry;
use super::patches::{Patches, Runs};
use crate::element::Float;
use crate::kernels::convolution as kernel;
use crate::kernels::gemm::{
    Chain, MatMut, MatRef, PackedRight, Stack, Update, product_with_packed_unsplit,
    stacked_with_packed,
};
use crate::storage::UniqueStorage;
use crate::threads;
use std::ops::Range;

/// Bytes of image, border included, and output that are worked on at a time: they should stay in the second cache.
const PIECE_BYTES: usize = 384 << 10;
/// Bytes of patches that are written out at a time.
const PATCH_BYTES: usize = 128 << 10;
/// Runs of fewer numbers than this are not read where they lie.
const SHORT_RUN: usize = 16;
/// Multiply–adds of one core in a nanosecond, roughly.
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// The same where each channel is by itself.
const DEPTHWISE_PER_NS: usize = 6;
/// A thread gets its work in about so many pieces, so that all end together.
const PIECES_PER_THREAD: usize = 4;

/// One pair of phases with the part of the kernel that it needs.
struct Part<'a, F: Float> {
    rows: &'a Phase,
    columns: &'a Phase,
    runs: Runs,
    weights: Weights<'a, F>,
    /// Rows of each matrix.
    depth: usize,
}

/// A part of the kernel, in the order of the runs.
enum Weights<'a, F: Float> {
    /// `[taps, channels]`, for single channels.
    Single(&'a [F]),
    /// A matrix `[taps · inputs of a group, outputs of a group]` for each group: one factor, for patches that are written out.
    Whole(Vec<PackedRight<F>>),
    /// The same matrices cut at the ends of the runs, which are read where they lie.
    ByRun(Vec<PackedRight<F>>),
}

/// What becomes of finished elements while they are in the cache, such as an activation: it must treat every element by
/// itself.
pub(crate) type Finish<'a, F> = &'a (dyn Fn(&mut [F]) + Sync);

/// `output[n, i, j, :] = finish(bias + Σ x[n, …]·w)`, for a weight `[kh, kw, inputs of a group, outputs]` in row-major order.
pub(super) fn gather<F: Float>(
    geometry: &Geometry,
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
    finish: Option<Finish<'_, F>>,
    output: &mut [F],
) {
    if output.is_empty() {
        return;
    }
    let [rows, columns] = &geometry.axes;
    let inputs = geometry.group()[0];
    let phases = rows.phases.iter();
    let pairs: Vec<_> = phases
        .flat_map(|r| columns.phases.iter().map(move |c| (r, c)))
        .collect();
    let each = inputs * geometry.channels[1];
    let mut arranged = UniqueStorage::<F>::stale(geometry.kernel[0] * geometry.kernel[1] * each);
    let mut rest = arranged.as_mut_slice();
    let mut parts = Vec::with_capacity(pairs.len());
    for &(r, c) in &pairs {
        let taps = r.taps.len() * c.taps.len();
        let (weights, after) = rest.split_at_mut(taps * each);
        rest = after;
        arrange(geometry, weight, (r, c), weights);
        let runs = Runs::new(geometry, r, c);
        parts.push(Part {
            rows: r,
            columns: c,
            weights: Weights::new(geometry, &runs, weights),
            runs,
            depth: taps * inputs,
        });
    }
    let depth = parts.iter().map(|part| part.depth).sum::<usize>() / parts.len();
    let rate = if geometry.is_depthwise() {
        DEPTHWISE_PER_NS
    } else {
        MULTIPLY_ADDS_PER_NS
    };
    let cost = output.len().saturating_mul(depth) / rate;
    let line = geometry.line();
    threads::for_each_chunk_mut(
        output,
        rows_per_piece::<F>(geometry) * line,
        cost,
        |start, part| {
            let mut row = start / line;
            let mut rest = part;
            while !rest.is_empty() {
                let (image, from) = (row / rows.output, row % rows.output);
                let here = (rows.output - from).min(rest.len() / line);
                let (now, after) = rest.split_at_mut(here * line);
                let x = &x[image * geometry.image()..][..geometry.image()];
                piece(geometry, &parts, x, bias, from..from + here, now);
                if let Some(finish) = finish {
                    finish(now);
                }
                rest = after;
                row += here;
            }
        },
    );
}

impl<'a, F: Float> Weights<'a, F> {
    fn new(geometry: &Geometry, runs: &Runs, arranged: &'a [F]) -> Self {
        let (depth, outputs) = (runs.depth(), geometry.group()[1]);
        if geometry.is_depthwise() || depth * outputs == 0 {
            return Self::Single(arranged);
        }
        let matrices = arranged.chunks_exact(depth * outputs);
        let matrices = matrices.map(|matrix| MatRef::row_major(matrix, depth, outputs));
        if runs.length < SHORT_RUN {
            let pack = |matrix| PackedRight::new(&[matrix]);
            return Self::Whole(matrices.map(pack).collect());
        }
        let pack = |matrix: MatRef<'_, F>| {
            let cuts = (0..depth).step_by(runs.length);
            let cut = cuts.map(|from| matrix.part(from..from + runs.length, 0..outputs));
            PackedRight::new(&cut.collect::<Vec<_>>())
        };
        Self::ByRun(matrices.map(pack).collect())
    }
}

/// Puts the part of the weight that a pair of phases needs in the order in which it is used.
fn arrange<F: Float>(
    geometry: &Geometry,
    weight: &[F],
    (rows, columns): (&Phase, &Phase),
    arranged: &mut [F],
) {
    let [inputs, outputs] = geometry.group();
    let taps = rows.taps.len() * columns.taps.len();
    for (i, row) in rows.taps.iter().enumerate() {
        for (j, column) in columns.taps.iter().enumerate() {
            let tap = i * columns.taps.len() + j;
            for input in 0..inputs {
                let from = ((row.kernel * geometry.kernel[1] + column.kernel) * inputs + input)
                    * geometry.channels[1];
                let from = &weight[from..from + geometry.channels[1]];
                if geometry.is_depthwise() {
                    arranged[tap * from.len()..][..from.len()].copy_from_slice(from);
                    continue;
                }
                for (group, from) in from.chunks_exact(outputs.max(1)).enumerate() {
                    let to = ((group * taps + tap) * inputs + input) * outputs;
                    arranged[to..to + outputs].copy_from_slice(from);
                }
            }
        }
    }
}

/// Rows of the output that a thread works on at a time; no bit depends on it.
fn rows_per_piece<F: Float>(geometry: &Geometry) -> usize {
    let rows = geometry.axes[0].output;
    let input = geometry.image() / rows;
    let fitting = PIECE_BYTES / ((geometry.line() + input) * size_of::<F>());
    let even = (geometry.batch * rows).div_ceil(threads::count() * PIECES_PER_THREAD);
    let at_once = fitting.min(even).max(1);
    if at_once < rows {
        // Pieces of an image are as even as they can be.
        rows.div_ceil(rows.div_ceil(at_once))
    } else {
        at_once / rows * rows
    }
}

/// Some rows of one image's output.
fn piece<F: Float>(
    geometry: &Geometry,
    parts: &[Part<'_, F>],
    image: &[F],
    bias: Option<&[F]>,
    rows: Range<usize>,
    output: &mut [F],
) {
    // Each pair of phases has its own outputs; those that no input reaches are written by none.
    let complete = parts.iter().all(|part| part.depth > 0) && !geometry.is_depthwise();
    if !complete {
        match bias {
            Some(bias) => {
                let pixels = output.chunks_exact_mut(bias.len());
                pixels.for_each(|out| out.copy_from_slice(bias));
            }
            None => output.fill(F::ZERO),
        }
    }
    let mut border = UniqueStorage::stale(geometry.border(&rows));
    let field = geometry.field(image, &rows, border.as_mut_slice());
    for part in parts.iter().filter(|part| part.depth > 0) {
        for group in 0..geometry.groups {
            let patches = Patches {
                field,
                runs: &part.runs,
                channel: group * geometry.group()[0],
                lines: part.rows.within(&rows),
                row_stride: part.rows.stride,
                columns: part.columns.within(&(0..geometry.axes[1].output)).len(),
                column_stride: part.columns.stride,
            };
            let places = Places {
                start: (part.rows.start + part.rows.step * patches.lines.start - rows.start)
                    * geometry.line()
                    + part.columns.start * geometry.channels[1],
                row: part.rows.step * geometry.line(),
                column: part.columns.step * geometry.channels[1],
            };
            if patches.len() == 0 {
                break;
            }
            let outputs = geometry.group()[1];
            let places = Places {
                start: places.start + group * outputs,
                ..places
            };
            let bias = bias.map(|bias| &bias[group * outputs..][..outputs]);
            match &part.weights {
                Weights::Single(weights) => {
                    single_channels(weights, &patches, &places, output);
                    break;
                }
                Weights::Whole(matrices) => {
                    written(&patches, &matrices[group], bias, &places, output);
                }
                Weights::ByRun(matrices) => {
                    in_place(&patches, &matrices[group], bias, &places, output);
                }
            }
        }
    }
}

/// Where the outputs of a pair of phases are: output (i, j) starts at `start + i·row + j·column`.
struct Places {
    start: usize,
    row: usize,
    column: usize,
}

/// Each channel by itself.
fn single_channels<F: Float>(
    weights: &[F],
    patches: &Patches<'_, F>,
    places: &Places,
    output: &mut [F],
) {
    let channels = patches.field.channels;
    let mut starts = Vec::with_capacity(patches.runs.depth());
    for i in 0..patches.lines.len() {
        patches.starts(i, 0, &mut starts);
        let out = &mut output[places.start + i * places.row..];
        let out = &mut out[..(patches.columns - 1) * places.column + channels];
        let (data, distance) = (patches.field.data, patches.distance());
        kernel::depthwise(
            data,
            &starts,
            distance,
            weights,
            channels,
            out,
            places.column,
        );
    }
}

/// What the products with a bias or without do to their outputs.
fn update<F: Float>(bias: Option<&[F]>, rows: usize) -> Update<'_, F> {
    match bias {
        Some(bias) => Update::from(MatRef::repeated(bias, rows)),
        None => Update::ASSIGN,
    }
}

/// The products of patches, read where they lie, with a part of the kernel: each row of outputs is one, all of them a stack.
fn in_place<F: Float>(
    patches: &Patches<'_, F>,
    weights: &PackedRight<F>,
    bias: Option<&[F]>,
    places: &Places,
    output: &mut [F],
) {
    let mut starts = Vec::new();
    patches.starts(0, 0, &mut starts);
    let run = |start: usize| patches.run_matrix(start);
    let chains = |starts| Chain::of(starts, patches.runs.length, run);
    let lefts: Vec<_> = patches.even(&starts).flat_map(chains).collect();
    let stack = Stack {
        count: patches.lines.len(),
        left: patches.line_distance(),
        output: places.row,
    };
    let out = MatMut {
        data: &mut output[places.start..],
        rows: patches.columns,
        columns: weights.columns(),
        row_stride: places.column,
    };
    stacked_with_packed(&lefts, stack, weights, update(bias, patches.columns), out);
}

/// The products of patches, written out, with a part of the kernel.
fn written<F: Float>(
    patches: &Patches<'_, F>,
    weights: &PackedRight<F>,
    bias: Option<&[F]>,
    places: &Places,
    output: &mut [F],
) {
    let depth = patches.runs.depth();
    let fitting = (PATCH_BYTES / size_of::<F>() / depth).max(1);
    // Rows of outputs that follow each other are one matrix; others are worked on one by one.
    let follow = places.row == patches.columns * places.column;
    let together = if follow {
        patches.len()
    } else {
        patches.columns
    };
    let mut storage = UniqueStorage::<F>::stale(fitting.min(together) * depth);
    for first in (0..patches.len()).step_by(together) {
        for from in (0..together).step_by(fitting) {
            let rows = fitting.min(together - from);
            let written = &mut storage.as_mut_slice()[..rows * depth];
            let written = patches.write(first + from..first + from + rows, written);
            let line = first / patches.columns * places.row;
            let out = MatMut {
                data: &mut output[places.start + line + from * places.column..],
                rows,
                columns: weights.columns(),
                row_stride: places.column,
            };
            product_with_packed_unsplit(&[written], weights, update(bias, rows), out);
        }
    }
}
