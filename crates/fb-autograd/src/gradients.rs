//! What a sweep leaves behind.

use crate::tape::Recording;
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use std::sync::Weak;

/// The gradients of the leaves of a tape, looked up by variable; each is contiguous.
///
/// ```
/// use fb_autograd::Tape;
/// use fb_tensor::Tensor;
/// let tape = Tape::new();
/// let (x, unused) = (tape.leaf(Tensor::from([3.0])), tape.leaf(Tensor::from([1.0])));
/// let mut gradients = x.square().sum().backward();
/// assert_eq!(gradients.len(), 1);
/// assert!(gradients.get(&unused).is_none());
/// assert_eq!(gradients.take(&x).unwrap().to_vec(), [6.0]);
/// assert!(gradients.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Gradients<F: Float = f32> {
    /// Sorted by falling index; `None` once taken.
    by_leaf: ByLeaf<F>,
    generation: u64,
    /// Where the memory of the list goes in the end, if it is still there: what is recorded must not stay for it.
    tape: Weak<Recording<F>>,
}

/// Gradients by the index of their leaf.
pub(crate) type ByLeaf<F> = Vec<(u32, Option<Tensor<F>>)>;

impl<F: Float> Gradients<F> {
    pub(crate) fn new(by_leaf: ByLeaf<F>, generation: u64, tape: Weak<Recording<F>>) -> Self {
        debug_assert!(by_leaf.windows(2).all(|pair| pair[0].0 > pair[1].0));
        Self {
            by_leaf,
            generation,
            tape,
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            by_leaf: ByLeaf::new(),
            generation: 0,
            tape: Weak::new(),
        }
    }

    /// The gradient by a leaf; `None` if the output does not depend on it or it is not a leaf.
    pub fn get(&self, leaf: &Var<F>) -> Option<&Tensor<F>> {
        self.by_leaf[self.position(leaf)?].1.as_ref()
    }

    /// Like [`Gradients::get`], giving the gradient away.
    pub fn take(&mut self, leaf: &Var<F>) -> Option<Tensor<F>> {
        let position = self.position(leaf)?;
        self.by_leaf[position].1.take()
    }

    /// How many leaves have a gradient.
    pub fn len(&self) -> usize {
        self.by_leaf
            .iter()
            .filter(|(_, gradient)| gradient.is_some())
            .count()
    }

    /// Whether no leaf has a gradient.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn position(&self, leaf: &Var<F>) -> Option<usize> {
        let node = leaf.node()?;
        if node.generation() != self.generation {
            return None;
        }
        self.by_leaf
            .binary_search_by(|(index, _)| node.index.cmp(index))
            .ok()
    }
}

impl<F: Float> Drop for Gradients<F> {
    fn drop(&mut self) {
        if let Some(tape) = self.tape.upgrade() {
            tape.keep_gradients(std::mem::take(&mut self.by_leaf));
        }
    }
}
