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
use crate::kernels::gemm::{MatMut, MatRef};
use crate::storage::UniqueStorage;
use crate::threads;
use std::ops::Range;

/// Bytes of image, border included, and output that are worked on at a time: they should stay in the second cache.
const PIECE_BYTES: usize = 384 << 10;
/// Bytes of patches that are written out at a time.
const PATCH_BYTES: usize = 128 << 10;
/// Multiply–adds of one core in a nanosecond, roughly.
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// The same where each channel is by itself.
const DEPTHWISE_PER_NS: usize = 6;
/// A thread gets its work in about so many pieces, so that all end together.
const PIECES_PER_THREAD: usize = 4;

/// One pair of phases with the part of the kernel that it needs, in the order of the runs: a matrix
/// `[taps · inputs of a group, outputs of a group]` for each group, or `[taps, channels]` for single channels.
struct Part<'a, F> {
    rows: &'a Phase,
    columns: &'a Phase,
    runs: Runs,
    weights: &'a [F],
    /// Rows of each matrix.
    depth: usize,
}

/// `output[n, i, j, :] = bias + Σ x[n, …]·w`, for a weight `[kh, kw, inputs of a group, outputs]` in row-major order.
pub(super) fn gather<F: Float>(
    geometry: &Geometry,
    x: &[F],
    weight: &[F],
    bias: Option<&[F]>,
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
        parts.push(Part {
            rows: r,
            columns: c,
            runs: Runs::new(geometry, r, c),
            weights,
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
                rest = after;
                row += here;
            }
        },
    );
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
    match bias {
        Some(bias) => {
            let pixels = output.chunks_exact_mut(bias.len());
            pixels.for_each(|out| out.copy_from_slice(bias));
        }
        None => output.fill(F::ZERO),
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
            if geometry.is_depthwise() {
                single_channels(part, &patches, &places, output);
                break;
            }
            let outputs = geometry.group()[1];
            let weights = &part.weights[group * part.depth * outputs..][..part.depth * outputs];
            let places = Places {
                start: places.start + group * outputs,
                ..places
            };
            multiply(
                &patches,
                MatRef::row_major(weights, part.depth, outputs),
                &places,
                output,
            );
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
    part: &Part<'_, F>,
    patches: &Patches<'_, F>,
    places: &Places,
    output: &mut [F],
) {
    let channels = patches.field.channels;
    let mut starts = Vec::with_capacity(part.depth);
    for i in 0..patches.lines.len() {
        patches.starts(i, 0, &mut starts);
        let out = &mut output[places.start + i * places.row..];
        let out = &mut out[..(patches.columns - 1) * places.column + channels];
        let (data, distance) = (patches.field.data, patches.distance());
        kernel::depthwise(
            data,
            &starts,
            distance,
            part.weights,
            channels,
            out,
            places.column,
        );
    }
}

/// Adds the products of patches with a part of the kernel to their outputs.
fn multiply<F: Float>(
    patches: &Patches<'_, F>,
    weights: MatRef<'_, F>,
    places: &Places,
    output: &mut [F],
) {
    let (depth, outputs) = (weights.rows, weights.columns);
    let at_once = (PATCH_BYTES / size_of::<F>() / depth).clamp(1, patches.len());
    let compact = places.column == outputs && places.row == patches.columns * outputs;
    let mut written = UniqueStorage::<F>::stale(at_once * depth);
    let mut products = UniqueStorage::<F>::stale(if compact { 0 } else { at_once * outputs });
    for from in (0..patches.len()).step_by(at_once) {
        let rows = at_once.min(patches.len() - from);
        let written = &mut written.as_mut_slice()[..rows * depth];
        let written = patches.write(from..from + rows, written);
        let data = if compact {
            &mut output[places.start + from * outputs..][..rows * outputs]
        } else {
            &mut products.as_mut_slice()[..rows * outputs]
        };
        let out = MatMut {
            data,
            rows,
            columns: outputs,
        };
        (F::kernels().product)(F::ONE, written, weights, compact, out);
        if compact {
            continue;
        }
        let products = &products.as_mut_slice()[..rows * outputs];
        for (k, product) in (from..).zip(products.chunks_exact(outputs)) {
            let (i, j) = (k / patches.columns, k % patches.columns);
            let at = places.start + i * places.row + j * places.column;
            let out = &mut output[at..at + outputs];
            out.iter_mut().zip(product).for_each(|(out, &x)| *out += x);
        }
    }
}
