//! Weights that are made of others: what optimizers change is a stored value, and what layers see is a function of it
//! that keeps a bound, whatever the optimizer does.
//!
//! A loop forgets its start and settles only while its weights are small enough in one sense or another. Clipping them
//! after each step fights the optimizer; a parametrisation has gradients flow through the bound instead.
//!
//! | kind | the weight | bounds |
//! |---|---|---|
//! | [`SpectralNorm`] | `W · bound / σ(W)` | the gain in the Euclidean norm, of convolutions as operators on maps |
//! | [`InfinityNormBall`] | the nearest with `Σ \|w\| ≤ κ` for each unit | the gain in the largest element |
//! | [`Monotone`] | `(1 − m) I − AᵀA + B − Bᵀ` | makes the equilibrium unique, at any gain |
//! | [`DiagonalDecay`] | `exp(−softplus(Δ) · exp(A))` | decays between 0 and 1 |
//! | [`Orthogonal`] | `base · exp(A − Aᵀ)` | keeps lengths exactly |
//! | [`WeightNorm`] | `g · v / ‖v‖` | nothing, but learns lengths and directions apart |
//!
//! [`Params::parametrize`] attaches one to all parameters whose names match. Layers need not know: they ask the
//! [`Context`] for a parameter and are given the weight.
//!
//! ```
//! use fb_nn::feedback::schedule::Unroll;
//! use fb_nn::layers::{Activation::Tanh, Dense};
//! use fb_nn::parametrization::SpectralNorm;
//! use fb_nn::Sequential;
//!
//! let mut network = Sequential::input([4])
//!     .layer("hidden", Dense::new(16).activation(Tanh))
//!     .layer("output", Dense::new(2))
//!     .feedback("hidden", "hidden")
//!     .schedule(Unroll::iterations(8))
//!     .build()?;
//! // A loop whose gain is below 1 has one fixed point and reaches it from anywhere.
//! network.params_mut().parametrize("feedback/hidden->hidden/weight", SpectralNorm::at_most(0.9))?;
//! # Ok::<(), fb_nn::Error>(())
//! ```
//!
//! What a kind needs beside the stored value stands in [`Params`] too, under names such as `hidden/weight.magnitude`: it
//! is trained, saved and frozen with the parameter. Penalties and weight decay see what is stored. In files the kinds
//! stand by name ([`Registry::parametrize`](crate::Registry::parametrize)); a kind of your own needs the trait
//! [`Parametrization`] and a [`WeightModule`].

mod attach;
mod diagonal_decay;
mod infinity_norm_ball;
mod monotone;
mod operator;
mod orthogonal;
mod site;
mod spectral_norm;
mod weight_norm;

pub(crate) use attach::Attached;
pub use diagonal_decay::DiagonalDecay;
pub use infinity_norm_ball::InfinityNormBall;
pub use monotone::Monotone;
pub use orthogonal::Orthogonal;
pub use site::Site;
pub use spectral_norm::SpectralNorm;
pub use weight_norm::WeightNorm;

use crate::error::{Error, Result};
use crate::module::Context;
#[cfg(doc)]
use crate::param::Params;
use crate::registry::Registry;
use fb_autograd::Var;
use fb_tensor::Float;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The configuration of a parametrisation: plain serialisable data, without element type.
pub trait Parametrization:
    Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The name of the kind in files, such as `"SpectralNorm"`.
    const KIND: &'static str;

    /// Checks the configuration against the parameter and makes what is needed beside it. The parameter's value is the
    /// weight that the layer has started from: change it to a stored value of which a weight like it is made.
    ///
    /// # Errors
    /// The configuration is not possible, or not for this parameter.
    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>>;
}

/// What makes a weight of a stored value, differentiably.
pub trait WeightModule<F: Float>: Debug + Send + Sync {
    /// The weight that layers see, in the shape of `raw`, the stored value. What the parametrisation has made beside it is
    /// asked of the context: [`Context::param`] and [`Context::buffer`].
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F>;
}

/// A [`Parametrization`] of any type. Implemented for every parametrisation.
pub trait AnyParametrization: Debug + Send + Sync {
    /// The name of the kind in files.
    fn kind(&self) -> &'static str;

    /// The configuration as JSON.
    ///
    /// # Errors
    /// It does not serialise.
    fn config(&self) -> Result<serde_json::Value>;

    #[doc(hidden)]
    fn build_f32(&self, site: &mut Site<'_, f32>) -> Result<Arc<dyn WeightModule<f32>>>;

    #[doc(hidden)]
    fn build_f64(&self, site: &mut Site<'_, f64>) -> Result<Arc<dyn WeightModule<f64>>>;
}

impl<P: Parametrization> AnyParametrization for P {
    fn kind(&self) -> &'static str {
        P::KIND
    }

    fn config(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::Format {
            place: format!("the configuration of {}", P::KIND),
            reason: error.to_string(),
            help: "configurations are plain data: numbers, texts, lists and enums".to_owned(),
        })
    }

    fn build_f32(&self, site: &mut Site<'_, f32>) -> Result<Arc<dyn WeightModule<f32>>> {
        self.build(site)
    }

    fn build_f64(&self, site: &mut Site<'_, f64>) -> Result<Arc<dyn WeightModule<f64>>> {
        self.build(site)
    }
}

impl dyn AnyParametrization {
    /// Builds for the element type `F`: one of two, so the right one is found by its type id.
    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        // A site borrows, so it has no type id; the functions have.
        type Build<F> =
            fn(&dyn AnyParametrization, &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>>;
        let single: Build<f32> = |this, site| this.build_f32(site);
        let double: Build<f64> = |this, site| this.build_f64(site);
        let builds: [&dyn Any; 2] = [&single, &double];
        let build = builds
            .iter()
            .find_map(|build| build.downcast_ref::<Build<F>>())
            .expect("Float is sealed: f32 or f64");
        build(self, site)
    }
}

/// Makes every parametrisation of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_parametrization::<DiagonalDecay>()
        .register_parametrization::<InfinityNormBall>()
        .register_parametrization::<Monotone>()
        .register_parametrization::<Orthogonal>()
        .register_parametrization::<SpectralNorm>()
        .register_parametrization::<WeightNorm>();
}

/// Refuses numbers that are not finite or not above 0.
fn above_zero<F: Float>(site: &Site<'_, F>, what: &str, x: f64) -> Result<()> {
    if x > 0.0 && x.is_finite() {
        return Ok(());
    }
    Err(site.error(format!("a finite {what} above 0"), x.to_string(), ""))
}
