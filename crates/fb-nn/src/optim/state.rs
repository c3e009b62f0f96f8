//! What an optimizer remembers.

use super::apply::Lists;
use crate::param::ParamId;
use fb_tensor::{Float, Tensor};

/// What an optimizer remembers of each parameter: how many steps it has made on it and the tensors in its slots.
///
/// It fills as parameters are updated for the first time. Steps are counted per parameter, so that one that was frozen
/// at first starts afresh when its turn comes.
#[derive(Clone, Debug)]
pub struct OptimizerState<F: Float = f32> {
    /// By position of the parameter.
    memories: Vec<Memory<F>>,
    pub(super) lists: Lists<F>,
}

/// What is remembered of one parameter; nothing before its first step.
#[derive(Clone, Debug)]
pub(super) struct Memory<F: Float> {
    pub(super) steps: u64,
    pub(super) slots: Vec<Tensor<F>>,
}

impl<F: Float> Default for OptimizerState<F> {
    fn default() -> Self {
        Self {
            memories: Vec::new(),
            lists: Lists::default(),
        }
    }
}

impl<F: Float> OptimizerState<F> {
    /// Nothing remembered.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many steps were made on a parameter.
    pub fn steps(&self, id: ParamId) -> u64 {
        self.memories
            .get(id.index())
            .map_or(0, |memory| memory.steps)
    }

    /// Whether no step was made yet.
    pub fn is_empty(&self) -> bool {
        self.memories.iter().all(|memory| memory.steps == 0)
    }

    /// What is remembered of a parameter with a step behind it.
    pub(super) fn get(&self, id: ParamId) -> Option<&Memory<F>> {
        self.memories
            .get(id.index())
            .filter(|memory| memory.steps > 0)
    }

    /// The memories of the first so many parameters, for writing.
    pub(super) fn memories(&mut self, count: usize) -> &mut [Memory<F>] {
        if let Some(last) = count.checked_sub(1) {
            self.memory_at(last);
        }
        &mut self.memories[..count]
    }

    /// The memory of a parameter, for writing.
    #[inline]
    pub(super) fn memory(&mut self, id: ParamId) -> &mut Memory<F> {
        self.memory_at(id.index())
    }

    #[inline]
    fn memory_at(&mut self, position: usize) -> &mut Memory<F> {
        if position >= self.memories.len() {
            self.memories.resize_with(position + 1, || Memory {
                steps: 0,
                slots: Vec::new(),
            });
        }
        &mut self.memories[position]
    }
}
