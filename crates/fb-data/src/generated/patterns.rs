//! Patterns to be stored by a Hopfield network, and their damaged forms.

use crate::error::{Error, Result};
use fb_tensor::Tensor;
use fb_tensor::random::{Key, permutation};

/// Patterns of −1 and 1, either with probability one half.
///
/// A Hopfield network of N units that stores them by Hebb's rule forgets all at about 0.138·N patterns.
///
/// # Shapes
/// - returns `[count, units]`
///
/// # Panics
/// If memory cannot hold so many.
///
/// # References
/// D. J. Amit, H. Gutfreund, H. Sompolinsky (1985), Storing infinite numbers of patterns in a spin-glass model of neural
/// networks, Physical Review Letters 55, 1530–1533.
///
/// # Examples
/// ```
/// use fb_data::generated::{flip, random_patterns};
/// let patterns = random_patterns(10, 200, 42);
/// let damaged = flip(&patterns, 0.15, 7)?;
/// let overlap = (&patterns * &damaged).sum() / (10.0 * 200.0);
/// assert!((overlap - 0.7).abs() < 1e-6);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[track_caller]
pub fn random_patterns(count: usize, units: usize, seed: u64) -> Tensor {
    let mut rng = Key::new(seed).fold("patterns").rng();
    Tensor::bernoulli([count, units], 0.5, &mut rng) * 2.0 - 1.0
}

/// The patterns with the sign of a share of each one's numbers turned, at random places.
///
/// # Shapes
/// - `patterns`: `[count, units]`
/// - returns the same; in each row `share · units` numbers, rounded, differ if they are not 0
///
/// # Errors
/// The patterns are not rows of numbers, or the share is not between 0 and 1.
pub fn flip(patterns: &Tensor, share: f64, seed: u64) -> Result<Tensor> {
    let &[count, units] = patterns.dims() else {
        return Err(Error::Shape {
            op: "flip",
            expected: "[count, units]".to_string(),
            found: patterns.shape().to_string(),
            help: "reshape to one row a pattern",
        });
    };
    if !(0.0..=1.0).contains(&share) {
        return Err(Error::Argument {
            op: "flip",
            argument: "share",
            expected: "a share from 0 to 1".to_string(),
            found: share.to_string(),
            help: "0.15 turns 15 of 100 numbers",
        });
    }
    let turned = (share * units as f64).round() as usize;
    let key = Key::new(seed).fold("flip");
    let mut damaged = patterns.to_vec();
    for row in 0..count {
        let order = permutation(units, &mut key.at(0, row as u64));
        for at in &order[..turned] {
            damaged[row * units + at] *= -1.0;
        }
    }
    Ok(Tensor::from_vec(damaged, [count, units]))
}

/// Five letters, J, L, P, V and X, drawn by hand as pictures of 10×10 pixels, 1 where there is ink and −1 elsewhere.
///
/// They are alike enough to be a test and different enough to be stored together by Hebb's rule.
///
/// # Shapes
/// - returns `[5, 10, 10, 1]`
///
/// # Examples
/// ```
/// let letters = fb_data::generated::letters();
/// assert_eq!(letters.reshape([5, 100]).dims(), [5, 100]);
/// ```
pub fn letters() -> Tensor {
    let pixels = LETTERS
        .iter()
        .flat_map(|letter| letter.join("").into_bytes());
    let pixels = pixels.map(|pixel| if pixel == b'#' { 1.0 } else { -1.0 });
    Tensor::from_vec(pixels.collect(), [LETTERS.len(), 10, 10, 1])
}

#[rustfmt::skip]
const LETTERS: [[&str; 10]; 5] = [
    [
        ".....#####",
        ".....#####",
        ".......###",
        ".......###",
        ".......###",
        ".......###",
        ".......###",
        "###....###",
        "##########",
        ".########.",
    ],
    [
        "###.......",
        "###.......",
        "###.......",
        "###.......",
        "###.......",
        "###.......",
        "###.......",
        "##########",
        "##########",
        "##########",
    ],
    [
        "#########.",
        "##########",
        "###....###",
        "###....###",
        "##########",
        "#########.",
        "###.......",
        "###.......",
        "###.......",
        "###.......",
    ],
    [
        "###....###",
        "###....###",
        "###....###",
        "###....###",
        ".###..###.",
        ".###..###.",
        "..######..",
        "..######..",
        "...####...",
        "...####...",
    ],
    [
        "##......##",
        "###....###",
        ".###..###.",
        "..######..",
        "...####...",
        "...####...",
        "..######..",
        ".###..###.",
        "###....###",
        "##......##",
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_signs_that_hardly_overlap() {
        let patterns = random_patterns(20, 1000, 1);
        assert!(patterns.iter().all(|number| number.abs() == 1.0));
        let overlaps = patterns.matmul(&patterns.transpose()) * (1.0 / 1000.0);
        for (at, overlap) in overlaps.iter().enumerate() {
            let (row, column) = (at / 20, at % 20);
            assert!(if row == column {
                overlap == 1.0
            } else {
                overlap.abs() < 0.15
            });
        }
        assert_ne!(patterns, random_patterns(20, 1000, 2));
    }

    #[test]
    fn as_many_signs_turn_as_asked() {
        let patterns = random_patterns(6, 31, 4);
        for share in [0.0, 0.1, 0.5, 1.0] {
            let damaged = flip(&patterns, share, 9).unwrap();
            let turned = (share * 31.0).round() as usize;
            for row in 0..6 {
                let [a, b] = [&patterns, &damaged].map(|p| p.index_axis(0, row).to_vec());
                assert_eq!(a.iter().zip(&b).filter(|(a, b)| a != b).count(), turned);
            }
        }
        assert_eq!(
            flip(&patterns, 0.3, 1).unwrap(),
            flip(&patterns, 0.3, 1).unwrap()
        );
        assert_ne!(
            flip(&patterns, 0.3, 1).unwrap(),
            flip(&patterns, 0.3, 2).unwrap()
        );
        assert!(flip(&patterns, 1.1, 1).is_err() && flip(&patterns, f64::NAN, 1).is_err());
        assert!(flip(&Tensor::zeros([3]), 0.1, 1).is_err());
    }

    #[test]
    fn letters_are_recalled_from_damaged_ones() {
        let stored = letters().reshape([5, 100]);
        let weights = stored.transpose().matmul(&stored).to_vec();
        let damaged = flip(&stored, 0.15, 3).unwrap();
        assert_ne!(damaged, stored);
        let mut state = damaged.to_vec();
        for row in state.chunks_mut(100) {
            // Units one after the other, without a weight to themselves.
            for unit in (0..100).cycle().take(1000) {
                let others = (0..100).filter(|&other| other != unit);
                let sum: f32 = others
                    .map(|other| weights[unit * 100 + other] * row[other])
                    .sum();
                row[unit] = if sum >= 0.0 { 1.0 } else { -1.0 };
            }
        }
        assert_eq!(state, stored.to_vec());
    }
}
