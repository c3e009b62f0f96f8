//! Running a network on a sequence that comes piece by piece.

use super::Network;
use super::tick::check_finite;
use crate::error::{Error, Result};
use crate::module::{Context, Memory, Value, ValueKind, step};
use fb_tensor::Float;

impl<F: Float> Network<F> {
    /// The outputs of the next piece of a sequence, given what was remembered of the pieces before; hands back what to
    /// remember with this one. Before the first piece that is [`Memory::Empty`].
    ///
    /// Pieces one after another give what [`Network::forward`] gives on the whole sequence, at the cost of the new
    /// positions: the way to write a text token by token. Each layer must be able to: dense layers, norms over the last
    /// axis, embeddings, positions and causal attention can, and what is made of them.
    ///
    /// # Shapes
    /// - `input`: `[batch, positions, …]`; with the positions before, no more than the network was built for
    /// - returns `[batch, positions, …]`
    ///
    /// ```
    /// use fb_nn::{Context, Sequential};
    /// use fb_nn::layers::{Dense, Embedding, LearnedPositions, TransformerBlock};
    /// use fb_nn::module::Memory;
    /// use fb_tensor::Tensor;
    /// let network = Sequential::indices([6])
    ///     .layer("tokens", Embedding::new(9, 8))
    ///     .layer("positions", LearnedPositions::new())
    ///     .layer("block", TransformerBlock::decoder(2))
    ///     .layer("scores", Dense::new(9))
    ///     .build()?;
    /// let mut cx = Context::eval(network.params());
    /// let (mut token, mut memory) = (Tensor::from([[0_i64]]), Memory::Empty);
    /// for _ in 0..6 {
    ///     let scores;
    ///     (scores, memory) = network.forward_from(&mut cx, token, memory)?;
    ///     token = scores.as_float().unwrap().tensor().argmax(2);
    /// }
    /// assert_eq!(token.dims(), [1, 1]);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// A layer needs whole sequences, the network has feedback, the input is not what it was built for, or the memory is
    /// not of this network.
    pub fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        input: impl Into<Value<F>>,
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let mut value = input.into();
        let wiring = &*self.wiring;
        if !wiring.plan.chain {
            return Err(Error::Data {
                place: "Network::forward_from".to_owned(),
                expected: "a chain of layers without edges beside it".to_owned(),
                found: match wiring.edges.len() {
                    0 => "a graph".to_owned(),
                    edges => format!("{edges} edges"),
                },
                help: "edges over steps go step by step with Network::session; feedback over iterations refines whole sequences: use Network::forward".to_owned(),
            });
        }
        let spec = self.input_spec();
        // Numbers have an axis of features behind that of positions, or a piece would be a part of a sample's features.
        let sequence = spec.shape.len() >= 2 || spec.kind == ValueKind::Index;
        let fits = sequence
            && value.kind() == spec.kind
            && value.shape().len() == spec.shape.len() + 1
            && value.shape().get(2..) == spec.shape.get(1..)
            && value.shape().get(1).is_some_and(|&piece| piece > 0);
        if !fits {
            return Err(Error::Data {
                place: "the network's input".to_owned(),
                expected: format!("a piece of {} {spec}", spec.kind),
                found: format!("{} {}", value.kind(), value.shape()),
                help: match sequence {
                    true => "a piece has a batch and at least one position".to_owned(),
                    false => "the network takes vectors: use Network::forward".to_owned(),
                },
            });
        }
        let mut memories = memory.parts(cx, wiring.nodes.len())?;
        for (node, memory) in wiring.nodes.iter().zip(&mut memories) {
            cx.enter_layer(&node.path);
            let before = std::mem::take(memory);
            (value, *memory) = step(cx, &*node.module, &value, before)?;
            check_finite(cx, &value, || cx.place_without_iteration())?;
        }
        Ok((value, Memory::Parts(memories)))
    }
}
