//! The largest numbers and the averages of windows, and their gradients: a row of windows at a time, vectors over channels.

use crate::element::Float;
use crate::pooling::Axis;
use std::ops::Range;

/// Where in its window a maximum was found: counted row by row.
pub(crate) trait Offset: Copy + Send + Sync {
    /// Whether it is kept at all.
    const KEPT: bool;
    fn of(offset: u32) -> Self;
    fn get(self) -> u32;
}

impl Offset for u8 {
    const KEPT: bool = true;
    #[inline(always)]
    fn of(offset: u32) -> Self {
        offset as Self
    }
    #[inline(always)]
    fn get(self) -> u32 {
        u32::from(self)
    }
}

impl Offset for i64 {
    const KEPT: bool = true;
    #[inline(always)]
    fn of(offset: u32) -> Self {
        Self::from(offset)
    }
    #[inline(always)]
    fn get(self) -> u32 {
        self as u32
    }
}

/// Offsets that nobody asked for.
impl Offset for () {
    const KEPT: bool = false;
    #[inline(always)]
    fn of(_: u32) -> Self {}
    #[inline(always)]
    fn get(self) -> u32 {
        0
    }
}

/// A row of windows: some rows of an image, and where the windows are along them.
#[derive(Clone)]
pub(crate) struct Row<'a> {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: &'a Axis,
    pub(crate) channels: usize,
}

impl Row<'_> {
    /// Calls `visit` with the start of each pixel of a window, row by row.
    #[inline(always)]
    fn pixels(&self, columns: &Range<usize>, mut visit: impl FnMut(usize)) {
        for row in self.rows.clone() {
            for column in columns.clone() {
                visit((row * self.columns.input + column) * self.channels);
            }
        }
    }
}

/// Calls a function with the number of channels as a constant for each block of them: as wide as possible, so that what is
/// kept for them stays in registers.
macro_rules! for_each_block {
    ($channels:expr, |$from:ident| $function:ident::<$($generic:ident),*>($($argument:expr),*)) => {{
        let (channels, mut $from) = ($channels, 0);
        for_each_block!(@ channels, $from, $function, [$($generic),*], ($($argument),*), 64 32 16 8 4 2 1);
    }};
    (@ $channels:ident, $from:ident, $function:ident, $generics:tt, $arguments:tt, $($width:literal)*) => {
        $(
            while $channels - $from >= $width {
                for_each_block!(@call $function, $generics, $arguments, $width);
                $from += $width;
            }
        )*
    };
    (@call $function:ident, [$($generic:ident),*], ($($argument:expr),*), $width:literal) => {
        $function::<$($generic,)* $width>($($argument),*)
    };
}

/// The `N` numbers from `at` on.
#[inline(always)]
fn block<T, const N: usize>(values: &[T], at: usize) -> &[T; N] {
    values[at..].first_chunk().expect("a block of channels")
}

/// The largest of the numbers of `N` channels from `from` on over a window; the first of equal ones, and NaN before all.
#[inline(always)]
fn largest<F: Float, I: Offset, const N: usize>(
    image: &[F],
    row: &Row<'_>,
    columns: &Range<usize>,
    from: usize,
    output: &mut [F],
    offsets: &mut [I],
) {
    let (mut best, mut which) = ([-F::INFINITY; N], [0_u32; N]);
    let mut offset = 0_u32;
    row.pixels(columns, |at| {
        let values = block::<F, N>(image, at + from);
        for c in 0..N {
            let larger = (values[c] > best[c]) | values[c].is_nan();
            best[c] = F::select(larger, values[c], best[c]);
            if I::KEPT {
                which[c] = if larger { offset } else { which[c] };
            }
        }
        offset += 1;
    });
    output[from..from + N].copy_from_slice(&best);
    if I::KEPT {
        for (offset, which) in offsets[from..from + N].iter_mut().zip(which) {
            *offset = I::of(which);
        }
    }
}

multiversion! {
    /// The largest number of each window of a row of them, and where it is.
    pub(crate) fn max_row [F: Float, I: Offset] (image: &[F], row: Row<'_>, output: &mut [F], offsets: &mut [I]) {
        let pixels = output.chunks_exact_mut(row.channels).zip(offsets.chunks_exact_mut(row.channels));
        for (i, (output, offsets)) in pixels.enumerate() {
            let columns = row.columns.range(i);
            for_each_block!(row.channels, |from| largest::<F, I>(image, &row, &columns, from, output, offsets));
        }
    }
}

/// Windows of more positions than this are not gone through for each channel: the one position is looked up.
const FEW_POSITIONS: usize = 16;

multiversion! {
    /// Gives the gradients of a row of maxima to where those were: added, or written if the windows tile the image.
    pub(crate) fn max_row_back [F: Float, I: Offset] (
        gradient: &[F], offsets: &[I], row: Row<'_>, tiles: bool, image: &mut [F],
    ) {
        let channels = row.channels;
        let pixels = gradient.chunks_exact(channels).zip(offsets.chunks_exact(channels));
        for (i, (gradient, offsets)) in pixels.enumerate() {
            let columns = row.columns.range(i);
            if row.rows.len() * columns.len() > FEW_POSITIONS {
                if tiles {
                    row.pixels(&columns, |at| image[at..at + channels].fill(F::ZERO));
                }
                for (c, (&g, &offset)) in gradient.iter().zip(offsets).enumerate() {
                    let offset = offset.get() as usize;
                    let (down, right) = (offset / columns.len(), offset % columns.len());
                    let pixel = (row.rows.start + down) * row.columns.input + columns.start + right;
                    image[pixel * channels + c] += g;
                }
                continue;
            }
            let mut offset = 0_u32;
            row.pixels(&columns, |at| {
                let targets = image[at..at + channels].iter_mut().zip(gradient).zip(offsets);
                if tiles {
                    for ((target, &g), &which) in targets {
                        *target = F::select(which.get() == offset, g, F::ZERO);
                    }
                } else {
                    for ((target, &g), &which) in targets {
                        *target += F::select(which.get() == offset, g, F::ZERO);
                    }
                }
                offset += 1;
            });
        }
    }
}

/// So many positions of a row are summed by themselves: a chain of sums loses digits with its length.
const SUMMED_TOGETHER: usize = 32;

/// The averages of `N` channels from `from` on over a window.
#[inline(always)]
fn average<F: Float, const N: usize>(
    image: &[F],
    row: &Row<'_>,
    columns: &Range<usize>,
    from: usize,
    count: F,
    output: &mut [F],
) {
    let mut sums = [F::ZERO; N];
    for line in row.rows.clone() {
        for first in columns.clone().step_by(SUMMED_TOGETHER) {
            let mut part = [F::ZERO; N];
            for column in first..(first + SUMMED_TOGETHER).min(columns.end) {
                let at = (line * row.columns.input + column) * row.channels + from;
                let values = block::<F, N>(image, at);
                for c in 0..N {
                    part[c] += values[c];
                }
            }
            for c in 0..N {
                sums[c] += part[c];
            }
        }
    }
    for (out, sum) in output[from..from + N].iter_mut().zip(sums) {
        *out = sum / count;
    }
}

multiversion! {
    /// The average of each window of a row of them; those of this row divide by `height` times their own count.
    pub(crate) fn average_row [F: Float] (image: &[F], row: Row<'_>, height: usize, output: &mut [F]) {
        for (i, output) in output.chunks_exact_mut(row.channels).enumerate() {
            let columns = row.columns.range(i);
            let count = F::from_f64((height * row.columns.count(i)) as f64);
            for_each_block!(row.channels, |from| average::<F>(image, &row, &columns, from, count, output));
        }
    }
}

multiversion! {
    /// Gives the gradients of a row of averages to the windows: added, or written if the windows tile the image.
    pub(crate) fn average_row_back [F: Float] (gradient: &[F], row: Row<'_>, height: usize, tiles: bool, image: &mut [F]) {
        let channels = row.channels;
        for (i, gradient) in gradient.chunks_exact(channels).enumerate() {
            let columns = row.columns.range(i);
            let count = F::from_f64((height * row.columns.count(i)) as f64);
            row.pixels(&columns, |at| {
                let targets = image[at..at + channels].iter_mut().zip(gradient);
                if tiles {
                    targets.for_each(|(target, &g)| *target = g / count);
                } else {
                    targets.for_each(|(target, &g)| *target += g / count);
                }
            });
        }
    }
}
