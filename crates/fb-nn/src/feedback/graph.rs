//! Declaring a graph of layers with feedback.

use super::declaration::{Declaration, declaration_methods};
use super::network::Network;
use super::schedule::Schedule;
use super::topology::{Clock, Combine, Edge, Initial, Input, Node, Projection, Scope, Topology};
use crate::error::Result;
use crate::module::{AnyLayer, Layer, Spec, ValueKind};
use fb_tensor::{Float, Shape};
use std::sync::Arc;

/// Named layers that take the values of others by name, with several inputs and outputs, and feedback edges from later layers
/// to earlier ones.
///
/// A layer names what it takes, so layers stand in forward order. Values come together in layers that take several
/// ([`Add`](crate::layers::Add), [`Concat`](crate::layers::Concat), …), or along [edges](Self::forward_edge).
/// Nothing is checked until [`Graph::build`], which finds everything that is wrong.
///
/// ```
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::{Activation, Concat, Dense};
/// use fb_nn::{Context, Graph, Value};
/// use fb_tensor::Tensor;
///
/// let network = Graph::new()
///     .input("image", [64])
///     .input("label", [10])
///     .layer("seen", Dense::new(16).activation(Activation::Tanh), "image")
///     .layer("told", Dense::new(16).activation(Activation::Tanh), "label")
///     .layer("both", Concat::new(), ["seen", "told"])
///     .layer("belief", Dense::new(8).activation(Activation::Tanh), "both")
///     .layer("next", Dense::new(10), "belief")
///     .feedback("belief", "seen")
///     .outputs(["next", "belief"])
///     .schedule(Unroll::iterations(3))
///     .build()?;
/// let inputs = [Tensor::ones([5, 64]).into(), Tensor::ones([5, 10]).into()];
/// let outputs = network.forward_all(&mut Context::eval(network.params()), &inputs)?;
/// assert_eq!(*outputs[0].shape(), [5, 10]);
/// assert_eq!(*outputs[1].shape(), [5, 8]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    declaration: Declaration,
}

/// The names of what a layer takes: one, or a list.
pub trait IntoNames {
    /// The names in order.
    fn into_names(self) -> Vec<String>;
}

impl IntoNames for &str {
    fn into_names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl IntoNames for String {
    fn into_names(self) -> Vec<String> {
        vec![self]
    }
}

impl<S: Into<String>, const N: usize> IntoNames for [S; N] {
    fn into_names(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl IntoNames for Vec<String> {
    fn into_names(self) -> Vec<String> {
        self
    }
}

impl IntoNames for &[&str] {
    fn into_names(self) -> Vec<String> {
        self.iter().map(|&name| name.to_owned()).collect()
    }
}

impl Graph {
    /// A graph without inputs and layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of numbers with this shape per sample (without the batch axis).
    #[must_use]
    pub fn input(self, name: impl Into<String>, shape: impl AsRef<[usize]>) -> Self {
        self.of(ValueKind::Float, name.into(), shape.as_ref())
    }

    /// Adds an input of indices, such as the tokens of a text `[time]`; `[]` is one index a sample.
    #[must_use]
    pub fn indices(self, name: impl Into<String>, shape: impl AsRef<[usize]>) -> Self {
        self.of(ValueKind::Index, name.into(), shape.as_ref())
    }

    /// Adds an input that says which positions count.
    #[must_use]
    pub fn mask(self, name: impl Into<String>, shape: impl AsRef<[usize]>) -> Self {
        self.of(ValueKind::Mask, name.into(), shape.as_ref())
    }

    fn of(mut self, kind: ValueKind, name: String, shape: &[usize]) -> Self {
        match Shape::try_new(shape) {
            Ok(shape) => self.declaration.inputs.push(Input {
                name,
                spec: Spec { kind, shape },
            }),
            Err(error) => {
                self.declaration.misuse.get_or_insert_with(|| error.into());
            }
        }
        self
    }

    /// Adds a layer that takes the values of these inputs and layers, in order: `"x"`, or `["x", "state"]`.
    #[must_use]
    pub fn layer(
        mut self,
        name: impl Into<String>,
        layer: impl Layer,
        inputs: impl IntoNames,
    ) -> Self {
        let layer: Arc<dyn AnyLayer> = Arc::new(layer);
        self.declaration.nodes.push(Node {
            name: name.into(),
            layer,
            inputs: inputs.into_names(),
        });
        self
    }

    /// The layer whose value the network gives; the last one without it.
    #[must_use]
    pub fn output(self, layer: impl Into<String>) -> Self {
        self.outputs([layer])
    }

    /// The layers whose values the network gives, in order.
    #[must_use]
    pub fn outputs<S: Into<String>>(mut self, layers: impl IntoIterator<Item = S>) -> Self {
        self.declaration.outputs = layers.into_iter().map(Into::into).collect();
        self
    }

    declaration_methods!();
}
