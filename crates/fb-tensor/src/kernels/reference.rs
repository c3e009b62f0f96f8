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
