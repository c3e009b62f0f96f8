//! What a step needs at least.

use std::iter::Sum;
use std::ops::{Add, Mul};

/// Bytes that Adam moves per parameter: parameter and both moments are read and written, the gradient is read.
const ADAM_BYTES: u64 = 7 * 4;

/// The arithmetic and the memory traffic that a step needs whoever runs it; over the machine's limits they give the time
/// that no program can beat.
///
/// Counted are the products and convolutions of the forward pass, the gradients of weights and those of what is not data,
/// the optimizer, and for a pass over much memory reading and writing it once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Multiply–adds.
    pub multiply_adds: u64,
    /// Bytes that the optimizer reads and writes.
    pub optimizer_bytes: u64,
    /// Bytes that a pass reads and writes.
    pub pass_bytes: u64,
}

impl Floor {
    /// A product of `m` × `k` and `k` × `n`.
    pub(super) const fn product(m: u64, k: u64, n: u64) -> Self {
        Self {
            multiply_adds: m * k * n,
            optimizer_bytes: 0,
            pass_bytes: 0,
        }
    }

    /// Adam over that many parameters.
    pub(super) const fn adam(parameters: u64) -> Self {
        Self {
            multiply_adds: 0,
            optimizer_bytes: parameters * ADAM_BYTES,
            pass_bytes: 0,
        }
    }

    /// Reading that many numbers and writing as many.
    pub(super) const fn pass(numbers: u64) -> Self {
        Self {
            multiply_adds: 0,
            optimizer_bytes: 0,
            pass_bytes: numbers * 8,
        }
    }

    /// Training a chain of dense layers on `rows` samples; `widths` starts with the inputs, which need no gradient.
    pub(super) fn dense_chain(rows: u64, widths: &[u64]) -> Self {
        let layers = widths.windows(2).enumerate();
        layers
            .map(|(at, width)| {
                let products = if at == 0 { 2 } else { 3 };
                Self::product(rows, width[0], width[1]) * products
                    + Self::adam(width[0] * width[1] + width[1])
            })
            .sum()
    }
}

impl Add for Floor {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            multiply_adds: self.multiply_adds + other.multiply_adds,
            optimizer_bytes: self.optimizer_bytes + other.optimizer_bytes,
            pass_bytes: self.pass_bytes + other.pass_bytes,
        }
    }
}

impl Mul<u64> for Floor {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self {
            multiply_adds: self.multiply_adds * times,
            optimizer_bytes: self.optimizer_bytes * times,
            pass_bytes: self.pass_bytes * times,
        }
    }
}

impl Sum for Floor {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_needs_no_gradient_of_its_inputs() {
        let floor = Floor::dense_chain(5, &[2, 3, 1]);
        assert_eq!(floor.multiply_adds, 5 * (2 * (2 * 3) + 3 * 3));
        assert_eq!(floor.optimizer_bytes, 28 * (2 * 3 + 3 + 3 + 1));
        assert_eq!(floor.pass_bytes, 0);
    }
}
