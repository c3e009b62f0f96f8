//! Feed-forward networks to compare with: as many parameters, or as much arithmetic.

/// Weights and biases of a chain of dense layers, from the inputs to the outputs.
pub fn dense_parameters(widths: &[usize]) -> usize {
    let layers = widths.windows(2);
    layers.map(|layer| (layer[0] + 1) * layer[1]).sum()
}

/// Multiply–adds of a chain of dense layers for one row, forward; training takes about three times as many.
pub fn dense_multiply_adds(widths: &[usize]) -> usize {
    let layers = widths.windows(2);
    layers.map(|layer| layer[0] * layer[1]).sum()
}

/// The width, at least 1, for which a network's count of something that grows with its width is nearest to what is wanted;
/// the smaller one of two that are equally near.
///
/// ```
/// use fb_examples::{dense_parameters, nearest_width};
/// let count = |width| dense_parameters(&[64, width, width, 10]);
/// let width = nearest_width(13_066, count);
/// assert_eq!((width, count(width)), (82, 12_966));
/// ```
pub fn nearest_width(wanted: usize, count: impl Fn(usize) -> usize) -> usize {
    let mut above = 1;
    while count(above) < wanted && above < usize::MAX / 2 {
        above *= 2;
    }
    let mut below = above / 2;
    // Widths up to `below` have too few, `above` has enough.
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if count(middle) < wanted {
            below = middle;
        } else {
            above = middle;
        }
    }
    let is_nearer = below >= 1 && wanted - count(below) <= count(above).abs_diff(wanted);
    if is_nearer { below } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_counted() {
        assert_eq!(dense_parameters(&[2, 3, 1]), 2 * 3 + 3 + 3 + 1);
        assert_eq!(dense_multiply_adds(&[2, 3, 1]), 9);
        assert_eq!(dense_parameters(&[5]), 0);
    }

    #[test]
    fn the_nearest_width_is_found() {
        let squares = |width: usize| width * width;
        for wanted in 0..400 {
            let found = nearest_width(wanted, squares);
            let best = (1..30).min_by_key(|&width| squares(width).abs_diff(wanted));
            assert_eq!(Some(found), best, "{wanted}");
        }
    }
}
