//! What a layer is: a serialisable [`Layer`] that infers shapes and makes parameters, and the [`Module`] that it
//! builds, which computes.

mod context;
mod layer;
mod value;

pub use context::{Context, Mode};
pub use layer::{AnyLayer, Built, Layer, Scope, Spec};
pub use value::{Value, ValueKind};

use crate::error::Result;
use fb_autograd::Var;
use fb_tensor::Float;
use std::fmt::Debug;

/// A built layer: immutable, shareable between threads, computing from the parameters that the context hands out.
///
/// Most layers take one float tensor and give one: they implement [`SimpleModule`] and get this trait from it.
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

impl<F: Float, M: SimpleModule<F>> Module<F> for M {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let x = value::single_float(cx, inputs)?;
        Ok(vec![Value::Float(SimpleModule::forward(self, cx, x)?)])
    }

    fn as_simple(&self) -> Option<&dyn SimpleModule<F>> {
        Some(self)
    }
}
