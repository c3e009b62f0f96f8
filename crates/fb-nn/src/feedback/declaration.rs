//! What [`Sequential`](super::Sequential) and [`Graph`](super::Graph) have in common: edges, scopes, schedule, seed.

use super::network::Network;
use super::schedule::{AnySchedule, Unroll};
use super::topology::{Combine, Edge, Input, Node, Scope, Topology};
use crate::error::{Error, Result};
use fb_tensor::Float;
use std::sync::Arc;

/// A declaration under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Declaration {
    pub(super) inputs: Vec<Input>,
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<String>,
    pub(super) edges: Vec<Edge>,
    pub(super) scopes: Vec<Scope>,
    pub(super) schedule: Option<Arc<dyn AnySchedule>>,
    pub(super) seed: u64,
    /// The first call that made no sense, reported by `build`.
    pub(super) misuse: Option<Error>,
}

impl Declaration {
    /// Says how the last edge joins its destination, once.
    pub(super) fn combine(&mut self, method: &'static str, combine: Combine) {
        if let Some(edge) = self.edges.last()
            && edge.combine != Combine::Add
            && edge.combine != combine
        {
            self.misuse.get_or_insert_with(|| Error::Config {
                what: format!(".{method}() of {:?}", edge.path()),
                expected: "one of .concat(), .gate(), .multiply() and .film()".to_owned(),
                found: "two".to_owned(),
                help: "drop one: an edge joins its destination in one way".to_owned(),
            });
        }
        self.change_edge(method, |edge| edge.combine = combine);
    }

    pub(super) fn change_edge(&mut self, method: &'static str, change: impl FnOnce(&mut Edge)) {
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
    }

    pub(super) fn topology(self) -> Result<Topology> {
        if let Some(misuse) = self.misuse {
            return Err(misuse);
        }
        let last = self.nodes.last().map(|node| node.name.clone());
        let outputs = if self.outputs.is_empty() {
            last.into_iter().collect()
        } else {
            self.outputs
        };
        Ok(Topology {
            inputs: self.inputs,
            nodes: self.nodes,
            outputs,
            edges: self.edges,
            scopes: self.scopes,
            schedule: self
                .schedule
                .unwrap_or_else(|| Arc::new(Unroll::iterations(1))),
            seed: self.seed,
        })
    }

    pub(super) fn build<F: Float>(self) -> Result<Network<F>> {
        Network::build(self.topology()?)
    }
}

/// The methods of a builder around a `Declaration` in its field `declaration`.
macro_rules! declaration_methods {
    () => {
        /// Adds a feedback edge from a layer to itself, an earlier layer, or an input: through learned weights, added,
        /// with a delay of one iteration, starting from zeros. The methods [`identity`](Self::identity),
        /// [`full`](Self::full), [`concat`](Self::concat), [`gate`](Self::gate), [`multiply`](Self::multiply),
        /// [`film`](Self::film), [`delay`](Self::delay), [`clock`](Self::clock), [`carry`](Self::carry),
        /// [`initial`](Self::initial), [`damping`](Self::damping), [`noise`](Self::noise), [`dropout`](Self::dropout),
        /// [`clip`](Self::clip) and [`limit`](Self::limit) change the edge added last.
        ///
        /// Between maps of different size the default weights sample up or down too;
        /// [`Projection::Learned`](crate::feedback::topology::Projection::Learned) says how.
        #[must_use]
        pub fn feedback(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
            self.declaration.edges.push(Edge::new(from, to));
            self
        }

        /// Adds a forward edge past the layers between: from a layer or an input to a later layer, through learned weights,
        /// added. The methods that change a feedback edge change it too, as far as they do not speak of time.
        #[must_use]
        pub fn forward_edge(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
            self.declaration.edges.push(Edge::forward(from, to));
            self
        }

        /// Adds an edge that was made before.
        #[must_use]
        pub fn edge(mut self, edge: Edge) -> Self {
            self.declaration.edges.push(edge);
            self
        }

        /// The last edge adds its value as it is, without weights.
        #[must_use]
        pub fn identity(self) -> Self {
            self.change_edge("identity", |edge| edge.projection = Projection::Identity)
        }

        /// The last edge goes through a full matrix, from every feature of its source to every feature of its
        /// destination: for maps, whose default is the same weights at each position, where each position should have its
        /// own.
        #[must_use]
        pub fn full(self) -> Self {
            self.change_edge("full", |edge| edge.projection = Projection::Full)
        }

        /// The last edge widens its destination's input instead of being added.
        #[must_use]
        pub fn concat(self) -> Self {
            self.combine("concat", Combine::Concat)
        }

        /// The last edge is added through a learned gate that starts nearly shut.
        #[must_use]
        pub fn gate(self) -> Self {
            self.combine("gate", Combine::Gate)
        }

        /// The last edge turns each number of its destination up or down: `u · (1 + P(r))`.
        #[must_use]
        pub fn multiply(self) -> Self {
            self.combine("multiply", Combine::Multiply)
        }

        /// The last edge scales and shifts its destination: `u · (1 + P(r)) + Q(r)`.
        #[must_use]
        pub fn film(self) -> Self {
            self.combine("film", Combine::Film)
        }

        /// The last edge arrives after this many ticks of its clock. 0 makes it an algebraic loop, whose value is the one that
        /// the loop comes to: [`Converge`](crate::feedback::schedule::Converge) finds it.
        #[must_use]
        pub fn delay(self, ticks: usize) -> Self {
            self.change_edge("delay", |edge| edge.delay = ticks)
        }

        /// What the delay of the last edge counts: iterations over the same input, or steps of a sequence.
        #[must_use]
        pub fn clock(self, clock: Clock) -> Self {
            self.change_edge("clock", |edge| edge.clock = clock)
        }

        /// The last edge keeps its value from one step of a sequence to the next.
        #[must_use]
        pub fn carry(self) -> Self {
            self.change_edge("carry", |edge| edge.carry = true)
        }

        /// What the last edge carries before its source has a value.
        #[must_use]
        pub fn initial(self, initial: Initial) -> Self {
            self.change_edge("initial", |edge| edge.initial = initial)
        }

        /// The share of the new value in what the last edge carries; the rest is what it carried before.
        #[must_use]
        pub fn damping(self, share: f64) -> Self {
            self.change_edge("damping", |edge| edge.damping = share)
        }

        /// The standard deviation of noise that is added to what the last edge carries, in training and where the pass has
        /// a [key](crate::Context::with_key).
        #[must_use]
        pub fn noise(self, deviation: f64) -> Self {
            self.change_edge("noise", |edge| edge.noise = deviation)
        }

        /// The share of what the last edge carries that is silenced in training, the same features at every tick.
        #[must_use]
        pub fn dropout(self, share: f64) -> Self {
            self.change_edge("dropout", |edge| edge.dropout = share)
        }

        /// The largest norm of the gradient that flows back along the last edge, for each sample and tick.
        #[must_use]
        pub fn clip(self, norm: f64) -> Self {
            self.change_edge("clip", |edge| edge.clip = Some(norm))
        }

        /// The largest number that the last edge may carry: beyond it the run ends with an error that names edge and
        /// iteration.
        #[must_use]
        pub fn limit(self, largest: f64) -> Self {
            self.change_edge("limit", |edge| edge.limit = Some(largest))
        }

        /// Has some layers run several times in each iteration of the loop around them: edges between them tick at each of
        /// these cycles, all others once an iteration. Scopes can hold scopes.
        #[must_use]
        pub fn scope<S: Into<String>>(
            mut self,
            name: impl Into<String>,
            layers: impl IntoIterator<Item = S>,
            cycles: usize,
        ) -> Self {
            self.declaration.scopes.push(Scope {
                name: name.into(),
                layers: layers.into_iter().map(Into::into).collect(),
                cycles,
            });
            self
        }

        fn combine(mut self, method: &'static str, combine: Combine) -> Self {
            self.declaration.combine(method, combine);
            self
        }

        fn change_edge(mut self, method: &'static str, change: impl FnOnce(&mut Edge)) -> Self {
            self.declaration.change_edge(method, change);
            self
        }

        /// How often the loop runs; one iteration without it.
        #[must_use]
        pub fn schedule(mut self, schedule: impl Schedule) -> Self {
            self.declaration.schedule = Some(Arc::new(schedule));
            self
        }

        /// The seed of the initial values; 0 without it.
        #[must_use]
        pub fn seed(mut self, seed: u64) -> Self {
            self.declaration.seed = seed;
            self
        }

        /// The declaration as plain data, not yet checked.
        ///
        /// # Errors
        /// A call made no sense, such as [`gate`](Self::gate) before any edge.
        pub fn topology(self) -> Result<Topology> {
            self.declaration.topology()
        }

        /// Checks the declaration and makes the network in `f32`.
        ///
        /// # Errors
        /// Anything wrong with layers, names, shapes, edges or the schedule.
        pub fn build(self) -> Result<Network<f32>> {
            self.build_as::<f32>()
        }

        /// [`build`](Self::build) for another element type.
        ///
        /// # Errors
        /// Anything wrong with layers, names, shapes, edges or the schedule.
        pub fn build_as<F: Float>(self) -> Result<Network<F>> {
            self.declaration.build()
        }
    };
}

pub(super) use declaration_methods;
