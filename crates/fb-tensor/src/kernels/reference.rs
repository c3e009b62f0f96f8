//! The naive twins: loops that are right because they are plain. Tests hold every kernel against them.

use super::gemm::MatRef;
use crate::element::Float;

/// `c = alpha·a·b (+ c)` by the definition, in double precision.
pub(crate) fn product<F: Float>(
    alpha: F,
    a: MatRef<'_, F>,
    b: MatRef<'_, F>,
    accumulate: bool,
    c: &mut [F],
) {
    let at = |m: &MatRef<'_, F>, i: usize, j: usize| {
        let shift = m.row_stride * i as isize + m.column_stride * j as isize;
        m.data[m.offset.wrapping_add_signed(shift)].to_f64()
    };
    for i in 0..a.rows {
        for j in 0..b.columns {
            let sum: f64 = (0..a.columns).map(|p| at(&a, i, p) * at(&b, p, j)).sum();
            let out = &mut c[i * b.columns + j];
            let start = if accumulate { out.to_f64() } else { 0.0 };
            *out = F::from_f64(start + alpha.to_f64() * sum);
        }
    }
}

/// `Σ f(x)` by the definition, in double precision.
pub(crate) fn sum<F: Float>(values: impl IntoIterator<Item = F>, f: impl Fn(f64) -> f64) -> f64 {
    values.into_iter().map(|x| f(x.to_f64())).sum()
}

/// Each row, its mean taken away if `centred`, by its root mean square; times the weight, plus the bias.
pub(crate) fn norm_rows<F: Float>(
    input: &[F],
    weight: &[F],
    bias: &[F],
    centred: bool,
    epsilon: f64,
) -> Vec<f64> {
    let width = weight.len();
    let finish = |(i, x): (usize, f64)| x * weight[i].to_f64() + bias[i].to_f64();
    input
        .chunks(width)
        .flat_map(|row| {
            let (normal, _) = norm_row(row, centred, epsilon);
            normal
                .into_iter()
                .enumerate()
                .map(finish)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// One row without weight and bias, and the factor that its elements were multiplied by.
fn norm_row<F: Float>(row: &[F], centred: bool, epsilon: f64) -> (Vec<f64>, f64) {
    let n = row.len() as f64;
    let mean = if centred {
        row.iter().map(|x| x.to_f64()).sum::<f64>() / n
    } else {
        0.0
    };
    let squares: f64 = row.iter().map(|x| (x.to_f64() - mean).powi(2)).sum();
    let scale = 1.0 / (squares / n + epsilon).sqrt();
    (
        row.iter().map(|x| (x.to_f64() - mean) * scale).collect(),
        scale,
    )
}

/// The gradients of [`norm_rows`] by input, weight and bias.
pub(crate) fn norm_rows_backward<F: Float>(
    input: &[F],
    weight: &[F],
    gradient: &[F],
    centred: bool,
    epsilon: f64,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let width = weight.len();
    let n = width as f64;
    let (mut by_input, mut by_weight, mut by_bias) = (vec![], vec![0.0; width], vec![0.0; width]);
    for (row, g) in input.chunks(width).zip(gradient.chunks(width)) {
        let (normal, scale) = norm_row(row, centred, epsilon);
        let share: Vec<f64> = g
            .iter()
            .zip(weight)
            .map(|(g, w)| g.to_f64() * w.to_f64())
            .collect();
        let plain = if centred {
            share.iter().sum::<f64>() / n
        } else {
            0.0
        };
        let along = share.iter().zip(&normal).map(|(s, x)| s * x).sum::<f64>() / n;
        for i in 0..width {
            by_input.push(scale * (share[i] - plain - normal[i] * along));
            by_weight[i] += g[i].to_f64() * normal[i];
            by_bias[i] += g[i].to_f64();
        }
    }
    (by_input, by_weight, by_bias)
}

/// Rows added one by one where their indices say, but for one index.
pub(crate) fn add_rows<F: Float>(
    values: &[F],
    width: usize,
    indices: &[i64],
    skipped: Option<usize>,
    start: &[F],
) -> Vec<F> {
    let mut sum = start.to_vec();
    for (r, &index) in indices.iter().enumerate() {
        let index = index as usize;
        if Some(index) != skipped {
            for j in 0..width {
                sum[index * width + j] += values[r * width + j];
            }
        }
    }
    sum
}
