//! Products of matrices in bfloat16, summed in f32.
//!
//! Processors with AVX-512 BF16 multiply pairs of such numbers and add both products to a sum in one instruction; others
//! get the factors as f32 (exact) and the usual product.

use super::gemm::MatRef;
use half::bf16;

/// Whether [`product`] can run.
pub(crate) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        super::instruction_set() == super::InstructionSet::Avx512
            && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Rows of a tile.
const ROWS: usize = 12;
/// Columns of a tile: two vectors.
const COLUMNS: usize = 32;
/// Pairs of terms that are worked on together: a panel of the right factor stays in the first cache.
const PAIRS: usize = 256;

/// The right factor in panels of [`COLUMNS`] columns: pairs of terms in a row for each column, zeros beyond its end.
pub(crate) struct PackedPairs {
    panels: Vec<u32>,
    pairs: usize,
    columns: usize,
}

impl PackedPairs {
    pub(crate) fn new(b: &MatRef<'_, bf16>) -> Self {
        let pairs = b.rows.div_ceil(2);
        let count = b.columns.div_ceil(COLUMNS);
        let mut panels = vec![0; count * pairs * COLUMNS];
        for (panel, out) in panels.chunks_mut((pairs * COLUMNS).max(1)).enumerate() {
            let columns = b.columns.min((panel + 1) * COLUMNS) - panel * COLUMNS;
            for (pair, line) in out.chunks_exact_mut(COLUMNS).enumerate() {
                for (j, slot) in line.iter_mut().enumerate().take(columns) {
                    *slot = pair_at(b, 2 * pair, panel * COLUMNS + j);
                }
            }
        }
        Self {
            panels,
            pairs,
            columns: b.columns,
        }
    }
}

/// Terms `term` and `term + 1` of a column, the first in the low half; 0 beyond the last.
fn pair_at(b: &MatRef<'_, bf16>, term: usize, column: usize) -> u32 {
    let at = |term: usize| {
        let shift = b.row_stride * term as isize + b.column_stride * column as isize;
        u32::from(b.data[b.offset.wrapping_add_signed(shift)].to_bits())
    };
    let second = if term + 1 < b.rows { at(term + 1) } else { 0 };
    at(term) | second << 16
}

/// `c = a · b` for some rows of the left factor; the output has the right factor's columns, row by row.
///
/// The caller has asked [`is_supported`].
pub(crate) fn product(a: &MatRef<'_, bf16>, b: &PackedPairs, c: &mut [f32]) {
    assert!(is_supported() && a.columns.div_ceil(2) == b.pairs);
    assert_eq!(c.len(), a.rows * b.columns);
    let terms = a.transposed();
    let mut left = vec![0_u32; PAIRS.min(b.pairs) * ROWS];
    for row in (0..a.rows).step_by(ROWS) {
        let rows = ROWS.min(a.rows - row);
        let c = &mut c[row * b.columns..][..rows * b.columns];
        if b.pairs == 0 {
            c.fill(0.0);
        }
        for from in (0..b.pairs).step_by(PAIRS) {
            let pairs = PAIRS.min(b.pairs - from);
            for (pair, line) in left.chunks_exact_mut(ROWS).enumerate().take(pairs) {
                for (i, slot) in line.iter_mut().enumerate() {
                    *slot = if i < rows {
                        pair_at(&terms, 2 * (from + pair), row + i)
                    } else {
                        0
                    };
                }
            }
            for (panel, right) in b
                .panels
                .chunks_exact((b.pairs * COLUMNS).max(1))
                .enumerate()
            {
                let right = &right[from * COLUMNS..(from + pairs) * COLUMNS];
                let column = panel * COLUMNS;
                let width = COLUMNS.min(b.columns - column);
                #[cfg(target_arch = "x86_64")]
                {
                    let mut sums = [[0.0; COLUMNS]; ROWS];
                    // SAFETY: the processor was found to have the instructions.
                    unsafe { x86::tile(&left[..pairs * ROWS], right, &mut sums) };
                    for (sums, out) in sums.iter().zip(c.chunks_exact_mut(b.columns)) {
                        let out = &mut out[column..column + width];
                        for (out, &sum) in out.iter_mut().zip(sums) {
                            *out = if from == 0 { sum } else { *out + sum };
                        }
                    }
                }
                #[cfg(not(target_arch = "x86_64"))]
                unreachable!("not supported: {right:?} {width}");
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLUMNS, ROWS};
    #[allow(clippy::wildcard_imports, reason = "intrinsics")]
    use std::arch::x86_64::*;

    /// The sums of products of a panel of the left factor, pairs of [`ROWS`] rows, with one of the right, pairs of
    /// [`COLUMNS`] columns.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")]
    pub(super) fn tile(left: &[u32], right: &[u32], sums: &mut [[f32; COLUMNS]; ROWS]) {
        let mut registers = [[_mm512_setzero_ps(); 2]; ROWS];
        let pairs = left.chunks_exact(ROWS).zip(right.chunks_exact(COLUMNS));
        for (left, right) in pairs {
            // SAFETY: the line has 32 numbers of 32 bits: two vectors.
            let (low, high) = unsafe {
                (
                    _mm512_loadu_si512(right.as_ptr().cast()),
                    _mm512_loadu_si512(right.as_ptr().add(16).cast()),
                )
            };
            for (registers, &left) in registers.iter_mut().zip(left) {
                let left = as_pairs(_mm512_set1_epi32(left as i32));
                registers[0] = _mm512_dpbf16_ps(registers[0], left, as_pairs(low));
                registers[1] = _mm512_dpbf16_ps(registers[1], left, as_pairs(high));
            }
        }
        for (sums, registers) in sums.iter_mut().zip(&registers) {
            // SAFETY: a row has 32 numbers: two vectors.
            unsafe {
                _mm512_storeu_ps(sums.as_mut_ptr(), registers[0]);
                _mm512_storeu_ps(sums.as_mut_ptr().add(16), registers[1]);
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    fn as_pairs(x: __m512i) -> __m512bh {
        // SAFETY: both are 512 bits without a meaning of their own.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(x) }
    }
}
