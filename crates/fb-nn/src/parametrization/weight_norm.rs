//! Lengths and directions learned apart.

use super::{Parametrization, Site, WeightModule};
use crate::error::Result;
use crate::module::Context;
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Each unit's weights as a length and a direction: `w = g · v / ‖v‖`.
///
/// The stored value is `v`; the length `g` of each unit stands beside it as `….magnitude`, and starts from the length of the
/// weights. A unit is a position of the last axis: a column of dense weights `[in, out]`, a filter of kernels
/// `[…, in, out]`, as with `dim=0` in PyTorch, whose `original0` is the magnitude here and `original1` the stored value.
///
/// # Errors
/// A unit's weights are all 0: they have no direction.
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Dense;
/// use fb_nn::parametrization::WeightNorm;
/// let mut network = Sequential::input([3]).layer("hidden", Dense::new(2)).build()?;
/// network.params_mut().parametrize("hidden/weight", WeightNorm)?;
/// assert_eq!(network.params().by_name("hidden/weight.magnitude").unwrap().value.dims(), [2]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// T. Salimans, D. Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep neural
/// networks", NeurIPS 2016, equation 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightNorm;

impl Parametrization for WeightNorm {
    const KIND: &'static str = "WeightNorm";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        let shape = site.shape();
        let Some((&units, before)) = shape.split_last().filter(|(_, before)| !before.is_empty())
        else {
            return Err(site.error(
                "a matrix [in, out] or a kernel [..., in, out]",
                shape.to_string(),
                "a vector has one number for each unit: there is nothing to part",
            ));
        };
        let axes: Vec<usize> = (0..before.len()).collect();
        let lengths = site.value().square().sum_axes(&axes, false).sqrt();
        if let Some(unit) = lengths.iter().position(|length| length == F::ZERO) {
            return Err(site.error(
                "weights with a direction",
                format!("zeros only for unit {unit}"),
                "start from another initializer than zeros",
            ));
        }
        debug_assert_eq!(lengths.dims(), [units]);
        let magnitude = site.part("magnitude", lengths, Role::Scale)?;
        Ok(Arc::new(WeightNormModule { magnitude, axes }))
    }
}

#[derive(Debug)]
struct WeightNormModule {
    magnitude: ParamId,
    /// All but the last.
    axes: Vec<usize>,
}

impl<F: Float> WeightModule<F> for WeightNormModule {
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        let length = (raw * raw).sum_axes(&self.axes, false).sqrt();
        raw * &(cx.param(self.magnitude) / length)
    }
}
