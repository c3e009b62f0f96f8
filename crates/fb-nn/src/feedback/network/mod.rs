//! A built network: modules, parameters and the plan by which they run.

mod build;
mod check;
mod describe;
mod edge;
mod equilibrium;
mod halt;
mod jacobian;
mod map;
mod nested;
mod plan;
mod run;
mod runner;
mod sequence;
mod session;
mod stream;
mod tick;

pub use super::gradient::Wanted;
pub use describe::{Description, EdgeDescription, ExecutionPath, NodeDescription};
pub use halt::Halting;
pub use nested::{IntoTopology, Nested};
pub use run::{RunOptions, Trajectory};
pub use session::Session;

use super::state::{Layout, State};
use super::topology::{Initial, Topology};
use crate::error::Result;
use crate::module::{Context, Module, Spec, Value};
use crate::param::Params;
use edge::BuiltEdge;
use fb_tensor::{Float, Shape};
use plan::Plan;
use std::sync::Arc;
use tick::Shelf;

/// A network that can run: everything about it has been checked.
///
/// It is immutable but for its parameters, and can be shared between threads.
#[derive(Debug)]
pub struct Network<F: Float = f32> {
    wiring: Arc<Wiring<F>>,
    params: Params<F>,
}

/// A network without its parameters, as loops that are run again later share it.
#[derive(Debug)]
struct Wiring<F: Float> {
    topology: Topology,
    nodes: Vec<BuiltNode<F>>,
    edges: Vec<BuiltEdge>,
    /// The slots of what the network gives.
    outputs: Vec<usize>,
    plan: Plan,
    layout: Arc<Layout>,
    shelf: Shelf<F>,
}

/// A layer, built.
#[derive(Debug)]
struct BuiltNode<F: Float> {
    /// The name, after that of the layer that holds the network if one does.
    path: String,
    module: Box<dyn Module<F>>,
    /// The slots of what it takes, and what each is.
    inputs: Vec<(usize, Spec)>,
    output: Spec,
    /// The shape per sample of the sum that feedback joins, if the layer has one.
    sum: Option<Shape>,
    description: String,
}

impl<F: Float> Network<F> {
    /// The architecture that it was built from.
    pub fn topology(&self) -> &Topology {
        &self.wiring.topology
    }

    /// The parameters, which are also the state dict.
    pub fn params(&self) -> &Params<F> {
        &self.params
    }

    /// The parameters, for writing.
    pub fn params_mut(&mut self) -> &mut Params<F> {
        &mut self.params
    }

    /// Kind and shape of one sample of the (first) input; under [`Sequence`](super::schedule::Sequence), of one of its steps.
    pub fn input_spec(&self) -> Spec {
        self.wiring.topology.inputs[0].spec
    }

    /// Kind and shape of one sample of each input.
    pub fn input_specs(&self) -> impl ExactSizeIterator<Item = (&str, Spec)> {
        let inputs = self.wiring.topology.inputs.iter();
        inputs.map(|input| (input.name.as_str(), input.spec))
    }

    /// Kind and shape of one sample of the (first) output.
    pub fn output_spec(&self) -> Spec {
        self.wiring.spec(self.wiring.outputs[0])
    }

    /// Kind and shape of one sample of each output.
    pub fn output_specs(&self) -> impl ExactSizeIterator<Item = (&str, Spec)> {
        let names = self.wiring.topology.outputs.iter().map(String::as_str);
        names.zip(
            self.wiring
                .outputs
                .iter()
                .map(|&slot| self.wiring.spec(slot)),
        )
    }

    /// Whether the default schedule runs along sequences: inputs and outputs have an axis of steps behind the batch then.
    pub fn takes_sequences(&self) -> bool {
        self.wiring.topology.schedule.rule().is_sequence()
    }

    /// The most iterations that a run of the default schedule makes; 1 without a loop.
    pub fn iterations(&self) -> usize {
        if self.wiring.plan.has_iterations() {
            self.wiring.topology.schedule.iterations()
        } else {
            1
        }
    }

    /// The state before the first tick for so many samples, with each edge's initial value in its register. The registers of
    /// edges that start from a [first sweep](super::topology::Initial::FirstSweep) are left to the run, which has the input.
    pub fn initial_state(&self, cx: &mut Context<'_, F>, batch: usize) -> State<F> {
        let mut state = State::new(self.wiring.layout.clone());
        let known = |edge: &&BuiltEdge| edge.initial != Initial::FirstSweep;
        let edges = self.wiring.edges.iter().filter(known);
        fill(edges, cx, &mut state, batch);
        state
    }

    /// The network without one of its edges, on the same weights: what the edge is good for. A scope in which nothing else
    /// is fed back goes with it, since its cycles would all do the same.
    ///
    /// ```
    /// use fb_nn::feedback::schedule::Unroll;
    /// use fb_nn::layers::Dense;
    /// use fb_nn::Sequential;
    /// let network = Sequential::input([2])
    ///     .layer("hidden", Dense::new(3))
    ///     .layer("out", Dense::new(1))
    ///     .feedback("out", "hidden")
    ///     .schedule(Unroll::iterations(3))
    ///     .build()?;
    /// let ablated = network.without("out -> hidden")?;
    /// assert_eq!(ablated.params().elements() + 3, network.params().elements());
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such edge, or it widens its destination, whose weights would not fit without it.
    pub fn without(&self, edge: &str) -> Result<Self> {
        self.ablated(edge)
    }

    /// The output after the last iteration of the default schedule.
    ///
    /// ```
    /// use fb_nn::{Context, Sequential};
    /// use fb_nn::layers::Dense;
    /// use fb_autograd::Var;
    /// use fb_tensor::Tensor;
    /// let network = Sequential::input([3]).layer("output", Dense::new(2)).build()?;
    /// let y = network.forward(&mut Context::eval(network.params()), Var::constant(Tensor::ones([5, 3])))?;
    /// assert_eq!(*y.shape(), [5, 2]);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The input is not what the network was built for.
    pub fn forward(&self, cx: &mut Context<'_, F>, input: impl Into<Value<F>>) -> Result<Value<F>> {
        let trajectory = self.run(cx, input, &RunOptions::default())?;
        Ok(trajectory.into_last())
    }

    /// All outputs after the last iteration of the default schedule, for all inputs.
    ///
    /// # Errors
    /// The inputs are not what the network was built for.
    pub fn forward_all(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
    ) -> Result<Vec<Value<F>>> {
        let trajectory = self.run_all(cx, inputs, &RunOptions::default())?;
        Ok(trajectory.into_last_all())
    }
}

impl<F: Float> Wiring<F> {
    fn spec(&self, slot: usize) -> Spec {
        match slot.checked_sub(self.topology.inputs.len()) {
            None => self.topology.inputs[slot].spec,
            Some(node) => self.nodes[node].output,
        }
    }

    /// Gives the registers that are still empty their initial values.
    fn fill(&self, cx: &mut Context<'_, F>, state: &mut State<F>, batch: usize) {
        fill(self.edges.iter(), cx, state, batch);
    }
}

/// Gives the registers of these edges their initial values where they are still empty.
fn fill<'e, F: Float>(
    edges: impl Iterator<Item = &'e BuiltEdge>,
    cx: &mut Context<'_, F>,
    state: &mut State<F>,
    batch: usize,
) {
    for edge in edges {
        let Some(register) = edge.register else {
            continue;
        };
        let depth = state.layout().registers[register].depth;
        if state.register(register).len() < depth {
            let initial = edge.full_initial_value(cx, batch);
            let past = state.register_mut(register);
            while past.len() < depth {
                past.push_back(initial.clone());
            }
        }
    }
}
