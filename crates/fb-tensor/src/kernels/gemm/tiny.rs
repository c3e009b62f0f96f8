//! Products of a few elements, where packing would cost more than the arithmetic.

use super::matrix::MatRef;
use super::output::Output;
use super::update::{Start, Update};
use crate::element::Float;
use crate::kernels::{InstructionSet, instruction_set};

/// One output element at a time.
pub(super) fn product<F: Float>(
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    update: &Update<'_, F>,
    c: &mut Output<F>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn fused<F: Float>(
            a: MatRef<'_, F>,
            b: MatRef<'_, F>,
            update: &Update<'_, F>,
            c: &mut Output<F>,
        ) {
            body::<F, true>(a, b, update, c);
        }
        if instruction_set() >= InstructionSet::Avx2 {
            // SAFETY: the processor was found to have AVX2 and FMA.
            return unsafe { fused(a, b, update, c) };
        }
    }
    body::<F, { super::tile::FUSED }>(a, b, update, c);
}

/// With `FUSED`, the same sequence of fused multiply–adds as the blocked kernels, so that both give the same bits.
#[inline(always)]
fn body<F: Float, const FUSED: bool>(
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    update: &Update<'_, F>,
    c: &mut Output<F>,
) {
    for i in 0..c.rows {
        let a_row = a.offset.wrapping_add_signed(a.row_stride * i as isize);
        let row = c.row_mut(i);
        let start = match &update.start {
            Start::Zero => None,
            Start::Output => Some(None),
            Start::Matrix(start) => {
                let at = start
                    .offset
                    .wrapping_add_signed(start.row_stride * i as isize);
                Some(Some(&start.data[at..at + row.len()]))
            }
        };
        for (j, out) in row.iter_mut().enumerate() {
            let mut at_a = a_row;
            let mut at_b = b.offset.wrapping_add_signed(b.column_stride * j as isize);
            let mut sum = F::ZERO;
            for _ in 0..a.columns {
                let (x, y) = (a.data[at_a], b.data[at_b]);
                sum = if FUSED {
                    x.mul_add(y, sum)
                } else {
                    x * y + sum
                };
                at_a = at_a.wrapping_add_signed(a.column_stride);
                at_b = at_b.wrapping_add_signed(b.row_stride);
            }
            let alpha = update.alpha;
            *out = match start {
                None => alpha * sum,
                Some(start) => {
                    let start = start.map_or(*out, |row| row[j]);
                    if FUSED {
                        alpha.mul_add(sum, start)
                    } else {
                        alpha * sum + start
                    }
                }
            };
        }
    }
    c.finish(update.finish, 0..c.rows, 0..c.columns);
}
