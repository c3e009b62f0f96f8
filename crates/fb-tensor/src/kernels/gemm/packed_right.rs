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
    split(
        lefts,
        right,
        0,
        &update,
        output(c),
        parts_for(multiply_adds),
    );
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
