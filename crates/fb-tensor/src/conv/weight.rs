//! The gradient of the kernel: a sum over all outputs of patch times gradient.

use super::geometry::Geometry;
use super::patches::{Patches, Runs};
use crate::element::Float;
use crate::kernels::convolution as kernel;
use crate::kernels::gemm::{
    Chain, MatMut, MatRef, PackedRight, Stack, Update, products_unsplit, stacked_with_packed,
};
use crate::storage::UniqueStorage;
use crate::threads;

/// The images are summed in so many parts at most, whatever the number of threads, so that the bits do not depend on it.
const PARTS: usize = 8;
/// Bytes of patches that are written out at a time.
const PATCH_BYTES: usize = 128 << 10;
/// Runs of fewer numbers than this are not read where they lie.
const SHORT_RUN: usize = 16;
/// Bytes of gradients that are packed at a time.
const GRADIENT_BYTES: usize = 256 << 10;
/// Multiply–adds of one core in a nanosecond, roughly.
const MULTIPLY_ADDS_PER_NS: usize = 24;

/// What becomes of the gradient before it is used: called with the elements of an image and the place of the first.
pub(super) type Before<'a, F> = &'a (dyn Fn(usize, &mut [F]) + Sync);

/// `Σ x[n, …]ᵀ·g[n, i, j, :]`, in the order `[kh, kw, inputs of a group, outputs]`. The geometry is that of the forward
/// pass.
pub(super) fn weight_gradient<F: Float>(
    geometry: &Geometry,
    x: &[F],
    gradient: &[F],
    output: &mut [F],
) {
    sum_images(geometry, x, gradient, None, &mut [], output);
}

/// The same, and the sums of the gradient over all positions, of what `before` makes of it: an image at a time, so that
/// nothing is written that does not stay in the cache.
pub(super) fn weight_gradient_through<F: Float>(
    geometry: &Geometry,
    x: &[F],
    gradient: &[F],
    before: Before<'_, F>,
    totals: &mut [F],
    output: &mut [F],
) {
    sum_images(geometry, x, gradient, Some(before), totals, output);
}

fn sum_images<F: Float>(
    geometry: &Geometry,
    x: &[F],
    gradient: &[F],
    before: Option<Before<'_, F>>,
    totals: &mut [F],
    output: &mut [F],
) {
    let size = output.len();
    if size == 0 {
        return;
    }
    // Partial sums should not be larger than what is summed.
    let parts = ((x.len() + gradient.len()) / size)
        .clamp(1, PARTS)
        .min(geometry.batch.max(1));
    let images = geometry.batch.div_ceil(parts);
    let each = size + totals.len();
    let mut sums = UniqueStorage::<F>::stale(each * parts);
    let sums = &mut sums.as_mut_slice()[..each * parts];
    let cost = gradient
        .len()
        .saturating_mul(size / geometry.channels[1].max(1))
        / MULTIPLY_ADDS_PER_NS;
    let runs = Runs::new(
        geometry,
        &geometry.axes[0].phases[0],
        &geometry.axes[1].phases[0],
    );
    let elements = geometry.axes[0].output * geometry.line();
    threads::for_each_chunk_mut(sums, each, cost, |start, sum| {
        sum.fill(F::ZERO);
        let (sum, totals) = sum.split_at_mut(size);
        let first = (start / each * images).min(geometry.batch);
        let mut changed = UniqueStorage::<F>::stale(if before.is_some() { elements } else { 0 });
        for image in first..(first + images).min(geometry.batch) {
            let x = &x[image * geometry.image()..][..geometry.image()];
            let mut gradient = &gradient[image * elements..][..elements];
            if let Some(before) = before {
                let changed = &mut changed.as_mut_slice()[..elements];
                changed.copy_from_slice(gradient);
                before(image * elements, changed);
                for line in changed.chunks_exact(geometry.line()) {
                    kernel::add_pixels(line, totals);
                }
                gradient = changed;
            }
            add_image(geometry, &runs, x, gradient, sum);
        }
    });
    let (first, others) = sums.split_at_mut(each);
    for part in others.chunks_exact(each) {
        first.iter_mut().zip(part).for_each(|(sum, &x)| *sum += x);
    }
    totals.copy_from_slice(&first[size..]);
    disarrange(geometry, &first[..size], output);
}

/// Adds what one image gives: a matrix `[taps · inputs of a group, outputs of a group]` for each group.
fn add_image<F: Float>(
    geometry: &Geometry,
    runs: &Runs,
    image: &[F],
    gradient: &[F],
    sum: &mut [F],
) {
    let [rows, columns] = &geometry.axes;
    let [inputs, outputs] = geometry.group();
    let whole = 0..rows.output;
    let mut border = UniqueStorage::stale(geometry.border(&whole));
    let field = geometry.field(image, &whole, border.as_mut_slice());
    let patches = |group: usize| Patches {
        field,
        runs,
        channel: group * inputs,
        lines: whole.clone(),
        row_stride: rows.phases[0].stride,
        columns: columns.output,
        column_stride: columns.phases[0].stride,
    };
    if geometry.is_depthwise() {
        return single_channels(&patches(0), gradient, sum);
    }
    for (group, sum) in sum.chunks_exact_mut(runs.depth() * outputs).enumerate() {
        let gradient = MatRef {
            data: gradient,
            offset: group * outputs,
            rows: rows.output * columns.output,
            columns: outputs,
            row_stride: geometry.channels[1] as isize,
            column_stride: 1,
        };
        if runs.length < SHORT_RUN {
            written(&patches(group), gradient, sum);
        } else {
            in_place(&patches(group), gradient, sum);
        }
    }
}

/// Each channel by itself.
fn single_channels<F: Float>(patches: &Patches<'_, F>, gradient: &[F], sum: &mut [F]) {
    let channels = patches.field.channels;
    let mut starts = Vec::with_capacity(patches.runs.depth());
    let lines = gradient.chunks_exact(patches.columns * channels);
    for (i, gradient) in lines.enumerate() {
        patches.starts(i, 0, &mut starts);
        let (data, distance) = (patches.field.data, patches.distance());
        kernel::depthwise_weight(data, &starts, distance, gradient, channels, sum);
    }
}

/// `sum += patchesᵀ · gradient`, the patches read where they lie: all runs over some lines, whose gradients are packed for them.
fn in_place<F: Float>(patches: &Patches<'_, F>, gradient: MatRef<'_, F>, sum: &mut [F]) {
    let (length, columns) = (patches.runs.length, gradient.columns);
    let lines = patches.lines.len();
    let line_bytes = patches.columns * columns * size_of::<F>();
    let at_once = (GRADIENT_BYTES / line_bytes.max(1)).clamp(1, lines.max(1));
    let mut starts = Vec::new();
    let mut factors = Vec::with_capacity(at_once);
    let mut places = Vec::with_capacity(at_once);
    for first in (0..lines).step_by(at_once) {
        let lines = first..lines.min(first + at_once);
        factors.clear();
        factors.extend(lines.clone().map(|line| {
            let rows = line * patches.columns..(line + 1) * patches.columns;
            gradient.part(rows, 0..columns)
        }));
        let packed = PackedRight::new(&factors);
        patches.starts(first, 0, &mut starts);
        let mut sums = &mut *sum;
        for runs in patches.even(&starts) {
            places.clear();
            let line = |line| runs[0] + line * patches.line_distance();
            places.extend((0..lines.len()).map(line));
            let pixels = |start| patches.run_matrix(start).transposed();
            let lefts: Vec<_> = Chain::of(&places, patches.columns, pixels).collect();
            let stack = Stack {
                count: runs.len(),
                left: runs.get(1).map_or(0, |second| second - runs[0]),
                output: length * columns,
            };
            let (now, after) = sums.split_at_mut(runs.len() * length * columns);
            sums = after;
            let out = MatMut::row_major(now, length, columns);
            stacked_with_packed(&lefts, stack, &packed, Update::ADD, out);
        }
    }
}

/// `sum += patchesᵀ · gradient`, the patches written out.
fn written<F: Float>(patches: &Patches<'_, F>, gradient: MatRef<'_, F>, sum: &mut [F]) {
    let depth = patches.runs.depth();
    let at_once = (PATCH_BYTES / size_of::<F>() / depth).clamp(1, patches.len());
    let mut written = UniqueStorage::<F>::stale(at_once * depth);
    for from in (0..patches.len()).step_by(at_once) {
        let range = from..(from + at_once).min(patches.len());
        let written = &mut written.as_mut_slice()[..range.len() * depth];
        let gradient = gradient.part(range.clone(), 0..gradient.columns);
        let written = patches.write(range, written).transposed();
        let out = MatMut::row_major(&mut *sum, depth, gradient.columns);
        products_unsplit(&[(written, gradient)], Update::ADD, out);
    }
}

/// From a matrix for each group to the order of the kernel.
fn disarrange<F: Float>(geometry: &Geometry, sum: &[F], output: &mut [F]) {
    let outputs = geometry.group()[1];
    if geometry.groups == 1 || geometry.is_depthwise() {
        return output.copy_from_slice(sum);
    }
    let depth = sum.len() / geometry.channels[1];
    for (group, sum) in sum.chunks_exact(depth * outputs).enumerate() {
        let lines = output.chunks_exact_mut(geometry.channels[1]);
        for (line, sum) in lines.zip(sum.chunks_exact(outputs)) {
            line[group * outputs..][..outputs].copy_from_slice(sum);
        }
    }
}
