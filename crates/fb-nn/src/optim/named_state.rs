//! An optimizer's memory by name, on its way into or out of a checkpoint.

use super::{Optimizer, OptimizerState};
use crate::error::{Error, Result};
use crate::param::{Params, StateDict};
use fb_tensor::Float;
use std::collections::BTreeMap;

/// An [`OptimizerState`] with names instead of positions: what a checkpoint holds.
///
/// Parameters without a step behind them are left out.
#[derive(Clone, Debug)]
pub struct NamedState<F: Float = f32> {
    /// The kind of the optimizer.
    pub kind: String,
    /// How many steps were made on each parameter, by its name.
    pub steps: BTreeMap<String, u64>,
    /// The tensors in the slots, by the parameter's name and the slot's, such as `"hidden1/weight/m"`.
    pub slots: StateDict<F>,
}

impl<F: Float> OptimizerState<F> {
    /// The state by name. Tensors are shared, not copied.
    ///
    /// ```
    /// use fb_nn::optim::{self, Adam, OptimizerState};
    /// use fb_nn::param::{Params, Role};
    /// use fb_tensor::Tensor;
    ///
    /// let mut params = Params::new();
    /// let id = params.insert("hidden1/weight", Tensor::zeros([2]), Role::Weight)?;
    /// let (adam, mut state) = (Adam::new(0.1), OptimizerState::new());
    /// optim::apply(&adam, &mut state, &mut params, &[(id, Tensor::ones([2]))], 0.1)?;
    /// let named = state.to_named(&adam, &params);
    /// assert!(named.slots.keys().eq(["hidden1/weight/m", "hidden1/weight/v"]));
    /// let back = OptimizerState::from_named(&named, &adam, &params)?;
    /// assert_eq!(back.steps(id), 1);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    pub fn to_named(
        &self,
        optimizer: &(impl Optimizer<F> + ?Sized),
        params: &Params<F>,
    ) -> NamedState<F> {
        let mut named = NamedState {
            kind: optimizer.kind().to_owned(),
            steps: BTreeMap::new(),
            slots: StateDict::new(),
        };
        for (id, param) in params.iter() {
            let Some(memory) = self.get(id) else {
                continue;
            };
            named.steps.insert(param.name().to_owned(), memory.steps);
            for (slot, tensor) in optimizer.slots().iter().zip(&memory.slots) {
                named
                    .slots
                    .insert(format!("{}/{slot}", param.name()), tensor.clone());
            }
        }
        named
    }

    /// The state that [`OptimizerState::to_named`] gave, for the same optimizer and parameters.
    ///
    /// # Errors
    /// It is another optimizer's or another network's.
    pub fn from_named(
        named: &NamedState<F>,
        optimizer: &(impl Optimizer<F> + ?Sized),
        params: &Params<F>,
    ) -> Result<Self> {
        if named.kind != optimizer.kind() {
            let expected = format!("that of {}", optimizer.kind());
            let help = "compile with the optimizer that the checkpoint was written with";
            return Err(misfit(
                "the optimizer state".to_owned(),
                expected,
                format!("that of {}", named.kind),
                help,
            ));
        }
        let mut state = Self::new();
        let mut used = 0;
        for (name, &steps) in &named.steps {
            let Some(id) = params.id(name).filter(|_| steps > 0) else {
                let help = "resume with the network that the checkpoint was written with";
                let found = format!("{steps} steps on {name:?}");
                return Err(misfit(
                    "the optimizer state".to_owned(),
                    "steps on known parameters".to_owned(),
                    found,
                    help,
                ));
            };
            let shape = *params.get(id).value.shape();
            let memory = state.memory(id);
            memory.steps = steps;
            for slot in optimizer.slots() {
                let full = format!("{name}/{slot}");
                let tensor = named.slots.get(&full).filter(|tensor| *tensor.shape() == shape).ok_or_else(|| {
                    let found = named.slots.get(&full).map_or("none".to_owned(), |t| format!("shape {}", t.shape()));
                    let help = "the settings of the optimizer decide what it remembers; use the same as before";
                    misfit(format!("optimizer state {full:?}"), format!("a tensor of shape {shape}"), found, help)
                })?;
                memory.slots.push(tensor.clone());
                used += 1;
            }
        }
        if used != named.slots.len() {
            let found = format!("{}", named.slots.len());
            let help =
                "the settings of the optimizer decide what it remembers; use the same as before";
            return Err(misfit(
                "the optimizer state".to_owned(),
                format!("{used} tensors"),
                found,
                help,
            ));
        }
        Ok(state)
    }
}

fn misfit(place: String, expected: String, found: String, help: &str) -> Error {
    Error::Data {
        place,
        expected,
        found,
        help: help.to_owned(),
    }
}
