//! Weights with exactly one equilibrium, at any gain.

use super::{Parametrization, Site, WeightModule, above_zero};
use crate::error::Result;
use crate::module::Context;
use crate::param::{ParamId, Role};
use crate::spectrum::largest_eigenvalue;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A square matrix `W = (1 − m) I − AᵀA + B − Bᵀ`, whose symmetric part is nowhere above `1 − m`.
///
/// Then `z = φ(W z + U x)` has exactly one solution for every margin `m > 0` and every `φ` that is the proximal operator of
/// a convex function, as rectifiers, tanh and sigmoid are, although the gain `‖W‖` may be far above 1. Plain iteration need
/// not find it: it takes damping by less than `2m / ‖I − W‖²` (forward–backward splitting), or Peaceman–Rachford splitting.
///
/// The stored value is `A`; `B` stands beside it as `….skew`. Every `W` with that bound is made of some `A` and `B`: a weight
/// within it is kept as it is, and one beyond it loses the least multiple of `I` that brings it there.
///
/// # Errors
/// The margin is not finite or not above 0, or the parameter is not a square matrix.
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Dense;
/// use fb_nn::parametrization::Monotone;
/// let mut network = Sequential::input([8]).layer("hidden", Dense::new(8)).build()?;
/// network.params_mut().parametrize("hidden/weight", Monotone { margin: 0.1 })?;
/// assert_eq!(network.params().by_name("hidden/weight.skew").unwrap().value.dims(), [8, 8]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// E. Winston, J. Z. Kolter, "Monotone operator equilibrium networks", NeurIPS 2020, proposition 1 and equation 8.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monotone {
    /// How far the symmetric part stays below 1.
    pub margin: f64,
}

impl Parametrization for Monotone {
    const KIND: &'static str = "Monotone";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        above_zero(site, "margin", self.margin)?;
        let &[n, columns] = &*site.shape() else {
            return Err(not_square(site));
        };
        if n != columns {
            return Err(not_square(site));
        }
        let w = site.value().to_f64();
        let turned = w.transpose();
        // What AᵀA must be: symmetric, and to be lifted by as much as its lowest eigenvalue is below 0.
        let mut gram = Tensor::<f64>::eye_of(n) * (1.0 - self.margin) - (&w + &turned) * 0.5;
        let lowest = largest_eigenvalue(n, 1e-10, |x| {
            let x = Tensor::from_vec(x.to_vec(), [1, n]);
            (x.matmul(&gram) * -1.0).to_vec()
        });
        let lift = (lowest.value + lowest.residual).max(0.0);
        gram = gram + Tensor::<f64>::eye_of(n) * lift;
        site.start_from(root(&gram).cast());
        let skew = ((&w - &turned) * 0.25).cast();
        let skew = site.part("skew", skew, Role::Weight)?;
        Ok(Arc::new(MonotoneModule {
            skew,
            diagonal: 1.0 - self.margin,
        }))
    }
}

fn not_square<F: Float>(site: &Site<'_, F>) -> crate::Error {
    site.error(
        "a square matrix",
        site.shape().to_string(),
        "parametrise the weight of a layer, or of a feedback edge from a layer to itself, with as many outputs as inputs",
    )
}

/// An upper triangular `A` with `AᵀA` the given matrix, which has no eigenvalue below 0 but for rounding (Cholesky).
fn root(gram: &Tensor<f64>) -> Tensor<f64> {
    let n = gram.dim(0);
    let largest = (0..n).map(|i| gram.at(&[i, i])).fold(0.0, f64::max);
    let mut a = vec![0.0; n * n];
    for row in 0..n {
        for column in row..n {
            let known: f64 = (0..row).map(|k| a[k * n + row] * a[k * n + column]).sum();
            let left = gram.at(&[row, column]) - known;
            let pivot = a[row * n + row];
            a[row * n + column] = match column == row {
                true => left.max(0.0).sqrt(),
                // Where the pivot is rounding, so is all that stands beside it.
                false if pivot * pivot <= 1e-12 * largest => 0.0,
                false => left / pivot,
            };
        }
    }
    Tensor::from_vec(a, [n, n])
}

#[derive(Debug)]
struct MonotoneModule {
    skew: ParamId,
    diagonal: f64,
}

impl<F: Float> WeightModule<F> for MonotoneModule {
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        let skew = cx.param(self.skew);
        let diagonal = Tensor::eye_of(raw.shape()[0]) * F::from_f64(self.diagonal);
        let gram = raw.transpose().matmul(raw);
        Var::constant(diagonal) - gram + &skew - skew.transpose()
    }
}
