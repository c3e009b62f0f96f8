//! The smallest problem that no single layer solves.

use fb_tensor::Tensor;

/// Exclusive or: all pairs of 0 and 1, and whether the two differ.
///
/// # Shapes
/// - returns `x` `[4, 2]` and `y` `[4, 1]`
///
/// # Examples
/// ```
/// let (x, y) = fb_data::embedded::xor();
/// assert_eq!(x.to_vec(), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
/// assert_eq!(y.to_vec(), [0.0, 1.0, 1.0, 0.0]);
/// ```
pub fn xor() -> (Tensor, Tensor) {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    (x, y)
}
