//! The gain in the largest element, bounded.

use super::{Parametrization, Site, WeightModule, above_zero};
use crate::error::Result;
use crate::module::Context;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The nearest weights with `Σ |w| ≤ κ` over each unit's inputs, so that no element of the output is more than κ times the
/// largest of the input: `‖W‖∞ ≤ κ`.
///
/// For `z = φ(W z + U x)` with `φ` a rectifier, tanh or another function whose slope is at most 1, κ < 1 gives exactly one
/// equilibrium, which plain iteration reaches; in a graph network `z = φ(W z A + …)` it is κ < 1 / λ(A), `λ` the
/// largest eigenvalue of the adjacency. A unit is a position of the last axis, so that kernels `[…, in, out]` are
/// bounded as operators on maps of any size, stride and padding.
///
/// Weights inside the ball are left alone; of others, each unit's are drawn towards 0 by the same amount, and stop there.
/// The gradient is that of the projection: exact but where a weight has just reached 0.
///
/// # Errors
/// κ is not finite or not above 0, or the parameter is a vector.
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Dense;
/// use fb_nn::parametrization::InfinityNormBall;
/// let mut network = Sequential::input([8]).layer("hidden", Dense::new(8)).build()?;
/// network.params_mut().parametrize("hidden/weight", InfinityNormBall { kappa: 0.9 })?;
/// let sums = network.params().weight("hidden/weight").unwrap().abs().sum_axes(&[0], false);
/// assert!(sums.max() <= 0.9001);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// F. Gu, H. Chang, W. Zhu, S. Sojoudi, L. El Ghaoui, "Implicit graph neural networks", NeurIPS 2020, section 4.3, for the
/// bound; J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, "Efficient projections onto the l1-ball for learning in high
/// dimensions", ICML 2008, equation 3, for the projection; C. Michelot, "A finite algorithm for finding the projection of
/// a point onto the canonical simplex of Rⁿ", 1986, for how it is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfinityNormBall {
    /// The bound κ.
    pub kappa: f64,
}

impl Parametrization for InfinityNormBall {
    const KIND: &'static str = "InfinityNormBall";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        above_zero(site, "kappa", self.kappa)?;
        if site.shape().len() < 2 {
            return Err(site.error(
                "a matrix [in, out] or a kernel [..., in, out]",
                site.shape().to_string(),
                "",
            ));
        }
        Ok(Arc::new(*self))
    }
}

impl<F: Float> WeightModule<F> for InfinityNormBall {
    fn weight(&self, _cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        let thresholds = thresholds(raw.tensor(), self.kappa);
        if thresholds.iter().all(Option::is_none) {
            return raw.clone();
        }
        let outside = raw.tensor().contiguous();
        let units = thresholds.len();
        let shrunk = Tensor::filled_by(*raw.shape(), |out| {
            let elements = out.iter_mut().zip(outside.iter()).enumerate();
            for (position, (y, x)) in elements {
                *y = match thresholds[position % units] {
                    Some(threshold) => shrink(x, threshold),
                    None => x,
                };
            }
        });
        let weight = shrunk.clone();
        Var::custom("infinity_norm_ball", &[raw], shrunk, move |gradient| {
            vec![Some(through(gradient, &weight, &thresholds))]
        })
    }
}

/// `x` drawn towards 0 by `threshold`, and no farther.
fn shrink<F: Float>(x: F, threshold: F) -> F {
    let left = x.abs() - threshold;
    F::select(left > F::ZERO, F::select(x > F::ZERO, left, -left), F::ZERO)
}

/// How far each unit's weights must be drawn towards 0 for their sizes to add up to κ; `None` for those that do without.
fn thresholds<F: Float>(weight: &Tensor<F>, kappa: f64) -> Vec<Option<F>> {
    let units = weight.dim(weight.rank() - 1);
    let weight = weight.contiguous();
    let sizes: Vec<f64> = weight.iter().map(|x| x.abs().to_f64()).collect();
    let of_unit = |unit: usize| sizes.iter().skip(unit).step_by(units);
    let threshold = |unit: usize| {
        let total: f64 = of_unit(unit).sum();
        // A NaN is not outside: it stays, to be seen.
        if total.is_nan() || total <= kappa {
            return None;
        }
        // With some weights left out, the others must give more: the threshold only rises, and few rounds are needed.
        let mut threshold = (total - kappa) / (sizes.len() / units) as f64;
        loop {
            let kept = of_unit(unit).filter(|size| **size > threshold);
            let (sum, count) = kept.fold((0.0, 0), |(sum, count), size| (sum + size, count + 1));
            let next = (sum - kappa) / f64::from(count.max(1));
            if count == 0 || next.is_nan() || next <= threshold {
                return Some(F::from_f64(threshold));
            }
            threshold = next;
        }
    };
    (0..units).map(threshold).collect()
}

/// The gradient through the projection onto `weight`: on each face of the ball a projection itself, which takes out of the
/// gradient what would move the sum of sizes.
fn through<F: Float>(
    gradient: &Tensor<F>,
    weight: &Tensor<F>,
    thresholds: &[Option<F>],
) -> Tensor<F> {
    let units = thresholds.len();
    let sign = |w: F| {
        F::select(
            w > F::ZERO,
            F::ONE,
            F::select(w < F::ZERO, -F::ONE, F::ZERO),
        )
    };
    let mut outward = vec![(0.0, 0.0); units];
    for (position, (g, w)) in gradient.iter().zip(weight.iter()).enumerate() {
        if w != F::ZERO {
            let (sum, count) = &mut outward[position % units];
            *sum += (g * sign(w)).to_f64();
            *count += 1.0;
        }
    }
    Tensor::filled_by(*weight.shape(), |out| {
        let elements = out.iter_mut().zip(gradient.iter().zip(weight.iter()));
        for (position, (share, (g, w))) in elements.enumerate() {
            let unit = position % units;
            *share = match thresholds[unit] {
                None => g,
                Some(_) if w == F::ZERO => F::ZERO,
                Some(_) => {
                    let (sum, count) = outward[unit];
                    g - sign(w) * F::from_f64(sum / count)
                }
            };
        }
    })
}
