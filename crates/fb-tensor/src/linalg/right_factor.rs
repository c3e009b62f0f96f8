//! Right factors that are used again: packed at the second use, kept until they change.

use crate::element::Float;
use crate::kernels::gemm::{MatMut, PackedRight, Update};
use crate::tensor::Tensor;

/// Products of fewer rows read the right factor where it lies.
const FEWEST_ROWS: usize = 25;
/// In products of more rows, packing is a small part of the work.
const MOST_ROWS: usize = 512;
/// Smaller factors are packed in no time, larger ones would take much memory twice.
const ELEMENTS: std::ops::RangeInclusive<usize> = 1 << 10..=1 << 22;

/// A matrix in packed form, and which view of its storage it is.
struct Packed<F: Float> {
    offset: usize,
    extents: [usize; 2],
    strides: [isize; 2],
    right: PackedRight<F>,
}

impl<F: Float> Tensor<F> {
    /// `c = x · self` for matrices, as `update` says. The weights of a loop take part in product after product: from the
    /// second on they are packed only once. The bits are the same either way.
    pub(crate) fn as_right_factor(&self, x: &Self, update: Update<'_, F>, c: MatMut<'_, F>) {
        match self.packed(c.rows) {
            Some(right) => (F::kernels().product_with_packed)(&[x.matrix(0)], right, update, c),
            None => (F::kernels().product)(x.matrix(0), self.matrix(0), update, c),
        }
    }

    /// The packed form, if products of so many rows gain by it and this is not the first.
    fn packed(&self, rows: usize) -> Option<&PackedRight<F>> {
        if !(FEWEST_ROWS..=MOST_ROWS).contains(&rows) || !ELEMENTS.contains(&self.len()) {
            return None;
        }
        let offset = self.layout().offset;
        let extents = [self.dim(0), self.dim(1)];
        let strides = [self.strides()[0], self.strides()[1]];
        let slot = usize::from(strides[1] != 1);
        let packed: &Packed<F> = self.storage().derived(slot, || Packed {
            offset,
            extents,
            strides,
            right: (F::kernels().pack_right)(&[self.matrix(0)]),
        })?;
        let same = (packed.offset, packed.extents, packed.strides) == (offset, extents, strides);
        same.then_some(&packed.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    fn normal(shape: [usize; 2], seed: u64) -> Tensor {
        Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
    }

    #[test]
    fn later_products_have_the_bits_of_the_first_and_see_changes() {
        let (x, mut w) = (normal([40, 70], 1), normal([70, 50], 2));
        let g = normal([40, 50], 3);
        let first = (x.matmul(&w), g.matmul(&w.transpose()));
        for _ in 0..3 {
            let again = (x.matmul(&w), g.matmul(&w.transpose()));
            assert_eq!(again.0.to_vec(), first.0.to_vec());
            assert_eq!(again.1.to_vec(), first.1.to_vec());
        }
        assert!(w.packed(40).is_some() && w.transpose().packed(40).is_some());
        w.make_mut()[3] += 1.0;
        let changed = x.matmul(&Tensor::from_vec(w.to_vec(), [70, 50]));
        for _ in 0..3 {
            assert_eq!(x.matmul(&w).to_vec(), changed.to_vec());
        }
    }

    #[test]
    fn views_of_one_storage_do_not_take_each_others_packed_form() {
        let (x, w) = (normal([40, 70], 1), normal([70, 100], 2));
        let halves = [w.slice(1, 0..50), w.slice(1, 50..100)];
        let wants = halves
            .each_ref()
            .map(|half| x.matmul(&half.contiguous()).to_vec());
        for _ in 0..3 {
            for (half, want) in halves.iter().zip(&wants) {
                assert_eq!(x.matmul(half).to_vec(), *want);
            }
        }
    }

    #[test]
    fn a_recycled_block_has_nothing_of_its_past() {
        let x = normal([40, 70], 1);
        for seed in 0..20 {
            let w = normal([70, 50], seed);
            let want = x.matmul(&w).to_vec();
            let _first = x.matmul(&w);
            assert_eq!(x.matmul(&w).to_vec(), want);
            assert!(w.packed(40).is_some());
        }
    }
}
