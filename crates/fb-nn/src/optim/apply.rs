//! One step over all parameters.

use super::{Optimizer, OptimizerState, Step};
use crate::error::{Error, Result};
use crate::param::{ParamId, Params, Role};
use fb_tensor::{Float, Tensor};

/// Has the optimizer change every parameter that is trainable and has a gradient, with the given learning rate.
///
/// Values are written in place, so nothing else should hold them: drop or clear the tape first, or each is copied.
///
/// ```
/// use fb_nn::optim::{self, OptimizerState, Sgd};
/// use fb_nn::param::{Params, Role};
/// use fb_tensor::Tensor;
///
/// let mut params = Params::new();
/// let id = params.insert("hidden/weight", Tensor::from([[1.0, 2.0]]), Role::Weight)?;
/// let mut state = OptimizerState::new();
/// let gradients = [(id, Tensor::from([[10.0, 0.0]]))];
/// optim::apply(&Sgd::new(0.1), &mut state, &mut params, &gradients, 0.1)?;
/// assert_eq!(params.get(id).value.to_vec(), [0.0, 2.0]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Errors
/// The rate is negative or not finite, a gradient has another shape than its parameter, or the state is another
/// optimizer's. Then nothing has changed.
///
/// # Panics
/// If a gradient is of a parameter of another network.
pub fn apply<F: Float>(
    optimizer: &(impl Optimizer<F> + ?Sized),
    state: &mut OptimizerState<F>,
    params: &mut Params<F>,
    gradients: &[(ParamId, Tensor<F>)],
    rate: f64,
) -> Result<()> {
    let slots = optimizer.slots();
    check(optimizer.kind(), slots, state, params, gradients, rate)?;
    // All parameters are usually at the same step, so these are found once.
    let (mut number, mut corrections) = (0, [1.0; 2]);
    for (id, gradient) in gradients {
        let param = params.get_mut(*id);
        if !param.trainable() {
            continue;
        }
        let memory = state.memory(*id);
        if memory.slots.len() < slots.len() {
            memory
                .slots
                .resize_with(slots.len(), || gradient.zeros_like());
        }
        memory.steps += 1;
        if memory.steps != number {
            number = memory.steps;
            corrections = optimizer.corrections(number);
        }
        let step = Step {
            number,
            rate,
            decays: param.role() == Role::Weight,
            corrections,
        };
        let value = param.value.make_mut();
        match gradient.as_slice() {
            Some(gradient) => optimizer.update(&step, value, gradient, &mut memory.slots),
            None => optimizer.update(&step, value, &gradient.to_vec(), &mut memory.slots),
        }
    }
    Ok(())
}

fn check<F: Float>(
    kind: &str,
    slots: &[&str],
    state: &OptimizerState<F>,
    params: &Params<F>,
    gradients: &[(ParamId, Tensor<F>)],
    rate: f64,
) -> Result<()> {
    if !(rate >= 0.0 && rate.is_finite()) {
        return Err(Error::Config {
            what: format!("the learning rate of this {kind} step"),
            expected: "a finite number from 0 on".to_owned(),
            found: rate.to_string(),
            help: "a schedule's rates end at 0, not below".to_owned(),
        });
    }
    for (id, gradient) in gradients {
        let param = params.get(*id);
        if gradient.shape() != param.value.shape() {
            return Err(Error::Data {
                place: format!("the gradient of {:?}", param.name()),
                expected: format!("shape {}, like the parameter", param.value.shape()),
                found: format!("shape {}", gradient.shape()),
                help: String::new(),
            });
        }
        if let Some(memory) = state.get(*id)
            && (memory.slots.len() != slots.len()
                || memory
                    .slots
                    .iter()
                    .any(|slot| slot.shape() != gradient.shape()))
        {
            return Err(Error::Data {
                place: format!("the {kind} state of {:?}", param.name()),
                expected: format!("{} tensors of shape {}", slots.len(), gradient.shape()),
                found: format!(
                    "{} that another optimizer or network left",
                    memory.slots.len()
                ),
                help: "start from OptimizerState::new()".to_owned(),
            });
        }
    }
    Ok(())
}
