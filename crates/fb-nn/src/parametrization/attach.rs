//! Parametrisations on the parameters of a network.

use super::{AnyParametrization, Parametrization, Site, WeightModule};
use crate::error::{Error, Result};
use crate::module::{Context, Scope};
use crate::param::{ParamId, Params, Role};
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// A parametrisation on its parameter.
#[derive(Clone, Debug)]
pub(crate) struct Attached<F: Float> {
    pub(crate) id: ParamId,
    /// What it has made beside the parameter.
    pub(crate) parts: Vec<ParamId>,
    declared: Arc<dyn AnyParametrization>,
    pub(crate) module: Arc<dyn WeightModule<F>>,
}

impl<F: Float> Params<F> {
    /// Has layers see, instead of each parameter whose name matches, what the parametrisation makes of it; returns how many
    /// there are. Patterns are those of [`Params::freeze`]; what other parametrisations made is left out.
    ///
    /// The weights stay what they are, as far as the bound allows. On an error nothing has changed. An optimizer that has
    /// taken steps with these parameters should start anew: what it remembers is of the weights, not of what is stored now.
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::layers::Dense;
    /// use fb_nn::parametrization::WeightNorm;
    /// let mut network = Sequential::input([3]).layer("hidden", Dense::new(2)).build()?;
    /// let before = network.params().weight("hidden/weight").unwrap();
    /// assert_eq!(network.params_mut().parametrize("*/weight", WeightNorm)?, 1);
    /// assert!(network.params().id("hidden/weight.magnitude").is_some());
    /// let after = network.params().weight("hidden/weight").unwrap();
    /// assert!((before - after).abs().max() < 1e-6);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Nothing matches, a parameter is a buffer, is parametrised already or holds a NaN or infinity, or the parametrisation
    /// does not fit it.
    pub fn parametrize(&mut self, pattern: &str, kind: impl Parametrization) -> Result<usize> {
        let mut ids = self.matching(pattern)?;
        ids.retain(|id| !self.attached().iter().any(|at| at.parts.contains(id)));
        let kind: Arc<dyn AnyParametrization> = Arc::new(kind);
        self.attach_all(&ids, &kind, Scope::<F>::MOST_NUMBERS)
    }

    /// [`Params::parametrize`] of one parameter by its full name, with a kind that is known at run time and may make so
    /// many numbers.
    ///
    /// # Errors
    /// As [`Params::parametrize`], or it would need more numbers.
    pub fn parametrize_one(
        &mut self,
        name: &str,
        kind: &Arc<dyn AnyParametrization>,
        numbers: usize,
    ) -> Result<()> {
        let Some(id) = self.id(name) else {
            return Err(Error::UnknownName {
                what: format!("a {} parametrisation", kind.kind()),
                kind: "parameter",
                name: name.to_owned(),
                help: "it belongs to another network".to_owned(),
            });
        };
        self.attach_all(&[id], kind, numbers).map(drop)
    }

    fn attach_all(
        &mut self,
        ids: &[ParamId],
        kind: &Arc<dyn AnyParametrization>,
        numbers: usize,
    ) -> Result<usize> {
        let mut changed = self.clone();
        for &id in ids {
            let mut site = Site {
                id,
                parts: Vec::new(),
                kind: kind.kind(),
                room: numbers,
                params: &mut changed,
            };
            site.check()?;
            let module = kind.build(&mut site)?;
            let parts = site.parts;
            changed.attach(Attached {
                id,
                parts,
                declared: kind.clone(),
                module,
            });
        }
        *self = changed;
        Ok(ids.len())
    }

    /// The parametrised parameters in the order in which they became so: name and parametrisation.
    pub fn parametrizations(&self) -> impl Iterator<Item = (&str, &Arc<dyn AnyParametrization>)> {
        let attached = self.attached().iter();
        attached.map(|at| (self.get(at.id).name(), &at.declared))
    }

    /// Names, kinds and configurations of all parametrisations, for [`Registry::parametrize`](crate::Registry::parametrize).
    ///
    /// # Errors
    /// A configuration does not serialise.
    pub fn parametrizations_to_json(&self) -> Result<serde_json::Value> {
        let list = self.parametrizations().map(|(name, declared)| {
            let config = declared.config()?;
            Ok(serde_json::json!({ "parameter": name, "kind": declared.kind(), "config": config }))
        });
        Ok(serde_json::Value::Array(list.collect::<Result<_>>()?))
    }

    /// The weight that layers see in evaluation under this name: the value, or what a parametrisation makes of it.
    pub fn weight(&self, name: &str) -> Option<Tensor<F>> {
        let id = self.id(name)?;
        Some(Context::eval(self).param(id).into_tensor())
    }
}

impl<F: Float> Site<'_, F> {
    /// Refuses parameters that no parametrisation can be for.
    fn check(&self) -> Result<()> {
        let param = self.params.get(self.id);
        let (expected, found) = if self.params.attached_to(self.id).is_some() {
            ("a parameter without one", "a parametrised one")
        } else if param.role() == Role::Buffer {
            ("a parameter that is trained", "a buffer")
        } else if param.value.is_empty() {
            ("a parameter with elements", "none")
        } else if !param.value.is_all_finite() {
            ("finite numbers", "NaN or an infinity")
        } else {
            return Ok(());
        };
        Err(self.error(
            expected,
            found,
            "name others with the pattern, such as \"hidden/weight\"",
        ))
    }
}
