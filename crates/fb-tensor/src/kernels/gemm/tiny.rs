//! Products of a few elements, where packing would cost more than the arithmetic.

use super::MatRef;
use super::output::Output;
use crate::element::Float;
use crate::kernels::{InstructionSet, instruction_set};

/// `c = alpha·a·b (+ c)`, one output element at a time.
pub(super) fn product<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut Output<F>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn fused<F: Float>(
            alpha: F,
            a: MatRef<'_, F>,
            b: MatRef<'_, F>,
            accumulate: bool,
            c: &mut Output<F>,
        ) {
            body::<F, true>(alpha, a, b, accumulate, c);
        }
        if instruction_set() >= InstructionSet::Avx2 {
            // SAFETY: the processor was found to have AVX2 and FMA.
            return unsafe { fused(alpha, a, b, accumulate, c) };
        }
    }
    body::<F, { super::tile::FUSED }>(alpha, a, b, accumulate, c);
}

/// With `FUSED`, the same sequence of fused multiply–adds as the blocked kernels, so that both give the same bits.
#[inline(always)]
fn body<F: Float, const FUSED: bool>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut Output<F>,
) {
    for i in 0..c.rows {
        let a_row = a.offset.wrapping_add_signed(a.row_stride * i as isize);
        let row = c.row_mut(i);
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
            *out = if !accumulate {
                alpha * sum
            } else if FUSED {
                alpha.mul_add(sum, *out)
            } else {
                alpha * sum + *out
            };
        }
    }
}
