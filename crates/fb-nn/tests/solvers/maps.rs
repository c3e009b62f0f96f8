//! Maps with known fixed points, and what all tests do with a solver.

use fb_nn::feedback::solver::{
    Anderson, AnyFixedPointSolver, AnyLinearSolver, Broyden, Damped, Gmres, Map, Neumann, Solution,
};
use fb_nn::{Error, Result};
use fb_tensor::{Float, Tensor};

/// Every solver for fixed points, with settings that suit contractions.
pub(crate) fn solvers() -> Vec<Box<dyn AnyFixedPointSolver>> {
    vec![
        Box::new(Damped::new(0.9)),
        Box::new(Anderson::default()),
        Box::new(Anderson::default().memory(3).mixing(0.7).restart(4)),
        Box::new(Broyden::default()),
        Box::new(Broyden::default().memory(2).backtracks(0)),
    ]
}

/// Every solver for linear systems.
pub(crate) fn linear_solvers() -> Vec<Box<dyn AnyLinearSolver>> {
    vec![
        Box::new(Gmres::default()),
        Box::new(Gmres::default().restart(4)),
        Box::new(Neumann::default()),
        Box::new(Neumann::new(0.8)),
    ]
}

/// Reproducible numbers in [−1, 1).
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (0..count as u64)
        .map(|i| {
            let mixed = (i + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            mixed as f64 / f64::from(1 << 23) - 1.0
        })
        .collect()
}

/// A tensor of such numbers.
pub(crate) fn batch<F: Float>(shape: [usize; 2], seed: u64) -> Tensor<F> {
    Tensor::from_vec(numbers(shape[0] * shape[1], seed), shape).cast()
}

/// A map that does the same to every row of the whole batch, told which row it is.
pub(crate) fn by_row<F: Float>(
    image: impl Fn(usize, &[F]) -> Vec<F>,
) -> impl FnMut(&Tensor<F>, &[usize]) -> Result<Tensor<F>> {
    move |state, rows| {
        assert_eq!(state.dim(0), rows.len(), "a number for each row");
        assert!(rows.is_sorted(), "rows in their order");
        let length = state.len() / rows.len().max(1);
        let values = state.to_vec();
        let images = rows
            .iter()
            .enumerate()
            .flat_map(|(i, &row)| image(row, &values[i * length..(i + 1) * length]));
        Ok(Tensor::from_vec(images.collect::<Vec<F>>(), *state.shape()))
    }
}

/// `M z`, with the matrix row by row.
pub(crate) fn product<F: Float>(matrix: &[f64], z: &[F]) -> Vec<F> {
    matrix
        .chunks_exact(z.len())
        .map(|row| {
            let sum: f64 = row.iter().zip(z).map(|(&m, &z)| m * z.to_f64()).sum();
            F::from_f64(sum)
        })
        .collect()
}

/// `M z + b`
pub(crate) fn affine<F: Float>(matrix: &[f64], b: &[f64], z: &[F]) -> Vec<F> {
    matrix
        .chunks_exact(z.len())
        .zip(b)
        .map(|(row, &b)| {
            let sum: f64 = row.iter().zip(z).map(|(&m, &z)| m * z.to_f64()).sum();
            F::from_f64(b + sum)
        })
        .collect()
}

/// `tanh(W z + b)` with a matrix whose rows have sums of absolute values up to `gain`.
pub(crate) fn tanh_layer<F: Float>(length: usize, gain: f64, seed: u64, z: &[F]) -> Vec<F> {
    let mut weight = numbers(length * length, seed);
    for row in weight.chunks_exact_mut(length) {
        let size: f64 = row.iter().map(|w| w.abs()).sum();
        row.iter_mut().for_each(|w| *w *= gain / size);
    }
    let bias = numbers(length, seed + 1);
    affine(&weight, &bias, z)
        .into_iter()
        .map(|x| F::from_f64(x.to_f64().tanh()))
        .collect()
}

/// A Jordan block.
pub(crate) fn jordan(length: usize, value: f64, above: f64) -> Vec<f64> {
    (0..length * length)
        .map(|at| match (at / length, at % length) {
            (i, j) if i == j => value,
            (i, j) if i + 1 == j => above,
            _ => 0.0,
        })
        .collect()
}

/// The solution of `(I − M) z = b` by elimination with pivots.
pub(crate) fn fixed_point(matrix: &[f64], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let row = (0..n).map(|j| f64::from(i == j) - matrix[i * n + j]);
            row.chain([b[i]]).collect()
        })
        .collect();
    for i in 0..n {
        let pivot = (i..n)
            .max_by(|&a, &b| rows[a][i].abs().total_cmp(&rows[b][i].abs()))
            .expect("a row is left");
        rows.swap(i, pivot);
        let row = rows[i].clone();
        for other in &mut rows[i + 1..] {
            let factor = other[i] / row[i];
            for (x, &y) in other.iter_mut().zip(&row) {
                *x -= factor * y;
            }
        }
    }
    let mut z = vec![0.0; n];
    for i in (0..n).rev() {
        let rest: f64 = (i + 1..n).map(|j| rows[i][j] * z[j]).sum();
        z[i] = (rows[i][n] - rest) / rows[i][i];
    }
    z
}

/// Panics unless the two are that close.
#[track_caller]
pub(crate) fn close<F: Float>(got: &[F], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, &want) in got.iter().zip(want) {
        let error = (got.to_f64() - want).abs();
        assert!(
            error <= tolerance * (1.0 + want.abs()),
            "{what}: {got} is not {want}"
        );
    }
}

/// The bits of a state, so that NaN equals itself.
pub(crate) fn bits<F: Float>(state: &Tensor<F>) -> Vec<u64> {
    state.iter().map(|x| x.to_f64().to_bits()).collect()
}

/// The relative residual of each row, from scratch.
pub(crate) fn residuals<F: Float>(found: &Solution<F>, map: &mut Map<'_, F>) -> Vec<f64> {
    let count = found.state.dim(0);
    let rows: Vec<usize> = (0..count).collect();
    let (z, f) = (
        found.state.to_vec(),
        map(&found.state, &rows).expect("a map that works").to_vec(),
    );
    let length = z.len() / count.max(1);
    let norm = |x: Vec<f64>| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    rows.iter()
        .map(|row| {
            let range = row * length..(row + 1) * length;
            let (z, f) = (&z[range.clone()], &f[range]);
            let gap = z.iter().zip(f).map(|(z, f)| f.to_f64() - z.to_f64());
            norm(gap.collect()) / (norm(f.iter().map(|f| f.to_f64()).collect()) + 1e-9)
        })
        .collect()
}

/// The text of an error.
#[track_caller]
pub(crate) fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("an error").to_string()
}
