//! A built network: modules, parameters and the plan by which they run.

mod build;
mod check;
mod describe;
mod edge;
mod map;
mod plan;
mod run;
mod stream;

pub use describe::{Description, EdgeDescription, ExecutionPath, NodeDescription};
pub use run::{RunOptions, Trajectory, Wanted};

use super::topology::Topology;
use crate::error::Result;
use crate::module::{Context, Module, Spec, Value};
use crate::param::Params;
use edge::BuiltEdge;
use fb_tensor::{Float, Shape};
use plan::Plan;

/// A network that can run: everything about it has been checked.
///
/// It is immutable but for its parameters, and can be shared between threads.
#[derive(Debug)]
pub struct Network<F: Float = f32> {
    topology: Topology,
    nodes: Vec<BuiltNode<F>>,
    edges: Vec<BuiltEdge>,
    plan: Plan,
    params: Params<F>,
}

/// A layer, built.
#[derive(Debug)]
struct BuiltNode<F: Float> {
    module: Box<dyn Module<F>>,
    input: Spec,
    output: Spec,
    /// The shape per sample of the sum that feedback joins, if the layer has one.
    sum: Option<Shape>,
    description: String,
}

impl<F: Float> Network<F> {
    /// The architecture that it was built from.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The parameters, which are also the state dict.
    pub fn params(&self) -> &Params<F> {
        &self.params
    }

    /// The parameters, for writing.
    pub fn params_mut(&mut self) -> &mut Params<F> {
        &mut self.params
    }

    /// Kind and shape of one sample of the input.
    pub fn input_spec(&self) -> Spec {
        self.topology.input
    }

    /// Kind and shape of one sample of the output.
    pub fn output_spec(&self) -> Spec {
        self.nodes
            .last()
            .map_or(self.topology.input, |node| node.output)
    }

    /// The most iterations that a run of the default schedule makes; 1 without feedback.
    pub fn iterations(&self) -> usize {
        if self.edges.is_empty() {
            1
        } else {
            self.topology.schedule.iterations()
        }
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
}
