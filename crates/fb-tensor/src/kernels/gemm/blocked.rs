//! Products of any size: the inner index in blocks, the factors packed where that pays, tiles over the output.
//!
//! The method is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
//! Transactions on Mathematical Software 34(3), 2008: panels of the right factor stay in the first cache, a block of the
//! left one in the second.

use super::matrix::MatRef;
use super::output::Output;
use super::packed_right::{Chain, Stack};
use super::tile::{MicroKernel, Tile, TileStart, VECTORS, micro_kernel};
use super::update::{Start, Update};
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
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    update: &Update<'_, F>,
    mut c: Output<F>,
) {
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    let depth: usize = factors.iter().map(|(a, _)| a.columns).sum();
    if depth == 0 {
        return without_terms(update, &mut c);
    }
    let kernel = micro_kernel::<F>();
    match factors {
        [(a, b)] if !b.is_in_rows() && 2 * c.rows * (depth + c.columns) <= depth * c.columns => {
            across(*a, *b, update, &mut c);
        }
        [(a, b)] if b.is_in_rows() && c.rows <= DIRECT_ROWS => {
            direct(kernel, *a, *b, update, &mut c);
        }
        _ => packed(kernel, factors, depth, update, &mut c),
    }
}

/// The output where there is nothing to add up.
pub(super) fn without_terms<F: Float>(update: &Update<'_, F>, c: &mut Output<F>) {
    for i in 0..c.rows {
        start_row(update, i, c.row_mut(i));
    }
    c.finish(update.finish, 0..c.rows, 0..c.columns);
}

/// A row of the output as it is before anything is added.
fn start_row<F: Float>(update: &Update<'_, F>, row: usize, out: &mut [F]) {
    match update.start {
        Start::Zero => out.fill(F::ZERO),
        Start::Output => {}
        Start::Matrix(start) => {
            let at = start.part(row..row + 1, 0..start.columns).offset;
            out.copy_from_slice(&start.data[at..at + start.columns]);
        }
    }
}

/// A product of few rows whose right factor lies across: its transpose, `bᵀ·aᵀ`, gathers the small factor instead of the
/// large one. The chains are the same, so are the bits.
fn across<F: Float>(a: MatRef<'_, F>, b: MatRef<'_, F>, update: &Update<'_, F>, c: &mut Output<F>) {
    let (rows, columns) = (c.rows, c.columns);
    let mut storage = UniqueStorage::<F>::stale(rows * columns);
    let transposed = &mut storage.as_mut_slice()[..rows * columns];
    let start = match update.start {
        Start::Zero => Start::Zero,
        Start::Output | Start::Matrix(_) => {
            for i in 0..rows {
                start_row(update, i, c.row_mut(i));
                let line = transposed[i..].iter_mut().step_by(rows);
                line.zip(c.row_mut(i)).for_each(|(to, from)| *to = *from);
            }
            Start::Output
        }
    };
    let out = Output {
        start: transposed.as_mut_ptr(),
        rows: columns,
        columns: rows,
        row_stride: rows,
        place: [0, 0],
    };
    let turned = Update {
        alpha: update.alpha,
        start,
        finish: None,
    };
    product(&[(b.transposed(), a.transposed())], &turned, out);
    for i in 0..rows {
        let line = transposed[i..].iter().step_by(rows);
        c.row_mut(i)
            .iter_mut()
            .zip(line)
            .for_each(|(to, from)| *to = *from);
    }
    c.finish(update.finish, 0..rows, 0..columns);
}

/// Both factors read where they lie.
fn direct<F: Float>(
    kernel: &MicroKernel<F>,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    update: &Update<'_, F>,
    c: &mut Output<F>,
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
            segments: 1,
            a_gap: 0,
            b_gap: 0,
            alpha: update.alpha,
            a: a.at(0, from),
            a_row: a.row_stride,
            a_step: a.column_stride,
            b: b.at(from, 0),
            b_step: b.row_stride,
            c: c.start,
            c_row: c.row_stride,
            width: c.columns,
            start: TileStart::of(update, c, from == 0),
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
    c.finish(update.finish, 0..c.rows, 0..c.columns);
}

impl<F: Float> TileStart<F> {
    /// What a block of terms is added to: the update's start for the first, the sum so far for the others.
    fn of(update: &Update<'_, F>, c: &Output<F>, first: bool) -> Self {
        match update.start {
            Start::Zero if first => Self::ZERO,
            Start::Matrix(start) if first => Self {
                from: start.at(0, 0),
                row: start.row_stride,
                used: true,
            },
            _ => Self {
                from: c.start,
                row: c.row_stride as isize,
                used: true,
            },
        }
    }
}

/// All rows of one strip of columns, in blocks of the kernel's heights. Rows of the left factor lie `a_row` apart, or are
/// packed in panels.
fn tiles<F: Float>(kernel: &MicroKernel<F>, tile: Tile<F>, rows: usize, packed: bool) {
    let mut row = 0;
    let even = [kernel.even];
    let even = &even[..usize::from(!packed && rows.is_multiple_of(kernel.even))];
    for &height in even.iter().chain(kernel.heights) {
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
                start: tile.start.moved(row, 0),
                ..tile
            };
            // SAFETY: `products` checked that the factors and the start lie within their slices and the output within its
            // own, which is exclusive; the rows and columns of this part lie within them, or within a packed panel; the
            // kernel was chosen for the processor.
            unsafe { (kernel.run)(height, packed, &part) };
            row += height;
        }
    }
}

/// Both factors packed, or the right one alone.
fn packed<F: Float>(
    kernel: &MicroKernel<F>,
    factors: &[(MatRef<'_, F>, MatRef<'_, F>)],
    depth: usize,
    update: &Update<'_, F>,
    c: &mut Output<F>,
) {
    let panel = VECTORS * kernel.lanes;
    let deepest = DEPTH.min(depth);
    let widest = COLUMNS.min(c.columns).next_multiple_of(panel);
    let in_place = match factors {
        [(a, _)] => lies_well(a, c.columns, panel),
        _ => false,
    };
    let mut right = UniqueStorage::<F>::stale(widest * deepest);
    let right = right.as_mut_slice();
    let mut left = LeftPanels::new(kernel, if in_place { 0 } else { c.rows }, deepest);
    for column in (0..c.columns).step_by(COLUMNS) {
        let columns = column..c.columns.min(column + COLUMNS);
        for from in (0..depth).step_by(DEPTH) {
            let terms = from..depth.min(from + DEPTH);
            pack_right(kernel, factors, terms.clone(), columns.clone(), right);
            let ends = Ends {
                first: from == 0,
                last: terms.end == depth,
            };
            for row in (0..c.rows).step_by(ROWS) {
                let rows = row..c.rows.min(row + ROWS);
                let left = if in_place {
                    Left::in_place(&factors[0].0, &rows, &terms)
                } else {
                    left.pack(factors.iter().map(|(a, _)| a), rows.clone(), terms.clone())
                };
                strips(
                    kernel,
                    left,
                    right,
                    terms.len(),
                    update,
                    ends,
                    rows,
                    columns.clone(),
                    c,
                );
            }
        }
    }
}

/// A product whose right factors are packed already.
pub(super) fn with_packed_right<F: Float>(
    lefts: &[MatRef<'_, F>],
    right: &RightPanels<'_, F>,
    update: &Update<'_, F>,
    c: &mut Output<F>,
) {
    let kernel = micro_kernel::<F>();
    let panel = VECTORS * kernel.lanes;
    let in_place = lefts.iter().all(|a| lies_well(a, c.columns, panel));
    let deepest = DEPTH.min(lefts.iter().map(|a| a.columns).max().unwrap_or(0));
    let mut left = LeftPanels::new(kernel, if in_place { 0 } else { c.rows }, deepest);
    let segments = || {
        lefts.iter().flat_map(|a| {
            let parts = (0..a.columns).step_by(DEPTH);
            parts.map(move |from| (a, from..a.columns.min(from + DEPTH)))
        })
    };
    let count = segments().count();
    if count == 0 {
        return without_terms(update, c);
    }
    for column in (0..c.columns).step_by(COLUMNS) {
        let columns = column..c.columns.min(column + COLUMNS);
        for row in (0..c.rows).step_by(ROWS) {
            let rows = row..c.rows.min(row + ROWS);
            let mut at = 0;
            for (i, (a, terms)) in segments().enumerate() {
                let depth = terms.len();
                let ends = Ends {
                    first: i == 0,
                    last: i + 1 == count,
                };
                let left = if in_place {
                    Left::in_place(a, &rows, &terms)
                } else {
                    left.pack(std::iter::once(a), rows.clone(), terms)
                };
                let right = right.of(at, column, depth);
                strips(
                    kernel,
                    left,
                    right,
                    depth,
                    update,
                    ends,
                    rows.clone(),
                    columns.clone(),
                    c,
                );
                at += depth;
            }
        }
    }
}

/// A stack of products whose right factors are packed already and whose left factors are read where they lie: a panel of
/// terms and columns, which fits into the first cache, for all products of the stack after each other.
pub(super) fn stacked<F: Float>(
    lefts: &[Chain<'_, F>],
    stack: Stack,
    right: &RightPanels<'_, F>,
    update: &Update<'_, F>,
    c: &Output<F>,
) {
    let kernel = micro_kernel::<F>();
    let panel = VECTORS * kernel.lanes;
    for column in (0..c.columns).step_by(panel) {
        let mut at = 0;
        for &Chain {
            first: a,
            count,
            step,
        } in lefts
        {
            for from in (0..a.columns).step_by(DEPTH) {
                let depth = DEPTH.min(a.columns - from);
                let first = at == 0;
                let tile = Tile {
                    depth,
                    segments: count,
                    a_gap: step as isize - depth as isize * a.column_stride,
                    b_gap: (depth * (right.width - panel)) as isize,
                    alpha: update.alpha,
                    a: a.at(0, from),
                    a_row: a.row_stride,
                    a_step: a.column_stride,
                    b: right.of(at, column, depth).as_ptr(),
                    b_step: panel as isize,
                    c: c.start.wrapping_add(column),
                    c_row: c.row_stride,
                    width: panel.min(c.columns - column),
                    start: TileStart::of(update, c, first).moved(0, column),
                };
                // A matrix to start from is the same for all.
                let shared = first && matches!(update.start, Start::Matrix(_));
                for i in 0..stack.count {
                    let moved = if shared { 0 } else { i * stack.output };
                    let tile = Tile {
                        a: tile.a.wrapping_add(i * stack.left),
                        c: tile.c.wrapping_add(i * stack.output),
                        start: tile.start.moved(0, moved),
                        ..tile
                    };
                    tiles(kernel, tile, c.rows, false);
                }
                at += depth * count;
            }
        }
    }
}

/// Whether a left factor is better read where it lies than packed.
fn lies_well<F>(a: &MatRef<'_, F>, columns: usize, panel: usize) -> bool {
    let crowded = (a.row_stride.unsigned_abs() * size_of::<F>()).is_multiple_of(CROWDED_STRIDE);
    columns <= panel || (a.column_stride == 1 && !crowded)
}

/// Whether a block of terms is the first or the last of all.
#[derive(Clone, Copy)]
struct Ends {
    first: bool,
    last: bool,
}

/// Rows and terms of the left factor, as tiles read them.
#[derive(Clone, Copy)]
struct Left<F> {
    a: *const F,
    a_row: isize,
    a_step: isize,
    packed: bool,
}

impl<F> Left<F> {
    fn in_place(a: &MatRef<'_, F>, rows: &Range<usize>, terms: &Range<usize>) -> Self {
        Self {
            a: a.at(rows.start, terms.start),
            a_row: a.row_stride,
            a_step: a.column_stride,
            packed: false,
        }
    }
}

/// Room for packed rows of the left factor.
struct LeftPanels<'k, F: Float> {
    kernel: &'k MicroKernel<F>,
    storage: UniqueStorage<F>,
}

impl<'k, F: Float> LeftPanels<'k, F> {
    fn new(kernel: &'k MicroKernel<F>, rows: usize, deepest: usize) -> Self {
        let highest = ROWS.min(rows).next_multiple_of(kernel.rows);
        Self {
            kernel,
            storage: UniqueStorage::stale(highest * deepest),
        }
    }

    fn pack<'a>(
        &mut self,
        factors: impl Iterator<Item = &'a MatRef<'a, F>>,
        rows: Range<usize>,
        terms: Range<usize>,
    ) -> Left<F>
    where
        F: 'a,
    {
        let left = self.storage.as_mut_slice();
        pack_left(self.kernel, factors, terms, rows, left);
        Left {
            a: left.as_ptr(),
            a_row: 1,
            a_step: self.kernel.rows as isize,
            packed: true,
        }
    }
}

/// Columns that are finished together: with the rows of a block they are still in the second cache.
const FINISHED_TOGETHER: usize = 128;

/// One block of terms over some rows and columns of the output, a panel of columns after the other.
#[allow(
    clippy::too_many_arguments,
    reason = "the innermost of the blocked loops"
)]
fn strips<F: Float>(
    kernel: &MicroKernel<F>,
    left: Left<F>,
    right: &[F],
    depth: usize,
    update: &Update<'_, F>,
    ends: Ends,
    rows: Range<usize>,
    columns: Range<usize>,
    c: &mut Output<F>,
) {
    let panel = VECTORS * kernel.lanes;
    let whole = Tile {
        depth,
        segments: 1,
        a_gap: 0,
        b_gap: 0,
        alpha: update.alpha,
        a: left.a,
        a_row: left.a_row,
        a_step: left.a_step,
        b: right.as_ptr(),
        b_step: panel as isize,
        c: c.start
            .wrapping_add(rows.start * c.row_stride + columns.start),
        c_row: c.row_stride,
        width: columns.len(),
        start: TileStart::of(update, c, ends.first).moved(rows.start, columns.start),
    };
    let mut unfinished = columns.start;
    for at in (0..columns.len()).step_by(panel) {
        let width = panel.min(columns.len() - at);
        let tile = Tile {
            b: right[at * depth..].as_ptr(),
            ..whole.columns(at, width)
        };
        tiles(kernel, tile, rows.len(), left.packed);
        let done = columns.start + at + width;
        if ends.last && (done == columns.end || done - unfinished >= FINISHED_TOGETHER) {
            c.finish(update.finish, rows.clone(), unfinished..done);
            unfinished = done;
        }
    }
}

/// Right factors in panels, as [`with_packed_right`] reads them: blocks of terms one after the other, each with all its
/// panels.
pub(super) struct RightPanels<'a, F> {
    pub(super) data: &'a [F],
    /// The columns of a block with all its panels, whole.
    pub(super) width: usize,
    /// The first column of the product within it: a multiple of a panel.
    pub(super) column: usize,
}

impl<'a, F> RightPanels<'a, F> {
    /// The panels from a column on of the block of `depth` terms that stands after `terms` others.
    fn of(&self, terms: usize, column: usize, depth: usize) -> &'a [F] {
        &self.data[terms * self.width + (self.column + column) * depth..]
    }
}

/// The width of packed panels.
pub(super) fn panel_width<F: Float>() -> usize {
    VECTORS * micro_kernel::<F>().lanes
}

/// Packs right factors for [`with_packed_right`]; returns the elements written.
pub(super) fn pack_rights<F: Float>(rights: &[MatRef<'_, F>], packed: &mut [F]) {
    let kernel = micro_kernel::<F>();
    let mut at = 0;
    for b in rights {
        let width = b.columns.next_multiple_of(panel_width::<F>());
        for from in (0..b.rows).step_by(DEPTH) {
            let terms = from..b.rows.min(from + DEPTH);
            let size = terms.len() * width;
            pack_panels(
                kernel,
                b,
                terms.clone(),
                0..b.columns,
                terms.len(),
                0,
                &mut packed[at..at + size],
            );
            at += size;
        }
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
    let mut parts = Parts::new(&terms);
    for (_, b) in factors {
        if let Some((own, place)) = parts.next(b.rows) {
            pack_panels(kernel, b, own, columns.clone(), terms.len(), place, packed);
        }
    }
}

/// Packs terms of one right factor where they belong in panels of `depth` terms, `place` terms after the start of each.
fn pack_panels<F: Float>(
    kernel: &MicroKernel<F>,
    b: &MatRef<'_, F>,
    terms: Range<usize>,
    columns: Range<usize>,
    depth: usize,
    place: usize,
    packed: &mut [F],
) {
    let panel = VECTORS * kernel.lanes;
    for (i, column) in columns.clone().step_by(panel).enumerate() {
        let out = &mut packed[i * panel * depth + place * panel..][..terms.len() * panel];
        let columns = column..columns.end.min(column + panel);
        gather(kernel, b.part(terms.clone(), columns), panel, out);
    }
}

/// Packs rows and terms of the left factors in panels: term after term, a block's rows each.
fn pack_left<'a, F: Float>(
    kernel: &MicroKernel<F>,
    factors: impl Iterator<Item = &'a MatRef<'a, F>>,
    terms: Range<usize>,
    rows: Range<usize>,
    packed: &mut [F],
) {
    let (panel, depth) = (kernel.rows, terms.len());
    let mut parts = Parts::new(&terms);
    for a in factors {
        let Some((own, place)) = parts.next(a.columns) else {
            continue;
        };
        for (i, row) in rows.clone().step_by(panel).enumerate() {
            let out = &mut packed[i * panel * depth + place * panel..][..own.len() * panel];
            let rows = row..rows.end.min(row + panel);
            gather(kernel, a.part(rows, own.clone()).transposed(), panel, out);
        }
    }
}

/// Which terms of each factor of a list are among some terms of the joined inner index.
struct Parts<'a> {
    terms: &'a Range<usize>,
    start: usize,
}

impl<'a> Parts<'a> {
    fn new(terms: &'a Range<usize>) -> Self {
        Self { terms, start: 0 }
    }

    /// For the next factor, which has `count` terms: those that are among them, in its own count, and where they are.
    fn next(&mut self, count: usize) -> Option<(Range<usize>, usize)> {
        let (start, end) = (self.start, self.start + count);
        self.start = end;
        let (low, high) = (start.max(self.terms.start), end.min(self.terms.end));
        (low < high).then(|| (low - start..high - start, low - self.terms.start))
    }
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
