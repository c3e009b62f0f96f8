//! Declaring a chain of layers with feedback.

use super::network::Network;
use super::schedule::{AnySchedule, Schedule, Unroll};
use super::topology::{Combine, Edge, Initial, Node, Projection, Topology};
use crate::error::{Error, Result};
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
    input: Vec<usize>,
    /// Numbers or indices.
    kind: ValueKind,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    schedule: Option<Arc<dyn AnySchedule>>,
    seed: u64,
    /// The first call that made no sense, reported by `build`.
    misuse: Option<Error>,
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

    fn of(kind: ValueKind, input: &[usize]) -> Self {
        Self {
            input: input.to_vec(),
            kind,
            nodes: Vec::new(),
            edges: Vec::new(),
            schedule: None,
            seed: 0,
            misuse: None,
        }
    }

    /// Appends a layer.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        let layer: Arc<dyn AnyLayer> = Arc::new(layer);
        self.nodes.push(Node {
            name: name.into(),
            layer,
        });
        self
    }

    /// Adds a feedback edge from a layer to itself, an earlier layer, or `"input"`: through learned weights, added,
    /// with a delay of one iteration, starting from zeros. The methods [`identity`](Self::identity),
    /// [`full`](Self::full), [`concat`](Self::concat), [`gate`](Self::gate), [`delay`](Self::delay) and
    /// [`initial`](Self::initial) change the edge added last.
    ///
    /// Between maps of different size the default weights sample up or down too; [`Projection::Learned`] says how.
    #[must_use]
    pub fn feedback(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edges.push(Edge::new(from, to));
        self
    }

    /// The last feedback edge adds its value as it is, without weights.
    #[must_use]
    pub fn identity(self) -> Self {
        self.change_edge("identity", |edge| edge.projection = Projection::Identity)
    }

    /// The last feedback edge goes through a full matrix, from every feature of its source to every feature of its
    /// destination: for maps, whose default is the same weights at each position, where each position should have its own.
    #[must_use]
    pub fn full(self) -> Self {
        self.change_edge("full", |edge| edge.projection = Projection::Full)
    }

    /// The last feedback edge widens its destination's input instead of being added.
    #[must_use]
    pub fn concat(self) -> Self {
        self.combine("concat", Combine::Concat)
    }

    /// The last feedback edge is added through a learned gate that starts nearly shut.
    #[must_use]
    pub fn gate(self) -> Self {
        self.combine("gate", Combine::Gate)
    }

    /// The last feedback edge arrives after this many iterations.
    #[must_use]
    pub fn delay(self, iterations: usize) -> Self {
        self.change_edge("delay", |edge| edge.delay = iterations)
    }

    /// What the last feedback edge carries before its source has a value.
    #[must_use]
    pub fn initial(self, initial: Initial) -> Self {
        self.change_edge("initial", |edge| edge.initial = initial)
    }

    /// Says how the last feedback edge joins its destination, once.
    fn combine(mut self, method: &'static str, combine: Combine) -> Self {
        if let Some(edge) = self.edges.last()
            && edge.combine != Combine::Add
            && edge.combine != combine
        {
            self.misuse.get_or_insert_with(|| Error::Config {
                what: format!(".{method}() of {:?}", edge.path()),
                expected: "one of .concat() and .gate()".to_owned(),
                found: "both".to_owned(),
                help: "drop one: a widened input has nothing to gate".to_owned(),
            });
        }
        self.change_edge(method, |edge| edge.combine = combine)
    }

    fn change_edge(mut self, method: &'static str, change: impl FnOnce(&mut Edge)) -> Self {
        match self.edges.last_mut() {
            Some(edge) => change(edge),
            None => {
                self.misuse.get_or_insert_with(|| Error::Config {
                    what: format!(".{method}()"),
                    expected: "a feedback edge before it".to_owned(),
                    found: "none".to_owned(),
                    help: "call .feedback(from, to) first".to_owned(),
                });
            }
        }
        self
    }

    /// How often the loop runs; one iteration without it.
    #[must_use]
    pub fn schedule(mut self, schedule: impl Schedule) -> Self {
        self.schedule = Some(Arc::new(schedule));
        self
    }

    /// The seed of the initial values; 0 without it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks the declaration and makes the network in `f32`.
    ///
    /// # Errors
    /// Anything wrong with layers, names, shapes, feedback edges or the schedule.
    pub fn build(self) -> Result<Network<f32>> {
        self.build_as::<f32>()
    }

    /// [`Sequential::build`] for another element type.
    ///
    /// # Errors
    /// Anything wrong with layers, names, shapes, feedback edges or the schedule.
    pub fn build_as<F: Float>(self) -> Result<Network<F>> {
        if let Some(misuse) = self.misuse {
            return Err(misuse);
        }
        let topology = Topology {
            input: Spec {
                kind: self.kind,
                shape: Shape::try_new(&self.input)?,
            },
            nodes: self.nodes,
            edges: self.edges,
            schedule: self
                .schedule
                .unwrap_or_else(|| Arc::new(Unroll::iterations(1))),
            seed: self.seed,
        };
        Network::build(topology)
    }
}
