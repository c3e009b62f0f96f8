//! Right factors that are packed once and used many times: the weights of a loop or of a convolution.

use super::matrix::{MatMut, MatRef};
use super::output::Output;
use super::update::Update;
use super::{Half, Halves, MIN_PART, blocked, halve, output, parts_for};
use crate::element::Float;
use crate::storage::{Storage, UniqueStorage};

/// A list of right factors `bᵢ` of equal width, in the order in which products read them.
pub(crate) struct PackedRight<F: Float> {
    storage: Storage<F>,
    /// The inner extent of each factor.
    depths: Vec<usize>,
    columns: usize,
    /// The columns with the zeros that fill the last panel.
    width: usize,
}

impl<F: Float> PackedRight<F> {
    /// The columns of the products.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Packs the factors; they are joined along the inner index, each summed in blocks of its own.
    ///
    /// # Panics
    /// If the list is empty, their widths differ, or one leaves its slice.
    pub(crate) fn new(factors: &[MatRef<'_, F>]) -> Self {
        let columns = factors.first().expect("at least one factor").columns;
        for b in factors {
            assert!(
                b.columns == columns,
                "right factors of {columns} and {} columns",
                b.columns
            );
            b.check();
        }
        let depths: Vec<usize> = factors.iter().map(|b| b.rows).collect();
        let width = columns.next_multiple_of(blocked::panel_width::<F>());
        let mut storage = UniqueStorage::stale(width * depths.iter().sum::<usize>());
        blocked::pack_rights(factors, storage.as_mut_slice());
        Self {
            storage: storage.share(),
            depths,
            columns,
            width,
        }
    }
}

/// `c = finish(alpha·Σ aᵢ·bᵢ + start)` with the right factors packed before.
///
/// For a single factor the bits are those of [`product`](super::product).
pub(crate) fn product_with_packed<F: Float>(
    lefts: &[MatRef<'_, F>],
    right: &PackedRight<F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    let multiply_adds = check(lefts.iter(), right, &update, &c);
    let parts = parts_for(multiply_adds);
    split(lefts, right, 0, &update, output(c), parts);
}

/// [`product_with_packed`] on this thread alone, for work that is split already.
pub(crate) fn product_with_packed_unsplit<F: Float>(
    lefts: &[MatRef<'_, F>],
    right: &PackedRight<F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    check(lefts.iter(), right, &update, &c);
    split(lefts, right, 0, &update, output(c), 1);
}

/// Left factors of equal size, each so many elements after the one before, whose terms are added in one chain in registers.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a, F> {
    pub(crate) first: MatRef<'a, F>,
    pub(crate) count: usize,
    pub(crate) step: usize,
}

/// Terms of a chain of factors at most: so many of the right ones stay in the first cache.
pub(crate) const CHAINED_TERMS: usize = 320;

impl<'a, F> Chain<'a, F> {
    /// Factors of evenly spaced places in as few chains as they fit into; `factor` makes the one of a place.
    pub(crate) fn of(
        places: &[usize],
        columns: usize,
        factor: impl Fn(usize) -> MatRef<'a, F>,
    ) -> impl Iterator<Item = Self> {
        let most = if columns > blocked::DEPTH {
            1
        } else {
            CHAINED_TERMS / columns.max(1)
        };
        places.chunks(most.max(1)).map(move |places| Self {
            first: factor(places[0]),
            count: places.len(),
            step: places.get(1).map_or(0, |second| second - places[0]),
        })
    }
}

/// Products that are alike: the left factors and the output of each lie so many elements after those of the one before.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) count: usize,
    pub(crate) left: usize,
    pub(crate) output: usize,
}

/// [`product_with_packed_unsplit`] for a stack of products, the first of which is given: what is packed is read once for all
/// of them. Left factors are read where they lie, and the terms of a chain are added in one go: for chains of one factor
/// the bits are those of the single products.
///
/// The right factors are packed one for each left factor, in the same order.
pub(crate) fn stacked_with_packed<F: Float>(
    lefts: &[Chain<'_, F>],
    stack: Stack,
    right: &PackedRight<F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    let factors = lefts
        .iter()
        .flat_map(|a| std::iter::repeat_n(&a.first, a.count));
    let terms = check(factors, right, &update, &c);
    if stack.count == 0 || terms == 0 {
        assert!(
            stack.count == 0 || c.rows * c.columns == 0,
            "a stack of products has terms"
        );
        return;
    }
    let reach = |count: usize, step: usize| {
        let reach = (count - 1).checked_mul(step);
        reach
            .filter(|&reach| isize::try_from(reach).is_ok())
            .expect("a stack within its slice")
    };
    let down = reach(stack.count, stack.left);
    for a in lefts {
        assert!(
            a.count == 1 || (a.count > 1 && a.first.columns <= blocked::DEPTH),
            "a chain of {} factors of {} terms",
            a.count,
            a.first.columns
        );
        let offset = a.first.offset.checked_add(reach(a.count, a.step));
        let offset = offset.and_then(|offset| offset.checked_add(down));
        let offset = offset.expect("a stack within its slice");
        MatRef { offset, ..a.first }.check();
    }
    MatMut {
        data: &mut c.data[reach(stack.count, stack.output)..],
        rows: c.rows,
        columns: c.columns,
        row_stride: c.row_stride,
    }
    .check();
    assert!(update.finish.is_none(), "a stack is left as it is computed");
    let panels = blocked::RightPanels {
        data: right.storage.as_slice(),
        width: right.width,
        column: 0,
    };
    blocked::stacked(lefts, stack, &panels, &update, &output(c));
}

/// Panics unless everything fits together and lies in its slice; how many multiply–adds there are.
fn check<'a, F: Float>(
    lefts: impl Iterator<Item = &'a MatRef<'a, F>> + Clone,
    right: &PackedRight<F>,
    update: &Update<'_, F>,
    c: &MatMut<'_, F>,
) -> usize {
    let count = lefts.clone().count();
    assert!(
        count == right.depths.len() && c.columns == right.columns,
        "{count} left and {} right factors of {} columns into {}x{}",
        right.depths.len(),
        right.columns,
        c.rows,
        c.columns
    );
    let mut multiply_adds = 0;
    for (a, &depth) in lefts.zip(&right.depths) {
        assert!(
            a.rows == c.rows && a.columns == depth,
            "product of {}x{} and {depth}x{} into {}x{}",
            a.rows,
            a.columns,
            c.columns,
            c.rows,
            c.columns
        );
        a.check();
        multiply_adds += c.rows * c.columns * depth;
    }
    update.check(c.rows, c.columns);
    multiply_adds
}

/// Halves the output until each part is one thread's; its first column is that many columns into the factors.
fn split<F: Float>(
    lefts: &[MatRef<'_, F>],
    right: &PackedRight<F>,
    column: usize,
    update: &Update<'_, F>,
    c: Output<F>,
    parts: usize,
) {
    let by_rows = c.rows >= 4 * MIN_PART || c.columns < 2 * blocked::panel_width::<F>();
    let unit = if by_rows {
        1
    } else {
        blocked::panel_width::<F>()
    };
    let Some(halves) = halve(c, parts, by_rows, unit) else {
        return;
    };
    let [low, high] = match halves {
        Halves::Whole(mut c) => {
            let panels = blocked::RightPanels {
                data: right.storage.as_slice(),
                width: right.width,
                column,
            };
            return blocked::with_packed_right(lefts, &panels, update, &mut c);
        }
        Halves::Two(halves) => halves,
    };
    let work = |half: Half<F>| {
        let lefts: Vec<_> = lefts
            .iter()
            .map(|a| a.part(half.rows.clone(), 0..a.columns))
            .collect();
        let update = update.part(half.rows, half.columns.clone());
        let column = column + half.columns.start;
        split(&lefts, right, column, &update, half.output, half.parts);
    };
    rayon::join(|| work(low), || work(high));
}
