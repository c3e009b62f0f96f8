//! What a sweep leaves behind.

use crate::var::Var;
use fb_tensor::{Float, Tensor};

/// The gradients of the leaves of a tape, looked up by variable.
#[derive(Clone, Debug)]
pub struct Gradients<F: Float = f32> {
    /// Sorted by falling index.
    by_leaf: Vec<(u32, Tensor<F>)>,
    generation: u32,
}

impl<F: Float> Gradients<F> {
    pub(crate) fn new(by_leaf: Vec<(u32, Tensor<F>)>, generation: u32) -> Self {
        debug_assert!(by_leaf.windows(2).all(|pair| pair[0].0 > pair[1].0));
        Self { by_leaf, generation }
    }

    pub(crate) fn empty() -> Self {
        Self { by_leaf: Vec::new(), generation: 0 }
    }

    /// The gradient by a leaf; `None` if the output does not depend on it or it is not a leaf.
    pub fn get(&self, leaf: &Var<F>) -> Option<&Tensor<F>> {
        self.position(leaf).map(|i| &self.by_leaf[i].1)
    }

    /// Like [`Gradients::get`], giving the gradient away.
    pub fn take(&mut self, leaf: &Var<F>) -> Option<Tensor<F>> {
        self.position(leaf).map(|i| self.by_leaf.remove(i).1)
    }

    /// How many leaves have a gradient.
    pub fn len(&self) -> usize {
        self.by_leaf.len()
    }

    /// Whether no leaf has a gradient.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    fn position(&self, leaf: &Var<F>) -> Option<usize> {
        let node = leaf.node()?;
        if node.generation() != self.generation {
            return None;
        }
        self.by_leaf.binary_search_by(|(index, _)| node.index.cmp(index)).ok()
    }
}
