//! Exclusive or, spread over time.

use fb_tensor::Tensor;
use fb_tensor::random::Key;
use rand::RngExt as _;

/// A stream of bits, and as the target of each the bit that follows it: two random bits, then their exclusive or, again and
/// again.
///
/// A target can be known where its position leaves the remainder 1 when divided by 3; elsewhere nothing beats 0.5, whose
/// squared error is 0.25. Elman takes 1000 groups of three.
///
/// # Shapes
/// - returns `x` and `y` `[1, 3 · groups − 1, 1]`, zeros and ones
///
/// # Examples
/// ```
/// let (x, y) = fb_data::generated::temporal_xor(1000, 42);
/// assert_eq!(x.dims(), [1, 2999, 1]);
/// let [a, b] = [x.at(&[0, 3, 0]), x.at(&[0, 4, 0])];
/// assert_eq!(y.at(&[0, 4, 0]), f32::from(a != b));
/// ```
///
/// # References
/// J. L. Elman (1990), Finding structure in time, Cognitive Science 14, 179–211, section on exclusive or.
pub fn temporal_xor(groups: usize, seed: u64) -> (Tensor, Tensor) {
    let mut rng = Key::new(seed).fold("temporal_xor").rng();
    let mut stream = Vec::new();
    for _ in 0..groups {
        let [a, b] = [(); 2].map(|()| rng.random_range(0..2) == 1);
        stream.extend([a, b, a != b].map(f32::from));
    }
    let steps = stream.len().saturating_sub(1);
    let part = |bits: &[f32]| Tensor::from_vec(bits.to_vec(), [1, steps, 1]);
    let from = stream.len() - steps;
    (part(&stream[..steps]), part(&stream[from..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_bit_follows_from_two() {
        let (x, y) = temporal_xor(400, 3);
        let (x, y) = (x.to_vec(), y.to_vec());
        assert_eq!(x[1..], y[..y.len() - 1]);
        for at in (1..y.len()).step_by(3) {
            assert_eq!(y[at], (x[at - 1] - x[at]).abs());
        }
        for start in [0, 2] {
            let guess: Vec<f32> = y[start..].iter().step_by(3).copied().collect();
            let mean = guess.iter().sum::<f32>() / guess.len() as f32;
            assert!((mean - 0.5).abs() < 0.1, "{mean}");
        }
        assert_ne!(x, temporal_xor(400, 4).0.to_vec());
        assert_eq!(temporal_xor(0, 1).0.dims(), [1, 0, 1]);
    }
}
