//! Loops of convolutions: images with a border, patches as rows or columns of a matrix, and sums over single channels.

use crate::element::Float;
use std::ops::Range;

/// Rows of an image as they lie in a slice, with a border or without: pixel (i, j) starts at
/// `((i − top)·width + j − left)·channels`.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a, F> {
    pub(crate) data: &'a [F],
    pub(crate) top: isize,
    pub(crate) left: isize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl<F> Field<'_, F> {
    /// Where a pixel starts, which must be inside.
    #[inline]
    pub(crate) fn at(&self, row: isize, column: isize) -> usize {
        debug_assert!(row >= self.top && column >= self.left);
        let (i, j) = ((row - self.top) as usize, (column - self.left) as usize);
        debug_assert!(j < self.width);
        (i * self.width + j) * self.channels
    }
}

/// Copies the rows and columns of an image, zeros where there is none.
pub(crate) fn copy_with_border<F: Float>(
    image: &[F],
    [height, width, channels]: [usize; 3],
    rows: Range<isize>,
    columns: Range<isize>,
    output: &mut [F],
) {
    let line = columns.clone().count() * channels;
    let inside = columns.start.clamp(0, width as isize)..columns.end.clamp(0, width as isize);
    let (from, to) = (
        inside.start as usize * channels,
        inside.end as usize * channels,
    );
    let margin = (inside.start - columns.start) as usize * channels;
    for (row, out) in rows.zip(output.chunks_exact_mut(line.max(1))) {
        if row < 0 || row >= height as isize || from >= to {
            out.fill(F::ZERO);
            continue;
        }
        let start = row as usize * width * channels;
        out[..margin].fill(F::ZERO);
        out[margin..margin + to - from].copy_from_slice(&image[start + from..start + to]);
        out[margin + to - from..].fill(F::ZERO);
    }
}

/// The numbers that outputs are made from, a row for each output: runs of `length` at `start + distance·i` for each start.
pub(crate) fn patches<F: Float>(
    data: &[F],
    starts: &[usize],
    distance: usize,
    length: usize,
    output: &mut [F],
) {
    fn runs<F: Float, const N: usize>(
        data: &[F],
        starts: &[usize],
        distance: usize,
        output: &mut [F],
    ) {
        for (i, out) in output.chunks_exact_mut(starts.len() * N).enumerate() {
            for (out, &start) in out.chunks_exact_mut(N).zip(starts) {
                let run: [F; N] = *data[start + distance * i..]
                    .first_chunk()
                    .expect("a run lies within the image");
                out.copy_from_slice(&run);
            }
        }
    }
    match length {
        3 => return runs::<F, 3>(data, starts, distance, output),
        4 => return runs::<F, 4>(data, starts, distance, output),
        9 => return runs::<F, 9>(data, starts, distance, output),
        _ => {}
    }
    for (i, out) in output
        .chunks_exact_mut((starts.len() * length).max(1))
        .enumerate()
    {
        for (out, &start) in out.chunks_exact_mut(length).zip(starts) {
            let from = start + distance * i;
            out.copy_from_slice(&data[from..from + length]);
        }
    }
}

/// The same for runs of one number, turned around: a row for each start, `pitch` elements apart, a column for each output.
pub(crate) fn patch_columns<F: Float>(
    data: &[F],
    starts: &[usize],
    distance: usize,
    count: usize,
    pitch: usize,
    output: &mut [F],
) {
    for (out, &start) in output.chunks_mut(pitch).zip(starts) {
        let out = &mut out[..count];
        if distance == 1 {
            out.copy_from_slice(&data[start..start + count]);
        } else {
            let from = data[start..].iter().step_by(distance);
            out.iter_mut()
                .zip(from)
                .for_each(|(out, &from)| *out = from);
        }
    }
}

/// Channels whose sums are held in registers at a time.
const CHANNELS: usize = 64;

multiversion! {
    /// `output[i, c] += Σ_t data[start_t + distance·i + c]·weight[t, c]`: outputs lie `step` elements apart.
    pub(crate) fn depthwise [F: Float] (
        data: &[F], starts: &[usize], distance: usize, weight: &[F], channels: usize, output: &mut [F], step: usize,
    ) {
        for (i, output) in output.chunks_mut(step).enumerate() {
            let output = &mut output[..channels];
            for (block, output) in output.chunks_mut(CHANNELS).enumerate() {
                let from = block * CHANNELS;
                if let Ok(output) = <&mut [F; CHANNELS]>::try_from(&mut *output) {
                    let mut sums = *output;
                    for (t, &start) in starts.iter().enumerate() {
                        let x = &data[start + distance * i + from..][..CHANNELS];
                        let w = &weight[t * channels + from..][..CHANNELS];
                        for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
                            *sum += x * w;
                        }
                    }
                    *output = sums;
                    continue;
                }
                for (t, &start) in starts.iter().enumerate() {
                    let x = &data[start + distance * i + from..][..output.len()];
                    let w = &weight[t * channels + from..][..output.len()];
                    for ((sum, &x), &w) in output.iter_mut().zip(x).zip(w) {
                        *sum += x * w;
                    }
                }
            }
        }
    }
}

multiversion! {
    /// `sums[t, c] += Σ_i data[start_t + distance·i + c]·gradient[i, c]`
    pub(crate) fn depthwise_weight [F: Float] (
        data: &[F], starts: &[usize], distance: usize, gradient: &[F], channels: usize, sums: &mut [F],
    ) {
        for (&start, sums) in starts.iter().zip(sums.chunks_exact_mut(channels)) {
            for (block, sums) in sums.chunks_mut(CHANNELS).enumerate() {
                let (from, width) = (block * CHANNELS, sums.len());
                let mut part = [F::ZERO; CHANNELS];
                for (i, g) in gradient.chunks_exact(channels).enumerate() {
                    let x = &data[start + distance * i + from..][..width];
                    let g = &g[from..from + width];
                    if let (Ok(x), Ok(g)) = (<&[F; CHANNELS]>::try_from(x), <&[F; CHANNELS]>::try_from(g)) {
                        for c in 0..CHANNELS {
                            part[c] += x[c] * g[c];
                        }
                    } else {
                        for ((part, &x), &g) in part.iter_mut().zip(x).zip(g) {
                            *part += x * g;
                        }
                    }
                }
                for (sum, part) in sums.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        }
    }
}

multiversion! {
    /// `totals[c] += Σ_i pixels[i, c]`
    pub(crate) fn add_pixels [F: Float] (pixels: &[F], totals: &mut [F]) {
        let channels = totals.len();
        for (block, totals) in totals.chunks_mut(CHANNELS).enumerate() {
            let (from, width) = (block * CHANNELS, totals.len());
            let mut part = [F::ZERO; CHANNELS];
            for pixel in pixels.chunks_exact(channels) {
                let pixel = &pixel[from..from + width];
                for (sum, &x) in part.iter_mut().zip(pixel) {
                    *sum += x;
                }
            }
            for (total, part) in totals.iter_mut().zip(part) {
                *total += part;
            }
        }
    }
}
