//! One step over all parameters.

use super::state::Memory;
use super::{Optimizer, OptimizerState, Step};
use crate::error::{Error, Result};
use crate::param::{Param, ParamId, Params, Role};
use fb_tensor::{Float, Tensor, threads};

/// Has the optimizer change every parameter that is trainable and has a gradient, with the given learning rate.
///
/// Parameters are walked over as one list, split between threads where that pays, so that many small ones cost no more
/// than a large one. Values are written in place, so nothing else should hold them: drop or clear the tape first, or each is copied.
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
/// If a gradient is of a parameter of another network, or a long list has two of one parameter.
pub fn apply<F: Float>(
    optimizer: &(impl Optimizer<F> + ?Sized),
    state: &mut OptimizerState<F>,
    params: &mut Params<F>,
    gradients: &[(ParamId, Tensor<F>)],
    rate: f64,
) -> Result<()> {
    let slots = optimizer.slots();
    check(optimizer.kind(), slots, state, params, gradients, rate)?;
    let mut walk = Walk::new(optimizer, rate);
    let elements: usize = gradients.iter().map(|(_, gradient)| gradient.len()).sum();
    if elements < WORTH_A_LIST {
        for (id, gradient) in gradients {
            let job = walk.job(params.get_mut(*id), state.memory(*id), gradient);
            job.into_iter().for_each(|mut job| job.run(optimizer));
        }
        return Ok(());
    }
    let lists = std::mem::take(&mut state.lists);
    let mut by_param: Vec<Option<&Tensor<F>>> = lists.by_param;
    by_param.resize(params.len(), None);
    for (id, gradient) in gradients {
        let other = by_param[id.index()].replace(gradient);
        assert!(other.is_none(), "two gradients of one parameter");
    }
    let memories = state.memories(params.len());
    let mut jobs: Vec<Job<'_, F>> = lists.jobs;
    let walked = params.iter_mut().zip(memories).zip(&by_param);
    jobs.extend(
        walked.filter_map(|(((_, param), memory), gradient)| walk.job(param, memory, (*gradient)?)),
    );
    threads::for_each_item(&mut jobs, Job::cost, |job| job.run(optimizer));
    let (by_param, jobs) = (emptied(by_param), emptied(jobs));
    state.lists = Lists { by_param, jobs };
    Ok(())
}

/// Fewer numbers are walked over at once: a list of what is to be done would take longer than doing it.
const WORTH_A_LIST: usize = 1 << 14;
/// Rough cost of a number on one core.
const PICOSECONDS: usize = 800;

/// Lists of one step whose memory the next one uses again; empty between steps.
#[derive(Debug)]
pub(super) struct Lists<F: Float> {
    by_param: Vec<Option<&'static Tensor<F>>>,
    jobs: Vec<Job<'static, F>>,
}

impl<F: Float> Default for Lists<F> {
    fn default() -> Self {
        Self {
            by_param: Vec::new(),
            jobs: Vec::new(),
        }
    }
}

/// A copy has lists of its own.
impl<F: Float> Clone for Lists<F> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The list without its items, as one of items that live longer: collecting a list from a list of the same layout stays in its
/// memory.
fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    list.into_iter()
        .map(|_| unreachable!("it is empty"))
        .collect()
}

/// One walk over the parameters. All are usually at the same step, so what depends on its number is found once.
struct Walk<'a, O: ?Sized> {
    optimizer: &'a O,
    rate: f64,
    number: u64,
    corrections: [f64; 2],
}

impl<'a, O: ?Sized> Walk<'a, O> {
    fn new(optimizer: &'a O, rate: f64) -> Self {
        Self {
            optimizer,
            rate,
            number: 0,
            corrections: [1.0; 2],
        }
    }

    /// What is to be done with a parameter; nothing if it is frozen.
    #[inline]
    fn job<'p, F: Float>(
        &mut self,
        param: &'p mut Param<F>,
        memory: &'p mut Memory<F>,
        gradient: &'p Tensor<F>,
    ) -> Option<Job<'p, F>>
    where
        O: Optimizer<F>,
    {
        if !param.trainable() {
            return None;
        }
        let slots = self.optimizer.slots().len();
        if memory.slots.len() < slots {
            memory.slots.resize_with(slots, || gradient.zeros_like());
        }
        memory.steps += 1;
        if memory.steps != self.number {
            self.number = memory.steps;
            self.corrections = self.optimizer.corrections(self.number);
        }
        let step = Step {
            number: self.number,
            rate: self.rate,
            decays: param.role() == Role::Weight,
            corrections: self.corrections,
        };
        Some(Job {
            step,
            value: &mut param.value,
            gradient,
            slots: &mut memory.slots,
        })
    }
}

/// A step on one parameter.
#[derive(Debug)]
struct Job<'p, F: Float> {
    step: Step,
    value: &'p mut Tensor<F>,
    gradient: &'p Tensor<F>,
    slots: &'p mut [Tensor<F>],
}

impl<F: Float> Job<'_, F> {
    fn cost(&self) -> usize {
        self.value.len() * PICOSECONDS / 1000
    }

    #[inline]
    fn run(&mut self, optimizer: &(impl Optimizer<F> + ?Sized)) {
        let value = self.value.make_mut();
        match self.gradient.as_slice() {
            Some(gradient) => optimizer.update(&self.step, value, gradient, self.slots),
            None => optimizer.update(&self.step, value, &self.gradient.to_vec(), self.slots),
        }
    }
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
