//! The blocked product: `private-gemm-x86` with AVX2 or AVX-512, `matrixmultiply` elsewhere.

use super::MatRef;
use crate::element::Float;
use std::any::TypeId;

/// A block of the output matrix; parts made by splitting one are disjoint.
pub(super) struct Output<F> {
    pub(super) start: *mut F,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
}

// SAFETY: an `Output` is the only way to its elements (see `split_rows`, `split_columns`), like a `&mut [F]`.
unsafe impl<F: Send> Send for Output<F> {}

impl<F> Output<F> {
    /// The rows before `middle` and those from it on.
    pub(super) fn split_rows(self, middle: usize) -> (Self, Self) {
        assert!(middle <= self.rows);
        let start = self.start.wrapping_add(middle * self.row_stride);
        (
            Self {
                rows: middle,
                ..self
            },
            Self {
                start,
                rows: self.rows - middle,
                ..self
            },
        )
    }

    /// The columns before `middle` and those from it on.
    pub(super) fn split_columns(self, middle: usize) -> (Self, Self) {
        assert!(middle <= self.columns);
        let start = self.start.wrapping_add(middle);
        (
            Self {
                columns: middle,
                ..self
            },
            Self {
                start,
                columns: self.columns - middle,
                ..self
            },
        )
    }

    /// One row of the block.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [F] {
        assert!(row < self.rows);
        // SAFETY: `products` checked that the whole matrix lies in the caller's slice, blocks are parts of it, and
        // `&mut self` makes the row exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.add(row * self.row_stride), self.columns)
        }
    }
}

/// `c = alpha·a·b (+ c)` with `a.columns > 0`.
pub(super) fn product<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut Output<F>,
) {
    #[cfg(target_arch = "x86_64")]
    if x86::product(alpha, a, b, accumulate, c) {
        return;
    }
    portable(alpha, a, b, accumulate, c);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use crate::kernels::{InstructionSet, instruction_set};
    use private_gemm_x86::{Accum, DType, DstKind, IType, InstrSet};
    use std::ptr::null;

    /// Does the product if the processor has the instructions for it; whether it did.
    pub(super) fn product<F: Float>(
        alpha: F,
        a: MatRef<'_, F>,
        b: MatRef<'_, F>,
        accumulate: bool,
        c: &mut Output<F>,
    ) -> bool {
        let instructions = match instruction_set() {
            InstructionSet::Avx512 => InstrSet::Avx512,
            InstructionSet::Avx2 => InstrSet::Avx256,
            InstructionSet::Portable => return false,
        };
        let dtype = if TypeId::of::<F>() == TypeId::of::<f32>() {
            DType::F32
        } else {
            DType::F64
        };
        // SAFETY: `products` checked that both views and the output lie within their slices, the output is exclusive,
        // `F` is f32 or f64 (the trait is sealed) as `dtype` says, and the instruction set was detected.
        unsafe {
            private_gemm_x86::gemm(
                dtype,
                IType::U64,
                instructions,
                c.rows,
                c.columns,
                a.columns,
                c.start.cast(),
                c.row_stride as isize,
                1,
                null(),
                null(),
                DstKind::Full,
                if accumulate {
                    Accum::Add
                } else {
                    Accum::Replace
                },
                a.data.as_ptr().add(a.offset).cast(),
                a.row_stride,
                a.column_stride,
                false,
                null(),
                0,
                b.data.as_ptr().add(b.offset).cast(),
                b.row_stride,
                b.column_stride,
                false,
                (&raw const alpha).cast(),
                1,
            );
        }
        true
    }
}

fn portable<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut Output<F>,
) {
    let beta = if accumulate { 1.0_f64 } else { 0.0 };
    macro_rules! call {
        ($gemm:path, $type:ty) => {
            // SAFETY: as for the x86 path; `$type` is `F`, as the caller of this macro compared.
            unsafe {
                $gemm(
                    c.rows,
                    a.columns,
                    c.columns,
                    alpha.to_f64() as $type,
                    a.data.as_ptr().add(a.offset).cast(),
                    a.row_stride,
                    a.column_stride,
                    b.data.as_ptr().add(b.offset).cast(),
                    b.row_stride,
                    b.column_stride,
                    beta as $type,
                    c.start.cast(),
                    c.row_stride as isize,
                    1,
                )
            }
        };
    }
    if TypeId::of::<F>() == TypeId::of::<f32>() {
        call!(matrixmultiply::sgemm, f32);
    } else {
        call!(matrixmultiply::dgemm, f64);
    }
}
