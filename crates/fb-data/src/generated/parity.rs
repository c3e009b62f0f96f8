//! Whether the number of ones is odd.

use super::bad_range;
use crate::error::Result;
use fb_tensor::random::{Key, permutation};
use fb_tensor::{Shape, Tensor};
use rand::RngExt as _;
use std::ops::RangeInclusive;

/// Rows of −1, 0 and 1, and for each whether it has an odd number of ones.
///
/// In each row as many numbers as drawn from `numbers`, at random places, are −1 or 1, either with probability one half; the
/// others are 0. The more there are, the more a network has to think: a row's difficulty is its count of what is not 0.
/// Graves takes 64 numbers a row and 1 to 64 of them. For a recurrent network, reshape to `[rows, length, 1]`.
///
/// # Shapes
/// - returns `x` `[rows, length]` and `y` `[rows, 1]`, 1 if odd, 0 if even
///
/// # Errors
/// More numbers are asked for than a row has, or the range is empty.
///
/// # Examples
/// ```
/// let (x, y) = fb_data::generated::parity(100, 16, 1..=16, 42)?;
/// let ones = x.index_axis(0, 7).iter().filter(|&number| number == 1.0).count();
/// assert_eq!(y.at(&[7, 0]), (ones % 2) as f32);
/// # Ok::<(), fb_data::Error>(())
/// ```
///
/// # References
/// A. Graves (2016), Adaptive computation time for recurrent neural networks, arXiv:1603.08983, section 3.1.
pub fn parity(
    rows: usize,
    length: usize,
    numbers: RangeInclusive<usize>,
    seed: u64,
) -> Result<(Tensor, Tensor)> {
    if numbers.is_empty() || *numbers.end() > length {
        let expected = format!("a range within 0..={length}");
        let help = "a row cannot have more numbers than it is long";
        return Err(bad_range("parity", "numbers", expected, &numbers, help));
    }
    let shape = Shape::try_new(&[rows, length])?;
    let key = Key::new(seed).fold("parity");
    let mut x = vec![0.0; shape.elements()];
    let mut y = Vec::with_capacity(rows);
    for at in 0..rows {
        let row = &mut x[at * length..(at + 1) * length];
        let mut rng = key.at(0, at as u64);
        let count = rng.random_range(numbers.clone());
        let mut ones = 0;
        for place in permutation(length, &mut rng).into_iter().take(count) {
            let is_one = rng.random_range(0..2) == 1;
            row[place] = if is_one { 1.0 } else { -1.0 };
            ones += usize::from(is_one);
        }
        y.push((ones % 2) as f32);
    }
    Ok((Tensor::from_vec(x, shape), Tensor::from_vec(y, [rows, 1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_products_of_signs() {
        let (x, y) = parity(400, 9, 2..=5, 1).unwrap();
        let mut counts = [0; 10];
        for row in 0..400 {
            let numbers: Vec<f32> = x.index_axis(0, row).to_vec();
            assert!(numbers.iter().all(|n| [-1.0, 0.0, 1.0].contains(n)));
            let product: f32 = numbers.iter().filter(|n| **n == 1.0).map(|n| -n).product();
            assert_eq!(y.at(&[row, 0]), (1.0 - product) / 2.0);
            counts[numbers.iter().filter(|n| **n != 0.0).count()] += 1;
        }
        assert_eq!(counts.iter().sum::<usize>(), 400);
        assert!(counts[2..=5].iter().all(|&count| count > 60), "{counts:?}");
        let odd = y.iter().sum::<f32>() / 400.0;
        assert!((odd - 0.5).abs() < 0.1, "{odd}");
    }

    #[test]
    fn a_row_is_the_same_however_many_there_are() {
        let (few, many) = (
            parity(3, 8, 1..=8, 5).unwrap(),
            parity(9, 8, 1..=8, 5).unwrap(),
        );
        assert_eq!(few.0, many.0.slice(0, 0..3));
        assert_ne!(few.0, parity(3, 8, 1..=8, 6).unwrap().0);
        assert_eq!(parity(0, 0, 0..=0, 1).unwrap().0.dims(), [0, 0]);
    }

    #[test]
    fn too_many_numbers_are_told() {
        assert_eq!(
            parity(1, 4, 1..=5, 0).unwrap_err().to_string(),
            "parity: bad numbers\n  expected a range within 0..=4, found 1..=5\n  help: a row cannot have more numbers than it is long"
        );
        assert!(parity(usize::MAX, 4, 1..=4, 0).is_err());
    }
}
