//! Where a variable stands on its tape.

use super::{Backward, Node, Recording, Tape};
use crate::gradients::Gradients;
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// A place on a tape.
#[derive(Clone)]
pub(crate) struct NodeRef<F: Float> {
    pub(super) tape: Arc<Recording<F>>,
    pub(crate) index: u32,
    /// The generation of the tape when the value was recorded. No two tapes share one.
    pub(super) generation: u64,
}

impl<F: Float> NodeRef<F> {
    /// The tape that the value is on.
    pub(crate) fn tape(&self) -> Tape<F> {
        Tape {
            recording: Some(self.tape.clone()),
        }
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The gradients by every leaf, given the one of this value.
    #[track_caller]
    pub(crate) fn gradients(&self, cotangent: Tensor<F>) -> Gradients<F> {
        self.tape.gradients(|nodes, sweep| {
            if self.generation != nodes.generation {
                cleared();
            }
            sweep.add(self.index, cotangent);
        })
    }

    /// Records the result of an operation on this value (and others of the same tape).
    #[track_caller]
    #[inline]
    pub(crate) fn record(&self, output: Tensor<F>, op: impl Backward<F> + 'static) -> Var<F> {
        let node = Node::Op(Box::new(op));
        let mut nodes = self.tape.lock();
        if self.generation != nodes.generation {
            drop(nodes);
            cleared();
        }
        let index = nodes.push(node);
        drop(nodes);
        Var::recorded(
            output,
            Self {
                tape: self.tape.clone(),
                index,
                generation: self.generation,
            },
        )
    }

    /// Panics if the other value is on another tape, or on the same one before it was cleared.
    #[track_caller]
    #[inline]
    pub(crate) fn same_tape(&self, other: &Self) {
        if self.generation != other.generation {
            if Arc::ptr_eq(&self.tape, &other.tape) {
                cleared();
            }
            mixed();
        }
    }
}

/// Panics: the variable's tape was cleared.
#[track_caller]
#[cold]
#[inline(never)]
fn cleared() -> ! {
    panic!(
        "the variable was recorded before its tape was cleared; make a new leaf of its value for this step"
    )
}

/// Panics: two tapes met.
#[track_caller]
#[cold]
#[inline(never)]
fn mixed() -> ! {
    panic!("an operation mixes variables of two tapes; use detach() to carry a value over")
}
