//! Whether a loop forgets where it started.

use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};

/// The asymptotic alignment score of each sample: the cosine of the angle between the states that the loop ends in from
/// two initial states. Near 1 the answer does not depend on the path, which is what lets a network gain from more
/// iterations than it was trained with.
///
/// Two states that are 0 agree, and give 1; one that is 0 and one that is not give 0. A state that is not finite gives NaN.
///
/// # Shapes
/// - `a`, `b`: `[batch, …]`, the same
/// - returns one number a sample
///
/// # Errors
/// The shapes differ, or there is no batch axis.
///
/// # Examples
/// ```
/// use fb_nn::feedback::spectrum::path_independence;
/// use fb_tensor::Tensor;
/// let from_zeros = Tensor::from_vec(vec![1.0_f32, 0.0, 3.0, 4.0], [2, 2]);
/// let from_noise = Tensor::from_vec(vec![0.0_f32, 2.0, 3.0, 4.0], [2, 2]);
/// assert_eq!(path_independence(&from_zeros, &from_noise)?, [0.0, 1.0]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// C. Anil et al., "Path independent equilibrium models can better exploit test-time computation", NeurIPS 2022
/// (section 4).
pub fn path_independence<F: Float>(a: &Tensor<F>, b: &Tensor<F>) -> Result<Vec<f64>> {
    if a.shape() != b.shape() || a.rank() == 0 {
        return Err(Error::Data {
            place: "path independence".to_owned(),
            expected: format!(
                "two states of one shape [batch, …], the first is {:?}",
                a.dims()
            ),
            found: format!("{:?}", b.dims()),
            help: "run the same batch twice, from two initial states".to_owned(),
        });
    }
    let sample = |i: usize| cosine(&a.index_axis(0, i).to_vec(), &b.index_axis(0, i).to_vec());
    Ok((0..a.dim(0)).map(sample).collect())
}

fn cosine<F: Float>(a: &[F], b: &[F]) -> f64 {
    let size = |x: &[F]| {
        x.iter()
            .fold(0.0_f64, |most, x| larger(most, x.to_f64().abs()))
    };
    let (size_a, size_b) = (size(a), size(b));
    if !size_a.is_finite() || !size_b.is_finite() {
        return f64::NAN;
    }
    if size_a == 0.0 || size_b == 0.0 {
        return f64::from(size_a == size_b);
    }
    // Relative to their largest elements, so that no square leaves the range of f64.
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x.to_f64() / size_a, y.to_f64() / size_b);
        product += x * y;
        square_a += x * x;
        square_b += y * y;
    }
    let cosine: f64 = product / (square_a.sqrt() * square_b.sqrt());
    cosine.clamp(-1.0, 1.0)
}

/// The larger number, NaN if either is: `f64::max` would pass over it.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}
