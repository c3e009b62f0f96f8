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
    let multiply_adds = check(lefts, right, &update, &c);
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
    check(lefts, right, &update, &c);
    split(lefts, right, 0, &update, output(c), 1);
}

/// Products that are alike: the left factors and the output of each lie so many elements after those of the one before.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    pub(crate) count: usize,
    pub(crate) left: usize,
    pub(crate) output: usize,
}

/// [`product_with_packed_unsplit`] for a stack of products, the first of which is given: what is packed is read once for all
/// of them. Left factors are read where they lie. The bits are those of the single products.
pub(crate) fn stacked_with_packed<F: Float>(
    lefts: &[MatRef<'_, F>],
    stack: Stack,
    right: &PackedRight<F>,
    update: Update<'_, F>,
    c: MatMut<'_, F>,
) {
    let terms = check(lefts, right, &update, &c);
    if stack.count == 0 || terms == 0 {
        assert!(
            stack.count == 0 || c.rows * c.columns == 0,
            "a stack of products has terms"
        );
        return;
    }
    let last = stack.count - 1;
    let reach = |step: usize| last.checked_mul(step).expect("a stack within its slice");
    for a in lefts {
        let offset = a.offset.checked_add(reach(stack.left));
        let offset = offset.expect("a stack within its slice");
        MatRef { offset, ..*a }.check();
    }
    MatMut {
        data: &mut c.data[reach(stack.output)..],
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
fn check<F: Float>(
    lefts: &[MatRef<'_, F>],
    right: &PackedRight<F>,
    update: &Update<'_, F>,
    c: &MatMut<'_, F>,
) -> usize {
    assert!(
        lefts.len() == right.depths.len() && c.columns == right.columns,
        "{} left and {} right factors of {} columns into {}x{}",
        lefts.len(),
        right.depths.len(),
        right.columns,
        c.rows,
        c.columns
    );
    let mut multiply_adds = 0;
    for (a, &depth) in lefts.iter().zip(&right.depths) {
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
