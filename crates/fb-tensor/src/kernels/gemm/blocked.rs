//! Products of any size: the inner index in blocks, the factors packed where that pays, tiles over the output.
//!
//! The method is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
//! Transactions on Mathematical Software 34(3), 2008: panels of the right factor stay in the first cache, a block of the
//! left one in the second.

use super::MatRef;
use super::output::Output;
use super::tile::{MicroKernel, Tile, VECTORS, micro_kernel};
use crate::element::Float;
use crate::storage::UniqueStorage;
use std::ops::Range;

/// Terms added in one chain in registers. Longer sums are cut here, whatever the other extents, so that the bits of an
/// output element depend on its own row, its own column and the inner extent alone.
pub(super) const DEPTH: usize = 256;
/// Rows of the left factor packed together: with [`DEPTH`] terms they fill a part of the second cache.
const ROWS: usize = 240;
/// Columns of the right factor packed together.
const COLUMNS: usize = 1024;
/// Up to so many rows the right factor is read where it lies: each of its panels would be read too few times.
pub(crate) const DIRECT_ROWS: usize = 24;
/// Lines that are a multiple of so many bytes apart share one place of the first cache: a factor that runs like that is
/// packed before it is read again and again.
const CROWDED_STRIDE: usize = 4096;

/// A product over a list of factors, on this thread.
pub(super) fn product<F: Float>(
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    accumulate: bool,
    mut c: Output<F>,
) {
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    let depth: usize = factors.iter().map(|(a, _)| a.columns).sum();
    if depth == 0 {
        if !accumulate {
            (0..c.rows).for_each(|i| c.row_mut(i).fill(F::ZERO));
        }
        return;
    }
    let kernel = micro_kernel::<F>();
    match factors {
        [(a, b)] if !b.is_in_rows() && 2 * c.rows * (depth + c.columns) <= depth * c.columns => {
            across(alpha, *a, *b, accumulate, &mut c);
        }
        [(a, b)] if b.is_in_rows() && c.rows <= DIRECT_ROWS => {
            direct(kernel, alpha, *a, *b, accumulate, &c);
        }
        _ => packed(kernel, alpha, factors, depth, accumulate, &c),
    }
}

/// A product of few rows whose right factor lies across: its transpose, `bᵀ·aᵀ`, gathers the small factor instead of the
/// large one. The chains are the same, so are the bits.
fn across<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut Output<F>,
) {
    let (rows, columns) = (c.rows, c.columns);
    let mut storage = UniqueStorage::<F>::stale(rows * columns);
    let transposed = &mut storage.as_mut_slice()[..rows * columns];
    if accumulate {
        for i in 0..rows {
            let line = transposed[i..].iter_mut().step_by(rows);
            line.zip(c.row_mut(i)).for_each(|(to, from)| *to = *from);
        }
    }
    let out = Output {
        start: transposed.as_mut_ptr(),
        rows: columns,
        columns: rows,
        row_stride: rows,
    };
    product(alpha, &[(b.transposed(), a.transposed())], accumulate, out);
    for i in 0..rows {
        let line = transposed[i..].iter().step_by(rows);
        c.row_mut(i)
            .iter_mut()
            .zip(line)
            .for_each(|(to, from)| *to = *from);
    }
}

impl<F> MatRef<'_, F> {
    /// Whether the elements of a row are next to each other.
    fn is_in_rows(&self) -> bool {
        self.column_stride == 1 || self.columns == 1
    }

    /// Where element (i, j) is.
    fn at(&self, i: usize, j: usize) -> *const F {
        self.data[self.offset..]
            .as_ptr()
            .wrapping_offset(self.row_stride * i as isize + self.column_stride * j as isize)
    }
}

/// Both factors read where they lie.
fn direct<F: Float>(
    kernel: &MicroKernel<F>,
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &Output<F>,
) {
    let panel = VECTORS * kernel.lanes;
    // A single block of few rows is as wide as the registers allow.
    let wide = match c.rows {
        1 => kernel.wide[0],
        2 => kernel.wide[1],
        4 => kernel.wide[2],
        _ => VECTORS,
    } * kernel.lanes;
    for from in (0..a.columns).step_by(DEPTH) {
        let tile = Tile {
            depth: DEPTH.min(a.columns - from),
            alpha,
            a: a.at(0, from),
            a_row: a.row_stride,
            a_step: a.column_stride,
            b: b.at(from, 0),
            b_step: b.row_stride,
            c: c.start,
            c_row: c.row_stride,
            width: c.columns,
            accumulate: accumulate || from > 0,
        };
        let mut at = 0;
        while wide > panel && c.columns - at >= wide {
            // SAFETY: as in `tiles`; the columns lie within the output.
            unsafe { (kernel.run)(c.rows, false, &tile.columns(at, wide)) };
            at += wide;
        }
        for at in (at..c.columns).step_by(panel) {
            tiles(
                kernel,
                tile.columns(at, panel.min(c.columns - at)),
                c.rows,
                false,
            );
        }
    }
}

/// All rows of one strip of columns, in blocks of the kernel's heights. Rows of the left factor lie `a_row` apart, or are
/// packed in panels.
fn tiles<F: Float>(kernel: &MicroKernel<F>, tile: Tile<F>, rows: usize, packed: bool) {
    let mut row = 0;
    for &height in kernel.heights {
        while rows - row >= height {
            let a = if packed {
                // Panels are as high as the highest block; only the last one is worked on in several.
                let (panel, inside) = (row / kernel.rows, row % kernel.rows);
                tile.a
                    .wrapping_add(panel * kernel.rows * tile.depth + inside)
            } else {
                tile.a.wrapping_offset(row as isize * tile.a_row)
            };
            let part = Tile {
                a,
                c: tile.c.wrapping_add(row * tile.c_row),
                ..tile
            };
            // SAFETY: `products` checked that the factors lie within their slices and the output within its own, which is
            // exclusive; the rows and columns of this part lie within them, or within a packed panel; the kernel was
            // chosen for the processor.
            unsafe { (kernel.run)(height, packed, &part) };
            row += height;
        }
    }
}

/// Both factors packed, or the right one alone.
fn packed<F: Float>(
    kernel: &MicroKernel<F>,
    alpha: F,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    depth: usize,
    accumulate: bool,
    c: &Output<F>,
) {
    let panel = VECTORS * kernel.lanes;
    let deepest = DEPTH.min(depth);
    let widest = COLUMNS.min(c.columns).next_multiple_of(panel);
    let highest = ROWS.min(c.rows).next_multiple_of(kernel.rows);
    let left_where_it_lies = match factors {
        [(a, _)] => {
            let crowded =
                (a.row_stride.unsigned_abs() * size_of::<F>()).is_multiple_of(CROWDED_STRIDE);
            c.columns <= panel || (a.column_stride == 1 && !crowded)
        }
        _ => false,
    };
    let mut right = UniqueStorage::<F>::stale(widest * deepest);
    let mut left = UniqueStorage::<F>::stale(if left_where_it_lies {
        0
    } else {
        highest * deepest
    });
    let (right, left) = (right.as_mut_slice(), left.as_mut_slice());
    for column in (0..c.columns).step_by(COLUMNS) {
        let width = COLUMNS.min(c.columns - column);
        for from in (0..depth).step_by(DEPTH) {
            let depth = DEPTH.min(depth - from);
            let terms = from..from + depth;
            pack_right(
                kernel,
                factors,
                terms.clone(),
                column..column + width,
                right,
            );
            for row in (0..c.rows).step_by(ROWS) {
                let height = ROWS.min(c.rows - row);
                let (a, a_row, a_step) = if left_where_it_lies {
                    let a = &factors[0].0;
                    (a.at(row, from), a.row_stride, a.column_stride)
                } else {
                    pack_left(kernel, factors, terms.clone(), row..row + height, left);
                    (left.as_ptr(), 1, kernel.rows as isize)
                };
                for at in (0..width).step_by(panel) {
                    let tile = Tile {
                        depth,
                        alpha,
                        a,
                        a_row,
                        a_step,
                        b: right[at * depth..].as_ptr(),
                        b_step: panel as isize,
                        c: c.start.wrapping_add(row * c.row_stride + column + at),
                        c_row: c.row_stride,
                        width: panel.min(width - at),
                        accumulate: accumulate || from > 0,
                    };
                    tiles(kernel, tile, height, !left_where_it_lies);
                }
            }
        }
    }
}

/// Calls `visit` with each factor's part of the joined terms: the factors, the part's terms in their own count, and where
/// they are among the joined ones.
fn parts<F>(
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    terms: &Range<usize>,
    mut visit: impl FnMut(&(MatRef<'_, F>, MatRef<'_, F>), Range<usize>, usize),
) {
    let mut start = 0;
    for factor in factors {
        let end = start + factor.0.columns;
        let (low, high) = (start.max(terms.start), end.min(terms.end));
        if low < high {
            visit(factor, low - start..high - start, low - terms.start);
        }
        start = end;
    }
}

/// Packs terms and columns of the right factors in panels: term after term, a strip's columns each, zeros beyond the last.
fn pack_right<F: Float>(
    kernel: &MicroKernel<F>,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    terms: Range<usize>,
    columns: Range<usize>,
    packed: &mut [F],
) {
    let (panel, depth) = (VECTORS * kernel.lanes, terms.len());
    parts(factors, &terms, |(_, b), terms, place| {
        for (i, column) in columns.clone().step_by(panel).enumerate() {
            let out = &mut packed[i * panel * depth + place * panel..][..terms.len() * panel];
            let columns = column..columns.end.min(column + panel);
            gather(kernel, b.part(terms.clone(), columns), panel, out);
        }
    });
}

/// Packs rows and terms of the left factors in panels: term after term, a block's rows each.
fn pack_left<F: Float>(
    kernel: &MicroKernel<F>,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    terms: Range<usize>,
    rows: Range<usize>,
    packed: &mut [F],
) {
    let (panel, depth) = (kernel.rows, terms.len());
    parts(factors, &terms, |(a, _), terms, place| {
        for (i, row) in rows.clone().step_by(panel).enumerate() {
            let out = &mut packed[i * panel * depth + place * panel..][..terms.len() * panel];
            let rows = row..rows.end.min(row + panel);
            gather(kernel, a.part(rows, terms.clone()).transposed(), panel, out);
        }
    });
}

/// Numbers of a line that [`MicroKernel::transpose`] takes at a time, and the most lines.
const TURNED: usize = 16;

/// Copies a matrix to rows of `panel` elements, zeros beyond its columns.
pub(super) fn gather<F: Float>(
    kernel: &MicroKernel<F>,
    source: MatRef<'_, F>,
    panel: usize,
    out: &mut [F],
) {
    let (rows, columns) = (source.rows, source.columns);
    if rows == 0 {
        return;
    }
    if columns < panel {
        out.fill(F::ZERO);
    }
    if source.column_stride == 1 {
        for (i, out) in out.chunks_exact_mut(panel).enumerate() {
            let at = source
                .offset
                .wrapping_add_signed(source.row_stride * i as isize);
            copy_line(&source.data[at..at + columns], out);
        }
        return;
    }
    let mut turned = 0;
    if let (Some(transpose), 1) = (kernel.transpose, source.row_stride) {
        turned = rows / TURNED * TURNED;
        for row in (0..turned).step_by(TURNED) {
            for column in (0..columns).step_by(TURNED) {
                let lines = TURNED.min(columns - column);
                let to = &mut out[row * panel + column..][..(TURNED - 1) * panel + lines];
                // SAFETY: the kernel was chosen for the processor. The rows and columns are some of the source's, which
                // lies within its slice (`check_factors`), and a line's numbers are next to each other; `to` reaches from
                // the first row's start to the last row's end.
                unsafe {
                    transpose(
                        source.at(row, column),
                        source.column_stride,
                        lines,
                        to.as_mut_ptr(),
                        panel,
                    );
                }
            }
        }
    }
    for (row, out) in out.chunks_exact_mut(panel).enumerate().skip(turned) {
        let mut at = source
            .offset
            .wrapping_add_signed(source.row_stride * row as isize);
        for out in &mut out[..columns] {
            *out = source.data[at];
            at = at.wrapping_add_signed(source.column_stride);
        }
    }
}

/// Copies a few elements, whole panels of the usual widths without a call.
#[inline(always)]
fn copy_line<F: Float>(from: &[F], to: &mut [F]) {
    fn whole<F: Float, const N: usize>(from: &[F], to: &mut [F]) -> bool {
        match (<&[F; N]>::try_from(from), <&mut [F; N]>::try_from(to)) {
            (Ok(from), Ok(to)) => {
                *to = *from;
                true
            }
            _ => false,
        }
    }
    if !(whole::<F, 32>(from, to)
        || whole::<F, 16>(from, to)
        || whole::<F, 12>(from, to)
        || whole::<F, 8>(from, to)
        || whole::<F, 6>(from, to)
        || whole::<F, 4>(from, to))
    {
        to[..from.len()].copy_from_slice(from);
    }
}
