//! The largest eigenvalue of a symmetric operator, which is only applied, never written out.

use fb_tensor::Tensor;
use fb_tensor::random::Key;

/// How many dimensions the search space may grow to.
const MOST_STEPS: usize = 300;

/// The largest eigenvalue of a symmetric operator, as far as it was found.
#[derive(Debug)]
pub(crate) struct Largest {
    /// The Rayleigh quotient of `vector`, which the eigenvalue is not below.
    pub(crate) value: f64,
    /// The length of what the operator makes of `vector` beyond `value` times itself: as far as the eigenvalue can be
    /// above once the search has found the right end of the spectrum.
    pub(crate) residual: f64,
    /// The eigenvector, of length 1.
    pub(crate) vector: Vec<f64>,
}

/// Searches the Krylov space of a vector that is drawn once and for all (Lanczos, every new direction made orthogonal to
/// all before) until the residual is at most `tolerance` times the eigenvalue, or the space is exhausted. Small operators
/// are always solved exactly.
///
/// # References
/// G. Golub, C. Van Loan, "Matrix computations", 4th edition 2013, section 10.3; for the tridiagonal matrix section 8.4.
pub(crate) fn largest_eigenvalue(
    size: usize,
    tolerance: f64,
    mut apply: impl FnMut(&[f64]) -> Vec<f64>,
) -> Largest {
    let mut next = Tensor::<f64>::normal([size], 0.0, 1.0, &mut Key::new(0).rng()).to_vec();
    let (mut basis, mut diagonal, mut beside) = (Vec::<Vec<f64>>::new(), Vec::new(), Vec::new());
    let mut length = norm(&next);
    loop {
        next.iter_mut().for_each(|x| *x /= length);
        let mut image = apply(&next);
        diagonal.push(dot(&image, &next));
        basis.push(next);
        // Once leaves a rounding error that grows with the space; twice is enough.
        for _ in 0..2 {
            for earlier in &basis {
                let share = dot(&image, earlier);
                image
                    .iter_mut()
                    .zip(earlier)
                    .for_each(|(x, q)| *x -= share * q);
            }
        }
        length = norm(&image);
        next = image;
        let steps = basis.len();
        let scale = diagonal
            .iter()
            .fold(0.0_f64, |most, x: &f64| most.max(x.abs()));
        let exhausted = steps == size.min(MOST_STEPS) || length <= 1e-14 * scale;
        if exhausted || steps % 5 == 0 {
            let (value, weights) = top_of_tridiagonal(&diagonal, &beside);
            let residual = length * weights[steps - 1];
            if exhausted || residual <= tolerance * value.abs() {
                let mut vector = vec![0.0; size];
                for (direction, weight) in basis.iter().zip(&weights) {
                    vector
                        .iter_mut()
                        .zip(direction)
                        .for_each(|(x, q)| *x += weight * q);
                }
                let length = norm(&vector);
                vector.iter_mut().for_each(|x| *x /= length);
                // An interval around 0 is halved down to the smallest number there is.
                let nothing = value.abs() <= f64::MIN_POSITIVE;
                return Largest {
                    value: if nothing { 0.0 } else { value },
                    residual: residual.abs(),
                    vector,
                };
            }
        }
        beside.push(length);
    }
}

/// The largest eigenvalue of a symmetric tridiagonal matrix with positive numbers beside its diagonal, and its
/// eigenvector, of length 1 and without negative elements.
fn top_of_tridiagonal(diagonal: &[f64], beside: &[f64]) -> (f64, Vec<f64>) {
    let n = diagonal.len();
    let around = |i: usize| {
        let before = if i > 0 { beside[i - 1] } else { 0.0 };
        before + beside[..n - 1].get(i).copied().unwrap_or(0.0)
    };
    let mut low = diagonal.iter().copied().fold(f64::MIN, f64::max);
    let mut high = (0..n).fold(f64::MIN, |most, i| most.max(diagonal[i] + around(i)));
    high += 1e-15 * high.abs().max(low.abs()) + f64::MIN_POSITIVE;
    // x is above all eigenvalues exactly where the pivots of x − T are positive.
    let mut pivots = vec![0.0; n];
    let above = |x: f64, pivots: &mut Vec<f64>| {
        let mut before = f64::INFINITY;
        for i in 0..n {
            let beside = if i > 0 { beside[i - 1] } else { 0.0 };
            before = x - diagonal[i] - beside * beside / before;
            pivots[i] = before;
            if before.is_nan() || before <= 0.0 {
                return false;
            }
        }
        true
    };
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if above(middle, &mut pivots) {
            high = middle;
        } else {
            low = middle;
        }
    }
    // Inverse iteration from just above, where the factors are those of a positive definite matrix.
    let mut shift = high;
    while !above(shift, &mut pivots) {
        shift += 1e-15 * shift.abs() + f64::MIN_POSITIVE;
    }
    let mut vector = vec![1.0; n];
    for _ in 0..4 {
        for i in 1..n {
            vector[i] += vector[i - 1] * beside[i - 1] / pivots[i - 1];
        }
        for i in (0..n).rev() {
            let after = if i + 1 < n {
                beside[i] * vector[i + 1]
            } else {
                0.0
            };
            vector[i] = (vector[i] + after) / pivots[i];
        }
        let most = vector.iter().copied().fold(0.0, f64::max);
        vector.iter_mut().for_each(|x| *x /= most);
        let length = norm(&vector);
        vector.iter_mut().for_each(|x| *x /= length);
    }
    (high, vector)
}

/// `|λ|` of the eigenvalue of a square matrix that lies farthest from 0, real or not, to about 10⁻⁴ of itself.
///
/// It is the limit of `‖Aᵐ‖^(1/m)` (Gelfand); `m` goes up by squaring, and what two powers in turn have in common beyond
/// the radius, the constant `c` of `‖Aᵐ‖ ≈ c·ρᵐ`, is taken out.
pub(crate) fn spectral_radius(matrix: &Tensor<f64>) -> f64 {
    const SQUARINGS: i32 = 15;
    let mut power = matrix.contiguous();
    // ln ‖A^(2^k)‖ / 2^k for the power at hand and the one before, kept apart from the scaled power itself.
    let (mut rate, mut before) = (0.0, 0.0);
    for k in 0..=SQUARINGS {
        let size = power.norm();
        if size == 0.0 {
            return 0.0;
        }
        before = rate;
        rate = if k == 0 {
            size.ln()
        } else {
            before + size.ln() / 2.0_f64.powi(k)
        };
        power = power * (1.0 / size);
        if k < SQUARINGS {
            power = power.matmul(&power);
        }
    }
    (2.0 * rate - before).exp()
}

/// The scalar product, in eight partial sums so that it is not one long chain of additions.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (a, b) in a.zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;

    fn of(matrix: &Tensor<f64>) -> Largest {
        largest_eigenvalue(matrix.dim(0), 1e-12, |x| {
            let x = Tensor::from_vec(x.to_vec(), [1, x.len()]);
            x.matmul(matrix).to_vec()
        })
    }

    #[test]
    fn largest_eigenvalues_are_those_that_were_put_in() {
        for n in [1, 2, 3, 17, 60] {
            let q: Tensor<f64> = crate::init::Initializer::orthogonal()
                .sample([n, n].into(), &mut Key::new(n as u64).rng())
                .unwrap();
            for top in [5.0, 1.001, -0.5] {
                let values: Vec<f64> = (0..n)
                    .map(|i| if i == 0 { top } else { top - i as f64 / 8.0 })
                    .collect();
                let scaled = &q * &Tensor::from_vec(values, [1, n]);
                let found = of(&scaled.matmul(&q.transpose()));
                assert!((found.value - top).abs() < 1e-11, "{n} {top}: {found:?}");
                let axis: f64 = (0..n).map(|i| found.vector[i] * q.at(&[i, 0])).sum();
                assert!((axis.abs() - 1.0).abs() < 1e-9, "{n} {top}: {axis}");
            }
        }
        let one = of(&Tensor::eye_of(40));
        assert!((one.value - 1.0).abs() < 1e-14 && one.residual < 1e-13);
        assert_eq!(of(&Tensor::zeros_of([4, 4])).value, 0.0);
    }

    #[test]
    fn radii_of_rotations_of_every_angle() {
        for degrees in (0..=180).step_by(5) {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            // Beside a smaller real eigenvalue, in a basis that is far from orthogonal.
            let block = Tensor::from([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 0.9]]) * 1.3;
            let basis = Tensor::from([[1.0, 2.0, 0.0], [0.0, 1.0, 30.0], [0.0, 0.0, 1.0]]);
            let inverse = Tensor::from([[1.0, -2.0, 60.0], [0.0, 1.0, -30.0], [0.0, 0.0, 1.0]]);
            let found = spectral_radius(&basis.matmul(&block).matmul(&inverse));
            assert!((found / 1.3 - 1.0).abs() < 1e-3, "{degrees}: {found}");
        }
    }

    #[test]
    fn radii_of_jordan_blocks_and_of_nothing() {
        for size in 1..=4 {
            for value in [0.3, 1.0, 2.5] {
                let block =
                    Tensor::<f64>::from_fn([size, size], |at| match at[1].wrapping_sub(at[0]) {
                        0 => value,
                        1 => 1.0,
                        _ => 0.0,
                    });
                let found = spectral_radius(&block);
                assert!(
                    (found / value - 1.0).abs() < 1e-3,
                    "{size} {value}: {found}"
                );
            }
        }
        assert_eq!(spectral_radius(&Tensor::zeros_of([3, 3])), 0.0);
        let nilpotent = Tensor::from([[0.0, 5.0], [0.0, 0.0]]);
        assert_eq!(spectral_radius(&nilpotent), 0.0);
    }
}
