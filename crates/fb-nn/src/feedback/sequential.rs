//! Declaring a chain of layers with feedback.

use super::declaration::{Declaration, declaration_methods};
use super::network::Network;
use super::schedule::Schedule;
use super::topology::{
    Clock, Combine, Edge, INPUT, Initial, Input, Node, Projection, Scope, Topology,
};
use crate::error::Result;
use crate::module::{AnyLayer, Layer, Spec, ValueKind};
use fb_tensor::{Float, Shape};
use std::sync::Arc;

/// A chain of named layers with feedback edges from later layers to earlier ones.
///
/// Nothing is checked until [`Sequential::build`], which finds everything that is wrong.
///
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::{Activation, Dense};
///
/// let network = Sequential::input([2])
///     .layer("hidden", Dense::new(8).activation(Activation::Sigmoid))
///     .layer("output", Dense::new(1).activation(Activation::Sigmoid))
///     .feedback("output", "hidden")
///     .schedule(Unroll::iterations(4))
///     .seed(42)
///     .build()?;
/// assert_eq!(network.params().elements(), 2 * 8 + 8 + 8 + 1 + 8);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequential {
    declaration: Declaration,
}

impl Sequential {
    /// Starts a chain whose input has this shape per sample (without the batch axis).
    pub fn input(shape: impl AsRef<[usize]>) -> Self {
        Self::of(ValueKind::Float, shape.as_ref())
    }

    /// Starts a chain whose input is indices of this shape per sample, such as the tokens of a text `[time]`; `[]` is one
    /// index a sample. The first layer is an [`Embedding`](crate::layers::Embedding), or another that takes indices.
    ///
    /// ```
    /// use fb_nn::{Context, Sequential};
    /// use fb_nn::layers::{Dense, Embedding};
    /// use fb_tensor::Tensor;
    /// let network = Sequential::indices([5])
    ///     .layer("tokens", Embedding::new(100, 8))
    ///     .layer("scores", Dense::new(100))
    ///     .build()?;
    /// let tokens = Tensor::from([[7_i64, 0, 99, 3, 3]]);
    /// let y = network.forward(&mut Context::eval(network.params()), tokens)?;
    /// assert_eq!(*y.shape(), [1, 5, 100]);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    pub fn indices(shape: impl AsRef<[usize]>) -> Self {
        Self::of(ValueKind::Index, shape.as_ref())
    }

    fn of(kind: ValueKind, shape: &[usize]) -> Self {
        let mut declaration = Declaration::default();
        match Shape::try_new(shape) {
            Ok(shape) => declaration.inputs.push(Input {
                name: INPUT.to_owned(),
                spec: Spec { kind, shape },
            }),
            Err(error) => declaration.misuse = Some(error.into()),
        }
        Self { declaration }
    }

    /// Appends a layer.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        let nodes = &mut self.declaration.nodes;
        let before = nodes
            .last()
            .map_or(INPUT, |node| node.name.as_str())
            .to_owned();
        let layer: Arc<dyn AnyLayer> = Arc::new(layer);
        nodes.push(Node {
            name: name.into(),
            layer,
            inputs: vec![before],
        });
        self
    }

    declaration_methods!();
}
