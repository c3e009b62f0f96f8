//! Loops that do nothing but what a processor's speed is limited by, for benches to set kernels beside.

use super::{InstructionSet, instruction_set};

/// Independent chains of multiply–adds, enough to hide their latency.
const CHAINS: usize = 12;

/// Does `rounds` rounds of independent multiply–adds on vectors in registers, with the instruction set in use; gives how many
/// multiply–adds of single numbers these were, and their sum.
pub fn multiply_adds(rounds: u64) -> (u64, f32) {
    #[cfg(target_arch = "x86_64")]
    match instruction_set() {
        InstructionSet::Avx512 => {
            // SAFETY: the processor was found to have every feature that the function enables.
            let sum = unsafe { x86::avx512(rounds) };
            return (rounds * CHAINS as u64 * 16, sum);
        }
        InstructionSet::Avx2 => {
            // SAFETY: as above.
            let sum = unsafe { x86::avx2(rounds) };
            return (rounds * CHAINS as u64 * 8, sum);
        }
        InstructionSet::Portable => {}
    }
    debug_assert_eq!(instruction_set(), InstructionSet::Portable);
    (rounds * CHAINS as u64 * 4, portable(rounds))
}

/// Each chain is x ← FACTOR · x + TERM from 1 on, which stays near 1.
const FACTOR: f32 = 0.5;
const TERM: f32 = 0.5;

fn portable(rounds: u64) -> f32 {
    let mut sums = [[1.0_f32; 4]; CHAINS];
    let (factor, term) = std::hint::black_box((FACTOR, TERM));
    for _ in 0..rounds {
        for sum in sums.as_flattened_mut() {
            *sum = if cfg!(target_arch = "aarch64") {
                sum.mul_add(factor, term)
            } else {
                *sum * factor + term
            };
        }
    }
    sums.as_flattened().iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHAINS, FACTOR, TERM};
    use std::arch::x86_64::{
        __m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128, _mm256_fmadd_ps, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
    };
    use std::hint::black_box;

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    pub(super) fn avx512(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        let factor = _mm512_set1_ps(black_box(FACTOR));
        let term = _mm512_set1_ps(black_box(TERM));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(rounds: u64) -> f32 {
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        let factor = _mm256_set1_ps(black_box(FACTOR));
        let term = _mm256_set1_ps(black_box(TERM));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        let one = _mm256_set1_ps(1.0);
        let total = sums.iter().fold(_mm256_setzero_ps(), |total, &sum| {
            _mm256_fmadd_ps(sum, one, total)
        });
        let mut lanes = [0.0_f32; 8];
        // SAFETY: the array has the eight numbers that are written; the store needs no alignment.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), total) };
        lanes.iter().sum()
    }

    pub(super) fn stream(from: &[f32], to: &mut [f32]) {
        // SAFETY: any four numbers are a valid vector, and the other way around.
        let (head, middle, tail) = unsafe { to.align_to_mut::<__m128i>() };
        let (front, rest) = from.split_at(head.len());
        let (body, back) = rest.split_at(4 * middle.len());
        head.copy_from_slice(front);
        tail.copy_from_slice(back);
        for (to, from) in middle.iter_mut().zip(body.as_chunks::<4>().0) {
            // SAFETY: SSE2 is part of x86-64; the chunk has 16 bytes, and `to` is aligned to as many.
            unsafe {
                let four = _mm_loadu_si128(from.as_ptr().cast());
                _mm_stream_si128(to, four);
            }
        }
        // SAFETY: SSE is part of x86-64. The writes must be seen before anything that the caller does next.
        unsafe { _mm_sfence() };
    }
}

/// Copies with stores that pass the caches by, where the processor has such; as [`slice::copy_from_slice`] otherwise.
///
/// # Panics
/// If the slices have different lengths.
pub fn stream(from: &[f32], to: &mut [f32]) {
    assert_eq!(
        from.len(),
        to.len(),
        "a copy needs as many places as numbers"
    );
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    x86::stream(from, to);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    to.copy_from_slice(from);
}

multiversion! {
    /// Reads all numbers: their sum, in no particular order.
    pub fn read[F: crate::element::Float](from: &[F]) -> F {
        const LANES: usize = 128;
        let mut sums = [F::ZERO; LANES];
        let (blocks, rest) = from.as_chunks::<LANES>();
        for block in blocks {
            for (sum, &x) in sums.iter_mut().zip(block) {
                *sum += x;
            }
        }
        sums.iter().chain(rest).fold(F::ZERO, |sum, &x| sum + x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_stay_at_one_and_are_counted() {
        let (count, sum) = multiply_adds(1000);
        assert_eq!(f64::from(sum) * 1000.0, count as f64);
        let (none, start) = multiply_adds(0);
        assert_eq!((none, start), (0, sum));
    }

    #[test]
    fn streaming_copies_every_number_wherever_it_starts() {
        let from: Vec<f32> = (0..100).map(|i| i as f32).collect();
        for start in 0..5 {
            for end in [start, start + 1, start + 7, 99, 100] {
                let mut to = vec![-1.0; 105];
                stream(&from[start..end], &mut to[start + 1..end + 1]);
                for (at, &x) in to.iter().enumerate() {
                    let inside = (start + 1..end + 1).contains(&at);
                    assert_eq!(x, if inside { at as f32 - 1.0 } else { -1.0 });
                }
            }
        }
    }

    #[test]
    fn reading_adds_everything() {
        for length in [0, 1, 127, 128, 1000] {
            let numbers: Vec<f32> = (0..length).map(|i| i as f32).collect();
            assert_eq!(
                read(&numbers),
                (length * length.max(1) - length) as f32 / 2.0
            );
        }
    }
}
