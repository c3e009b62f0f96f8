//! What a loop remembers: a value that is passed in and handed back.

use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a network's edges carry between two ticks: one register for each edge with a delay.
///
/// A state is a value. It is given to a run and handed back by it, can be cut off the tape, stored, gathered by rows and
/// started anew for some rows, and nothing of it hides in layers. A state belongs to networks with the same edges.
///
/// ```
/// use fb_nn::feedback::network::RunOptions;
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
///
/// let network = Sequential::input([2])
///     .layer("hidden", Dense::new(3).activation(Activation::Tanh))
///     .feedback("hidden", "hidden")
///     .schedule(Unroll::iterations(4))
///     .build()?;
/// let x = Tensor::from([[1.0, -1.0], [0.5, 0.0]]);
/// let mut cx = Context::eval(network.params());
/// let whole = network.forward(&mut cx, x.clone())?;
///
/// // The same in two halves.
/// let half = RunOptions { schedule: Some(&Unroll::iterations(2)), ..RunOptions::default() };
/// let first = network.run(&mut cx, x.clone(), &half)?;
/// let state = Some(first.into_state());
/// let second = network.run(&mut cx, x, &RunOptions { state, ..half })?;
/// assert_eq!(second.last().as_float().unwrap().tensor(), whole.as_float().unwrap().tensor());
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a state that is dropped is a loop that starts anew"]
pub struct State<F: Float = f32> {
    registers: Vec<Register<F>>,
    layout: Arc<Layout>,
    /// How many ticks led to it: part of the position of what is drawn at the next one.
    ticks: usize,
}

/// What the registers of a network are for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) registers: Vec<RegisterLayout>,
}

/// One register: the past values of an edge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RegisterLayout {
    /// `output->hidden1`
    pub(super) name: String,
    /// The shape of a sample.
    pub(super) shape: Shape,
    /// How many past values are kept.
    pub(super) depth: usize,
}

/// The past values of an edge, newest first. What is missing is the edge's initial value.
pub(super) type Register<F> = VecDeque<Var<F>>;

impl<F: Float> State<F> {
    /// The state before the first tick.
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        let registers = layout
            .registers
            .iter()
            .map(|register| VecDeque::with_capacity(register.depth))
            .collect();
        Self {
            registers,
            layout,
            ticks: 0,
        }
    }

    /// How many ticks led to it, those of loops inside steps among them. What the next tick draws at random depends on it, so
    /// that a run in pieces is the run as a whole.
    pub fn ticks(&self) -> usize {
        self.ticks
    }

    /// Notes that a tick has passed.
    pub(super) fn advance(&mut self) {
        self.ticks += 1;
    }

    /// What the edge's source gave so many ticks ago, if it has.
    #[inline]
    pub(super) fn get(&self, register: usize, delay: usize) -> Option<&Var<F>> {
        self.registers[register].get(delay - 1)
    }

    /// Notes what the edge's source gives at this tick.
    #[inline]
    pub(super) fn push(&mut self, register: usize, value: Var<F>) {
        let depth = self.layout.registers[register].depth;
        let past = &mut self.registers[register];
        past.truncate(depth - 1);
        past.push_front(value);
    }

    /// Forgets what an edge carries.
    pub(super) fn clear(&mut self, register: usize) {
        self.registers[register].clear();
    }

    pub(super) fn register(&self, register: usize) -> &Register<F> {
        &self.registers[register]
    }

    pub(super) fn register_mut(&mut self, register: usize) -> &mut Register<F> {
        &mut self.registers[register]
    }

    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The values that are there, in the order of registers, newest first.
    pub fn values(&self) -> impl Iterator<Item = &Var<F>> {
        self.registers.iter().flatten()
    }

    /// Puts other values in the places of those that are there.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn with_values(&self, values: impl IntoIterator<Item = Var<F>>) -> Self {
        let mut values = values.into_iter();
        let registers = self
            .registers
            .iter()
            .map(|register| {
                let next = register
                    .iter()
                    .map(|_| values.next().expect("one value for each that is there"));
                next.collect()
            })
            .collect();
        assert!(values.next().is_none(), "one value for each that is there");
        Self {
            registers,
            layout: self.layout.clone(),
            ticks: self.ticks,
        }
    }

    /// How many samples it is of; `None` before the first tick.
    pub fn rows(&self) -> Option<usize> {
        Some(self.values().next()?.shape()[0])
    }

    /// The names of the edges with a register, such as `output->hidden1`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layout.registers.iter().map(|r| r.name.as_str())
    }

    /// Cuts it off the tape: gradients of later runs stop here.
    #[must_use = "the state itself stays on the tape"]
    pub fn detached(&self) -> Self {
        self.with_values(self.values().map(Var::detach))
    }

    /// Cuts it off the tape in place.
    pub(super) fn detach(&mut self) {
        for value in self.registers.iter_mut().flatten() {
            if value.requires_grad() {
                *value = value.detach();
            }
        }
    }

    /// The state of some of the samples, in the given order; a sample can come several times.
    ///
    /// # Panics
    /// If a row is not there.
    #[track_caller]
    #[must_use = "the state itself stays as it is"]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        self.with_values(self.values().map(|value| value.select_rows(rows)))
    }

    /// Starts the samples anew where `mask` (`[batch]`) is true: there it takes the rows of `fresh`, which
    /// [`Network::initial_state`](crate::Network::initial_state) gives.
    ///
    /// # Errors
    /// The states are of different networks or batches, the mask has another length, or `fresh` has no value for an edge that
    /// carries one: an edge that starts from a [first sweep](crate::feedback::topology::Initial::FirstSweep) starts from the
    /// input, so that `fresh` is then the state of rows that have had theirs.
    pub fn reset_rows(&self, mask: &Tensor<bool>, fresh: &Self) -> Result<Self> {
        let rows = fresh.rows().unwrap_or(mask.len());
        fresh.check(&self.layout, Some(mask.len()))?;
        if mask.rank() != 1 || mask.len() != rows {
            return Err(Error::Data {
                place: "State::reset_rows".to_owned(),
                expected: format!("a mask [{rows}], one for each sample"),
                found: format!("a mask {}", mask.shape()),
                help: String::new(),
            });
        }
        if let Some(own) = self.rows()
            && own != rows
        {
            return Err(other_batch(rows, own));
        }
        let mut result = self.clone();
        for ((register, new), layout) in result
            .registers
            .iter_mut()
            .zip(&fresh.registers)
            .zip(&self.layout.registers)
        {
            if new.is_empty() && !register.is_empty() {
                return Err(Error::Data {
                    place: format!("State::reset_rows of {:?}", layout.name),
                    expected: "a value to start from".to_owned(),
                    found: "none, as it starts from a first sweep over its input".to_owned(),
                    help: "start these samples in a run of their own, or give the edge another .initial(…)"
                        .to_owned(),
                });
            }
            for position in 0..new.len() {
                let new = &new[position];
                let mut extents = vec![1; layout.shape.len() + 1];
                extents[0] = rows;
                let mask = mask.reshape(extents).broadcast_to(*new.shape());
                match register.get_mut(position) {
                    Some(old) => *old = Var::where_(&mask, new, old),
                    None => register.push_back(new.clone()),
                }
            }
        }
        Ok(result)
    }

    /// The numbers under names (`output->hidden1/0` is the newest value of that edge), for files.
    pub fn to_tensors(&self) -> Vec<(String, Tensor<F>)> {
        let named = self.layout.registers.iter().zip(&self.registers);
        named
            .flat_map(|(layout, register)| {
                register
                    .iter()
                    .enumerate()
                    .map(|(age, value)| (format!("{}/{age}", layout.name), value.tensor().clone()))
            })
            .collect()
    }

    /// The state that [`State::to_tensors`] was called on; `like` is any state of the same network.
    ///
    /// # Errors
    /// A name is not of this network, a value is missing or has another shape.
    pub fn from_tensors(like: &Self, tensors: &[(String, Tensor<F>)]) -> Result<Self> {
        let mut state = Self::new(like.layout.clone());
        let wrong = |name: &str, expected: String, found: String| Error::Data {
            place: format!("the state {name:?}"),
            expected,
            found,
            help: "a state belongs to networks with the same edges".to_owned(),
        };
        let mut used = 0;
        for (layout, register) in like.layout.registers.iter().zip(&mut state.registers) {
            for age in 0..layout.depth {
                let name = format!("{}/{age}", layout.name);
                let Some((_, tensor)) = tensors.iter().find(|(n, _)| *n == name) else {
                    break;
                };
                if tensor.shape().get(1..) != Some(&*layout.shape) {
                    let expected = crate::module::Spec::float(layout.shape).to_string();
                    return Err(wrong(&name, expected, tensor.shape().to_string()));
                }
                register.push_back(Var::constant(tensor.clone()));
                used += 1;
            }
        }
        if used != tensors.len() {
            let known = |name: &str| state.to_tensors().iter().any(|(n, _)| n == name);
            let name = tensors.iter().map(|(n, _)| n).find(|n| !known(n));
            let name = name.map_or("", String::as_str);
            let names: Vec<_> = like.names().collect();
            let expected = format!("values of {}", names.join(", "));
            return Err(wrong(
                name,
                expected,
                "another name, or a gap before it".to_owned(),
            ));
        }
        let mut rows = state.values().map(|v| v.shape()[0]);
        if let Some(first) = rows.next()
            && let Some(other) = rows.find(|&rows| rows != first)
        {
            return Err(other_batch(first, other));
        }
        drop(rows);
        Ok(state)
    }

    /// Checks that it is of a network with these registers, and of so many samples.
    pub(super) fn check(&self, layout: &Arc<Layout>, rows: Option<usize>) -> Result<()> {
        if !Arc::ptr_eq(&self.layout, layout) && self.layout != *layout {
            let names = |layout: &Layout| {
                let names: Vec<_> = layout
                    .registers
                    .iter()
                    .map(|r| format!("{} {}", r.name, crate::module::Spec::float(r.shape)))
                    .collect();
                match names.as_slice() {
                    [] => "a state without edges".to_owned(),
                    some => format!("a state of {}", some.join(", ")),
                }
            };
            return Err(Error::Data {
                place: "the state of a run".to_owned(),
                expected: names(layout),
                found: names(&self.layout),
                help: "hand back the state that this network gave".to_owned(),
            });
        }
        match (self.rows(), rows) {
            (Some(found), Some(expected)) if found != expected => Err(other_batch(expected, found)),
            _ => Ok(()),
        }
    }
}

fn other_batch(expected: usize, found: usize) -> Error {
    Error::Data {
        place: "the state of a run".to_owned(),
        expected: format!("{expected} samples"),
        found: format!("{found} samples"),
        help: "State::select_rows picks the samples that go on; start others with Network::initial_state"
            .to_owned(),
    }
}
