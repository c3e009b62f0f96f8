//! The micro-kernels: one small block of the output, held in registers while the inner index runs.
//!
//! There is one per instruction set and type, made from one body. Each output element is one chain of multiply–adds in
//! the order of the inner index, whatever the block's size, so the choice of block never shows in the bits.

use crate::compiled::PerFloat;
use crate::element::Float;
use crate::kernels::{InstructionSet, instruction_set};

/// One block of work: `c = alpha · Σ a·b + start`.
#[derive(Clone, Copy)]
pub(super) struct Tile<F> {
    /// How many terms of each output element lie at even distances, at least one.
    pub(super) depth: usize,
    /// How many times there are as many, at least once, and how far it is from behind the last of them to the next ones.
    pub(super) segments: usize,
    pub(super) a_gap: isize,
    pub(super) b_gap: isize,
    pub(super) alpha: F,
    /// Element (i, k) of the left factor is at `a + i·a_row + k·a_step`.
    pub(super) a: *const F,
    pub(super) a_row: isize,
    pub(super) a_step: isize,
    /// Element (k, j) of the right factor is at `b + k·b_step + j`.
    pub(super) b: *const F,
    pub(super) b_step: isize,
    /// Element (i, j) of the output is at `c + i·c_row + j`.
    pub(super) c: *mut F,
    pub(super) c_row: usize,
    /// Columns of the output.
    pub(super) width: usize,
    pub(super) start: TileStart<F>,
}

/// What a block of terms is added to: element (i, j) at `from + i·row + j`, if it is used.
#[derive(Clone, Copy)]
pub(super) struct TileStart<F> {
    pub(super) from: *const F,
    pub(super) row: isize,
    pub(super) used: bool,
}

impl<F> TileStart<F> {
    /// Nothing.
    pub(super) const ZERO: Self = Self {
        from: std::ptr::null(),
        row: 0,
        used: false,
    };

    /// The part from a row and column on.
    #[inline(always)]
    pub(super) fn moved(self, row: usize, column: usize) -> Self {
        let shift = row as isize * self.row + column as isize;
        Self {
            from: self.from.wrapping_offset(shift),
            ..self
        }
    }
}

impl<F: Copy> Tile<F> {
    /// The part of `width` columns from `at` on.
    pub(super) fn columns(self, at: usize, width: usize) -> Self {
        Self {
            b: self.b.wrapping_add(at),
            c: self.c.wrapping_add(at),
            start: self.start.moved(0, at),
            width,
            ..self
        }
    }
}

/// The micro-kernel of one instruction set and type.
pub(super) struct MicroKernel<F> {
    /// Numbers in a vector.
    pub(super) lanes: usize,
    /// Rows of the largest block; packed panels of the left factor are as wide.
    pub(super) rows: usize,
    /// The heights of blocks, largest first; the last is 1.
    pub(super) heights: &'static [usize],
    /// The height for rows that are a multiple of it, if they are not packed: rows of images often have 14, 28 or 56 pixels,
    /// and the last block of those would be low.
    pub(super) even: usize,
    /// Vectors side by side in a block of one row, of two, of four: where the left factor is small, width hides the
    /// latency of multiply–adds.
    pub(super) wide: [usize; 3],
    /// Turns a block of sixteen by up to sixteen numbers around, where there are instructions that help.
    pub(super) transpose: Option<Transpose<F>>,
    /// Does a tile of one of the heights. The flag says that the left factor is packed: its rows are next to each other.
    pub(super) run: unsafe fn(height: usize, packed: bool, tile: &Tile<F>),
}

/// `(from, step, lines, to, width)`: sixteen numbers of each line to sixteen rows.
pub(super) type Transpose<F> = unsafe fn(*const F, isize, usize, *mut F, usize);

/// Vectors side by side in a block of full height; packed panels of the right factor are as wide.
pub(super) const VECTORS: usize = 2;

/// Terms from which on a block asks for its part of the output before it starts, so that it is there at the end.
const WORTH_FETCHING: usize = 64;

/// The one for one type stands for its family.
impl PerFloat for MicroKernel<f32> {
    type Of<F: Float> = MicroKernel<F>;
}

/// The micro-kernel for the processor.
#[inline]
pub(super) fn micro_kernel<F: Float>() -> &'static MicroKernel<F> {
    #[cfg(target_arch = "x86_64")]
    match instruction_set() {
        InstructionSet::Avx512 => {
            return F::choose::<MicroKernel<f32>>(&avx512_f32::KERNEL, &avx512_f64::KERNEL);
        }
        InstructionSet::Avx2 => {
            return F::choose::<MicroKernel<f32>>(&avx2_f32::KERNEL, &avx2_f64::KERNEL);
        }
        InstructionSet::Portable => {}
    }
    F::choose::<MicroKernel<f32>>(&portable_f32::KERNEL, &portable_f64::KERNEL)
}

/// The micro-kernel of one instruction set and type, from its vector operations.
///
/// The loops over rows and vectors have constant bounds: the compiler unrolls them and keeps the sums in registers.
macro_rules! micro_kernel {
    (
        mod $name:ident, type $T:ty, $(features $features:literal,)? lanes $lanes:literal, rows $rows:literal,
        heights [$($height:literal),*], even $even:literal, wide [$wide1:literal, $wide2:literal, $wide4:literal],
        transpose $transpose:expr, with { $($operations:tt)* }
    ) => {
        mod $name {
            use super::{MicroKernel, Tile, VECTORS, WORTH_FETCHING};

            const LANES: usize = $lanes;

            pub(super) static KERNEL: MicroKernel<$T> = MicroKernel {
                lanes: LANES,
                rows: $rows,
                heights: &[$($height),*],
                even: $even,
                wide: [$wide1, $wide2, $wide4],
                transpose: $transpose,
                run,
            };

            $($operations)*

            /// # Safety
            /// The processor has the instructions; everything that the tile names lies within live memory, and nothing
            /// else touches its part of the output.
            unsafe fn run(height: usize, packed: bool, tile: &Tile<$T>) {
                let vectors = tile.width.div_ceil(LANES);
                // SAFETY: passed on from the caller.
                unsafe {
                    match (height, vectors) {
                        (1, $wide1) if $wide1 > VECTORS => return block::<1, $wide1, false>(tile),
                        (2, $wide2) if $wide2 > VECTORS => return block::<2, $wide2, false>(tile),
                        (4, $wide4) if $wide4 > VECTORS => return block::<4, $wide4, false>(tile),
                        _ => {}
                    }
                    if height == $even && !packed {
                        return if vectors == 1 {
                            block::<$even, 1, false>(tile)
                        } else {
                            block::<$even, VECTORS, false>(tile)
                        };
                    }
                    $(
                        if height == $height {
                            return match (vectors, packed) {
                                (1, true) => block::<$height, 1, true>(tile),
                                (1, false) => block::<$height, 1, false>(tile),
                                (_, true) => block::<$height, VECTORS, true>(tile),
                                (_, false) => block::<$height, VECTORS, false>(tile),
                            };
                        }
                    )*
                }
                unreachable!("a block of {height} rows and {vectors} vectors");
            }

            /// # Safety
            /// As for [`run`]; `V` vectors hold the tile's width, the last of them partly.
            $(#[target_feature(enable = $features)])?
            #[inline]
            unsafe fn block<const M: usize, const V: usize, const PACKED: bool>(tile: &Tile<$T>) {
                debug_assert!(tile.width.div_ceil(LANES) == V && tile.depth > 0);
                // SAFETY: rows, steps and the masked width stay within what the caller vouches for; pointers that run past
                // the last step are never read.
                unsafe {
                    let mask = mask(tile.width - (V - 1) * LANES);
                    let mut sums = [[zero(); V]; M];
                    if M >= 4 && tile.depth * tile.segments >= WORTH_FETCHING {
                        for i in 0..M {
                            let row = tile.c.wrapping_add(i * tile.c_row);
                            (0..V).for_each(|v| fetch(row.wrapping_add(v * LANES)));
                        }
                    }
                    let a_row = if PACKED { 1 } else { tile.a_row };
                    // Rows in groups of four, so that few pointers run along.
                    let mut a = [tile.a; 4];
                    for (group, a) in a.iter_mut().enumerate() {
                        *a = a.wrapping_offset(4 * group as isize * a_row);
                    }
                    let mut b = tile.b;
                    for _ in 0..tile.segments {
                        for _ in 0..tile.depth {
                            let mut right = [zero(); V];
                            for (v, right) in right.iter_mut().enumerate() {
                                let at = b.wrapping_add(v * LANES);
                                *right = if v + 1 == V { load_masked(at, mask) } else { load(at) };
                            }
                            for (i, sums) in sums.iter_mut().enumerate() {
                                let left = splat(*a[i / 4].wrapping_offset((i % 4) as isize * a_row));
                                for (sum, &right) in sums.iter_mut().zip(&right) {
                                    *sum = multiply_add(left, right, *sum);
                                }
                            }
                            a = a.map(|a| a.wrapping_offset(tile.a_step));
                            b = b.wrapping_offset(tile.b_step);
                        }
                        a = a.map(|a| a.wrapping_offset(tile.a_gap));
                        b = b.wrapping_offset(tile.b_gap);
                    }
                    let alpha = splat(tile.alpha);
                    for (i, sums) in sums.iter().enumerate() {
                        let row = tile.c.add(i * tile.c_row);
                        let start = tile.start.moved(i, 0).from;
                        for (v, &sum) in sums.iter().enumerate() {
                            let at = row.wrapping_add(v * LANES);
                            let start = start.wrapping_add(v * LANES);
                            if v + 1 == V {
                                let value = if tile.start.used {
                                    multiply_add(alpha, sum, load_masked(start, mask))
                                } else {
                                    multiply(alpha, sum)
                                };
                                store_masked(at, mask, value);
                            } else {
                                let value = if tile.start.used {
                                    multiply_add(alpha, sum, load(start))
                                } else {
                                    multiply(alpha, sum)
                                };
                                store(at, value);
                            }
                        }
                    }
                }
            }
        }
    };
}

/// The vector operations of one x86 instruction set, by the names of its intrinsics.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_micro_kernel {
    (
        mod $name:ident, type $T:ty, features $features:literal, lanes $lanes:literal, rows $rows:literal,
        heights $heights:tt, even $even:literal, wide $wide:tt, transpose $transpose:expr, vector $V:ty, mask $Mask:ty, |$n:ident| $mask:expr,
        $zero:ident $splat:ident $load:ident $store:ident $fma:ident $mul:ident,
        load |$p:ident, $m:ident| $load_masked:expr, store |$q:ident, $k:ident, $x:ident| $store_masked:expr
    ) => {
        micro_kernel! {
            mod $name, type $T, features $features, lanes $lanes, rows $rows, heights $heights, even $even, wide $wide,
            transpose $transpose, with {
                #[allow(clippy::wildcard_imports, reason = "intrinsics")]
                use std::arch::x86_64::*;

                #[target_feature(enable = $features)]
                #[inline]
                fn mask($n: usize) -> $Mask {
                    $mask
                }
                #[inline(always)]
                fn fetch(at: *mut $T) {
                    // SAFETY: a hint, which reads nothing.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
                }
                #[target_feature(enable = $features)]
                #[inline]
                fn zero() -> $V {
                    $zero()
                }
                #[target_feature(enable = $features)]
                #[inline]
                fn splat(x: $T) -> $V {
                    $splat(x)
                }
                #[target_feature(enable = $features)]
                #[inline]
                unsafe fn load(at: *const $T) -> $V {
                    // SAFETY: the caller's.
                    unsafe { $load(at) }
                }
                #[target_feature(enable = $features)]
                #[inline]
                unsafe fn load_masked($p: *const $T, $m: $Mask) -> $V {
                    // SAFETY: the caller's; lanes outside the mask are not read.
                    unsafe { $load_masked }
                }
                #[target_feature(enable = $features)]
                #[inline]
                unsafe fn store(at: *mut $T, value: $V) {
                    // SAFETY: the caller's.
                    unsafe { $store(at, value) }
                }
                #[target_feature(enable = $features)]
                #[inline]
                unsafe fn store_masked($q: *mut $T, $k: $Mask, $x: $V) {
                    // SAFETY: the caller's; lanes outside the mask are not written.
                    unsafe { $store_masked }
                }
                #[target_feature(enable = $features)]
                #[inline]
                fn multiply_add(a: $V, b: $V, c: $V) -> $V {
                    $fma(a, b, c)
                }
                #[target_feature(enable = $features)]
                #[inline]
                fn multiply(a: $V, b: $V) -> $V {
                    $mul(a, b)
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_micro_kernel! {
    mod avx512_f32, type f32, features "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", lanes 16, rows 12,
    heights [12, 8, 4, 2, 1], even 14, wide [8, 4, 4], transpose Some(crate::kernels::gemm::transpose::avx512::transpose_f32), vector __m512, mask __mmask16, |n| (!0_u16) >> (16 - n),
    _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps,
    load |p, m| _mm512_maskz_loadu_ps(m, p), store |p, m, x| _mm512_mask_storeu_ps(p, m, x)
}

#[cfg(target_arch = "x86_64")]
x86_micro_kernel! {
    mod avx512_f64, type f64, features "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", lanes 8, rows 12,
    heights [12, 8, 4, 2, 1], even 14, wide [8, 4, 4], transpose None, vector __m512d, mask __mmask8, |n| (!0_u8) >> (8 - n),
    _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_mul_pd,
    load |p, m| _mm512_maskz_loadu_pd(m, p), store |p, m, x| _mm512_mask_storeu_pd(p, m, x)
}

#[cfg(target_arch = "x86_64")]
x86_micro_kernel! {
    mod avx2_f32, type f32, features "avx2,fma", lanes 8, rows 6,
    heights [6, 4, 2, 1], even 6, wide [8, 4, 2], transpose None, vector __m256, mask __m256i,
    |n| _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_mul_ps,
    load |p, m| _mm256_maskload_ps(p, m), store |p, m, x| _mm256_maskstore_ps(p, m, x)
}

#[cfg(target_arch = "x86_64")]
x86_micro_kernel! {
    mod avx2_f64, type f64, features "avx2,fma", lanes 4, rows 6,
    heights [6, 4, 2, 1], even 6, wide [8, 4, 2], transpose None, vector __m256d, mask __m256i,
    |n| _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)),
    _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_mul_pd,
    load |p, m| _mm256_maskload_pd(p, m), store |p, m, x| _mm256_maskstore_pd(p, m, x)
}

/// Vectors as arrays, for every processor: the compiler makes what instructions there are of them.
macro_rules! portable_micro_kernel {
    (mod $name:ident, type $T:ty, lanes $lanes:literal) => {
        micro_kernel! {
            mod $name, type $T, lanes $lanes, rows 4, heights [4, 2, 1], even 4, wide [2, 2, 2], transpose None, with {
                type Vector = [$T; $lanes];

                fn mask(lanes: usize) -> usize {
                    lanes
                }
                #[inline(always)]
                fn fetch(_: *mut $T) {}
                #[inline(always)]
                fn zero() -> Vector {
                    [0.0; $lanes]
                }
                #[inline(always)]
                fn splat(x: $T) -> Vector {
                    [x; $lanes]
                }
                #[inline(always)]
                unsafe fn load(at: *const $T) -> Vector {
                    // SAFETY: the caller's.
                    unsafe { at.cast::<Vector>().read() }
                }
                #[inline(always)]
                unsafe fn load_masked(at: *const $T, lanes: usize) -> Vector {
                    if lanes == $lanes {
                        // SAFETY: the caller's.
                        return unsafe { load(at) };
                    }
                    let mut value = zero();
                    for (i, lane) in value.iter_mut().enumerate().take(lanes) {
                        // SAFETY: the caller's; further lanes are not read.
                        *lane = unsafe { *at.add(i) };
                    }
                    value
                }
                #[inline(always)]
                unsafe fn store(at: *mut $T, value: Vector) {
                    // SAFETY: the caller's.
                    unsafe { at.cast::<Vector>().write(value) }
                }
                #[inline(always)]
                unsafe fn store_masked(at: *mut $T, lanes: usize, value: Vector) {
                    for (i, &lane) in value.iter().enumerate().take(lanes) {
                        // SAFETY: the caller's; further lanes are not written.
                        unsafe { *at.add(i) = lane };
                    }
                }
                #[inline(always)]
                fn multiply_add(a: Vector, b: Vector, c: Vector) -> Vector {
                    std::array::from_fn(|i| super::chain(a[i], b[i], c[i]))
                }
                #[inline(always)]
                fn multiply(a: Vector, b: Vector) -> Vector {
                    std::array::from_fn(|i| a[i] * b[i])
                }
            }
        }
    };
}

portable_micro_kernel! { mod portable_f32, type f32, lanes 4 }
portable_micro_kernel! { mod portable_f64, type f64, lanes 2 }

/// Whether every processor of the target has an instruction for a multiply–add with one rounding.
pub(super) const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// `a · b + c`
#[inline(always)]
fn chain<F: Float>(a: F, b: F, c: F) -> F {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
