//! What a layer is: a serialisable [`Layer`] that infers shapes and makes parameters, and the [`Module`] that it
//! builds, which computes.

mod chain;
mod context;
mod layer;
mod stream;
mod value;

pub use chain::{BuiltChain, Chain};
pub use context::{Context, Mode, Replay};
pub use layer::{AnyLayer, Built, Layer, LayerKinds, Scope, Spec};
pub(crate) use stream::step;
pub use stream::{Memory, StreamModule, Streaming};
pub(crate) use value::not_one;
pub use value::{Value, ValueKind};

use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::Float;
use std::fmt::Debug;

/// A built layer: immutable, shareable between threads, computing from the parameters that the context hands out.
///
/// Most layers take one float tensor and give one: they implement [`SimpleModule`], and [`simple`] makes
/// this of it.
pub trait Module<F: Float>: Debug + Send + Sync {
    /// Computes the outputs from the inputs; the first axis of each is the batch.
    ///
    /// # Errors
    /// The inputs are not what the layer was built for.
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>>;

    /// The module as a simple one, if it is one: saves packing its input and output into lists.
    fn as_simple(&self) -> Option<&dyn SimpleModule<F>> {
        None
    }

    /// How the layer runs when a sequence comes in pieces; not at all without it.
    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Whole
    }

    /// Whether what it computes in training hangs on statistics of the batch that all iterations of a loop share, or that
    /// evaluation replaces by ones they share: then iterations move what the next ones see, and there is no fixed point.
    fn shares_batch_statistics(&self) -> bool {
        false
    }
}

/// A [`Module`] from one float tensor to one.
pub trait SimpleModule<F: Float>: Debug + Send + Sync {
    /// Computes the output from the input; the first axis of both is the batch.
    ///
    /// # Errors
    /// The input is not what the layer was built for.
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>>;

    /// The two halves of a layer that adds things up before a nonlinearity, where feedback can join the sum.
    fn split(&self) -> Option<&dyn SplitModule<F>> {
        None
    }

    /// How the layer runs when a sequence comes in pieces; not at all without it.
    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Whole
    }

    /// Whether what it computes in training hangs on statistics of the batch that all iterations of a loop share, or that
    /// evaluation replaces by ones they share: then iterations move what the next ones see, and there is no fixed point.
    fn shares_batch_statistics(&self) -> bool {
        false
    }
}

/// A layer `finish(project(x))`, like a dense layer: `project` is `x·W + b`, `finish` the activation.
///
/// Feedback that is added to such a layer is added between the halves, and where only feedback changes from one
/// iteration to the next, `project` is computed once for all of them.
pub trait SplitModule<F: Float> {
    /// The sum that feedback joins.
    ///
    /// # Errors
    /// The input is not what the layer was built for.
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>>;

    /// What becomes of the sum.
    ///
    /// # Errors
    /// The sum is not what the layer was built for.
    fn finish(&self, cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>>;
}

/// A simple module as one of any kind, for [`Built`].
pub fn simple<F: Float>(module: impl SimpleModule<F> + 'static) -> Box<dyn Module<F>> {
    Box::new(Simple(module))
}

/// With a type of its own, so that modules that are not simple can implement [`Module`] for every element type.
#[derive(Debug)]
struct Simple<M>(M);

impl<F: Float, M: SimpleModule<F>> Module<F> for Simple<M> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let x = value::single_float(cx, inputs)?;
        Ok(vec![Value::Float(self.0.forward(cx, x)?)])
    }

    fn as_simple(&self) -> Option<&dyn SimpleModule<F>> {
        Some(&self.0)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        self.0.streaming()
    }

    fn shares_batch_statistics(&self) -> bool {
        self.0.shares_batch_statistics()
    }
}

/// The one output of a module for one input.
pub(crate) fn one_output<F: Float>(
    cx: &mut Context<'_, F>,
    module: &dyn Module<F>,
    input: &Value<F>,
) -> Result<Value<F>> {
    if let (Some(module), Value::Float(x)) = (module.as_simple(), input) {
        return Ok(Value::Float(module.forward(cx, x)?));
    }
    let mut outputs = module.forward(cx, std::slice::from_ref(input))?;
    outputs.pop().ok_or_else(|| Error::Data {
        place: cx.place(),
        expected: "one output".to_owned(),
        found: "none".to_owned(),
        help: "Module::forward returns one value per output of the layer".to_owned(),
    })
}
