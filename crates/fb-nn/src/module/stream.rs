//! Running a layer on a sequence that comes piece by piece.

use super::{Context, Module, Value};
use crate::cell::CellState;
use crate::error::{Error, Result};
use fb_tensor::{Float, KvCache};

/// How a layer runs when a sequence comes in pieces along its time axis, the first after the batch.
#[non_exhaustive]
pub enum Streaming<'a, F: Float> {
    /// Not at all: it needs whole sequences.
    Whole,
    /// As on a whole sequence: each position is computed from itself alone.
    Pointwise,
    /// With a memory of the positions that have passed.
    Stateful(&'a dyn StreamModule<F>),
}

/// A layer that remembers the positions that have passed, such as causal attention with its keys and values.
///
/// Run on the pieces of a sequence one after another, it gives what [`Module::forward`] gives on the whole.
pub trait StreamModule<F: Float> {
    /// Computes the outputs of the next piece, given what is remembered of those before it; hands back what to remember
    /// with this piece. Before the first piece that is [`Memory::Empty`].
    ///
    /// # Errors
    /// The inputs are not what the layer was built for, or the memory is not of this layer.
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)>;
}

/// What layers remember of the positions that have passed: a value that is handed in and out, so that several sequences
/// can be continued side by side, or one in several ways.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Memory<F: Float = f32> {
    /// Nothing has passed, or nothing need be remembered.
    #[default]
    Empty,
    /// How many positions have passed.
    Position(usize),
    /// The keys and values of the positions that have passed.
    KeysValues(Box<KvCache<F>>),
    /// The states of recurrent cells.
    States(Vec<CellState<F>>),
    /// What the layers within remember, in order.
    Parts(Vec<Memory<F>>),
}

impl<F: Float> Memory<F> {
    /// What `count` layers within remember.
    ///
    /// # Errors
    /// The memory is not of so many layers.
    pub fn parts(self, cx: &Context<'_, F>, count: usize) -> Result<Vec<Self>> {
        match self {
            Self::Empty => Ok(vec![Self::Empty; count]),
            Self::Parts(parts) if parts.len() == count => Ok(parts),
            other => Err(other.misfit(cx, &format!("what {count} layers remember"))),
        }
    }

    /// How many positions have passed.
    ///
    /// # Errors
    /// The memory does not count positions.
    pub fn position(&self, cx: &Context<'_, F>) -> Result<usize> {
        match self {
            Self::Empty => Ok(0),
            Self::Position(passed) => Ok(*passed),
            other => Err(other.misfit(cx, "a number of positions")),
        }
    }

    /// The same without its past: what is computed from it sends no gradient back through the pieces before, as truncated
    /// backpropagation through time wants it.
    #[must_use]
    pub fn detach(self) -> Self {
        match self {
            Self::States(states) => Self::States(states.iter().map(CellState::detach).collect()),
            Self::Parts(parts) => Self::Parts(parts.into_iter().map(Self::detach).collect()),
            other => other,
        }
    }

    /// The error of a layer that is handed the memory of another.
    pub(crate) fn misfit(&self, cx: &Context<'_, F>, expected: &str) -> Error {
        let found = match self {
            Self::Empty => "an empty memory".to_owned(),
            Self::Position(passed) => format!("{passed} positions"),
            Self::KeysValues(cache) => format!("keys and values {}", cache.keys().shape()),
            Self::States(states) => format!("the states of {} cells", states.len()),
            Self::Parts(parts) => format!("what {} layers remember", parts.len()),
        };
        Error::Data {
            place: cx.place(),
            expected: format!("{expected} as memory"),
            found,
            help:
                "hand back the memory that this layer gave for the piece before, for the same batch"
                    .to_owned(),
        }
    }
}

/// Runs any module on the next piece of a sequence.
///
/// # Errors
/// The module needs whole sequences, or fails.
pub(crate) fn step<F: Float>(
    cx: &mut Context<'_, F>,
    module: &dyn Module<F>,
    input: &Value<F>,
    memory: Memory<F>,
) -> Result<(Value<F>, Memory<F>)> {
    match module.streaming() {
        Streaming::Pointwise => Ok((super::one_output(cx, module, input)?, memory)),
        Streaming::Stateful(module) => {
            module.forward_from(cx, std::slice::from_ref(input), memory)
        }
        Streaming::Whole => Err(Error::Data {
            place: cx.place(),
            expected: "a layer that can run on a sequence piece by piece".to_owned(),
            found: "one that needs whole sequences".to_owned(),
            help: "dense layers, norms over the last axis, embeddings, positions, causal attention and recurrent layers that run one way can"
                .to_owned(),
        }),
    }
}
