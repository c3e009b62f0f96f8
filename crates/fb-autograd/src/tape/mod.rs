//! The tape: a flat list of what was computed, in order.
//!
//! Index order is topological order, so going back over it and dropping it are loops: a chain of a million nodes is no
//! different from one of ten.

mod sweep;

pub(crate) use sweep::Sweep;

use crate::gradients::Gradients;
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a node does with the gradient of its output: the vector–Jacobian product.
pub(crate) trait Backward<F: Float>: Send {
    /// Hands each parent its share of `gradient`, which has the shape of the node's output.
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>);
}

/// A recorded value: a leaf, or the result of an operation that knows its way back.
pub(crate) enum Node<F: Float> {
    Leaf,
    Op(Box<dyn Backward<F>>),
}

/// Where a variable stands on its tape.
#[derive(Clone)]
pub(crate) struct NodeRef<F: Float> {
    tape: Arc<Recording<F>>,
    pub(crate) index: u32,
    /// The value of [`Nodes::generation`] when it was recorded.
    generation: u32,
}

struct Recording<F: Float> {
    nodes: Mutex<Nodes<F>>,
}

struct Nodes<F: Float> {
    list: Vec<Node<F>>,
    /// Counts [`Tape::clear`], so that a variable from before is recognised.
    generation: u32,
    /// Kept between sweeps so that small steps do not allocate.
    scratch: Option<Sweep<F>>,
}

impl<F: Float> Recording<F> {
    fn lock(&self) -> MutexGuard<'_, Nodes<F>> {
        // A panic in a user's gradient function leaves the list as it was, so a poisoned lock is still good.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records operations on the variables that came from it. Cloning gives another handle to the same tape.
pub struct Tape<F: Float = f32> {
    recording: Option<Arc<Recording<F>>>,
}

impl<F: Float> Clone for Tape<F> {
    fn clone(&self) -> Self {
        Self { recording: self.recording.clone() }
    }
}

impl<F: Float> Default for Tape<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Float> fmt::Debug for Tape<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recording {
            Some(_) => write!(f, "Tape with {} nodes", self.len()),
            None => f.write_str("Tape that records nothing"),
        }
    }
}

impl<F: Float> Tape<F> {
    /// An empty tape.
    pub fn new() -> Self {
        let nodes = Nodes { list: Vec::new(), generation: 0, scratch: None };
        Self { recording: Some(Arc::new(Recording { nodes: Mutex::new(nodes) })) }
    }

    /// A tape that records nothing: its leaves are constants. For evaluation and prediction.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::no_grad();
    /// let y = tape.leaf(Tensor::from([1.0, 2.0])).exp();
    /// assert!(!y.requires_grad());
    /// ```
    pub fn no_grad() -> Self {
        Self { recording: None }
    }

    /// Whether operations are recorded.
    pub fn records(&self) -> bool {
        self.recording.is_some()
    }

    /// A variable to differentiate by.
    pub fn leaf(&self, tensor: Tensor<F>) -> Var<F> {
        let Some(tape) = &self.recording else {
            return Var::constant(tensor);
        };
        let mut nodes = tape.lock();
        let index = push(&mut nodes, Node::Leaf);
        Var::recorded(tensor, NodeRef { tape: tape.clone(), index, generation: nodes.generation })
    }

    /// The number of recorded values.
    pub fn len(&self) -> usize {
        self.recording.as_ref().map_or(0, |tape| tape.lock().list.len())
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything recorded, and with it all saved tensors; the memory of the list is kept for the next step.
    ///
    /// Variables from before can still be read, but no longer differentiated or computed with.
    pub fn clear(&self) {
        if let Some(tape) = &self.recording {
            let mut nodes = tape.lock();
            nodes.list.clear();
            nodes.generation = nodes.generation.wrapping_add(1);
        }
    }

    /// The gradients of `Σ ⟨output, cotangent⟩` by every leaf. The tape stays as it is and can be swept again.
    ///
    /// # Panics
    /// If an output is not on this tape or a cotangent has another shape than its output.
    #[track_caller]
    pub fn gradients(&self, outputs: &[(&Var<F>, Tensor<F>)]) -> Gradients<F> {
        self.sweep(outputs, &[]).0
    }

    /// The vector–Jacobian products of the outputs by each of `wrt`, which need not be leaves; zeros where an output
    /// does not depend on it. The tape stays as it is.
    ///
    /// # Panics
    /// If a variable is not on this tape or a cotangent has another shape than its output.
    #[track_caller]
    pub fn vjp(&self, outputs: &[(&Var<F>, Tensor<F>)], wrt: &[&Var<F>]) -> Vec<Tensor<F>> {
        let found = self.sweep(outputs, wrt).1;
        found.into_iter().zip(wrt).map(|(g, v)| g.unwrap_or_else(|| v.tensor().zeros_like())).collect()
    }

    #[track_caller]
    fn sweep(&self, outputs: &[(&Var<F>, Tensor<F>)], wrt: &[&Var<F>]) -> (Gradients<F>, Vec<Option<Tensor<F>>>) {
        let Some(tape) = &self.recording else {
            return (Gradients::empty(), vec![None; wrt.len()]);
        };
        let mut nodes = tape.lock();
        let mut sweep = nodes.scratch.take().unwrap_or_default();
        sweep.prepare(nodes.list.len());
        for (output, cotangent) in outputs {
            assert_eq!(
                output.shape(),
                cotangent.shape(),
                "backward: a cotangent has the shape of its output"
            );
            // A constant output has no gradients: that is not an error, it just adds nothing.
            if let Some(node) = output.node() {
                self.check(node, &nodes);
                sweep.add(node.index, cotangent.clone());
            }
        }
        let marks: Vec<Option<u32>> = wrt
            .iter()
            .map(|v| {
                v.node().map(|node| {
                    self.check(node, &nodes);
                    node.index
                })
            })
            .collect();
        let found = sweep.run(&nodes.list, &marks);
        let gradients = Gradients::new(sweep.take_leaves(), nodes.generation);
        nodes.scratch = Some(sweep);
        (gradients, found)
    }

    #[track_caller]
    fn check(&self, node: &NodeRef<F>, nodes: &Nodes<F>) {
        let here = self.recording.as_ref().is_some_and(|tape| Arc::ptr_eq(tape, &node.tape));
        assert!(here, "a variable of another tape was given to this one; use detach() to carry a value over");
        assert_eq!(node.generation, nodes.generation, "the variable was recorded before its tape was cleared");
    }
}

fn push<F: Float>(nodes: &mut Nodes<F>, node: Node<F>) -> u32 {
    let index = u32::try_from(nodes.list.len()).expect("a tape holds at most 2^32 values; clear it between steps");
    nodes.list.push(node);
    index
}

impl<F: Float> NodeRef<F> {
    /// The tape that the value is on.
    pub(crate) fn tape(&self) -> Tape<F> {
        Tape { recording: Some(self.tape.clone()) }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Records the result of an operation on this value (and others of the same tape).
    #[track_caller]
    #[inline]
    pub(crate) fn record(&self, output: Tensor<F>, op: impl Backward<F> + 'static) -> Var<F> {
        let node = Node::Op(Box::new(op));
        let mut nodes = self.tape.lock();
        assert_eq!(self.generation, nodes.generation, "the variable was recorded before its tape was cleared");
        let index = push(&mut nodes, node);
        drop(nodes);
        Var::recorded(output, Self { tape: self.tape.clone(), index, generation: self.generation })
    }

    /// Panics if the other value is on another tape.
    #[track_caller]
    #[inline]
    pub(crate) fn same_tape(&self, other: &Self) {
        assert!(
            Arc::ptr_eq(&self.tape, &other.tape),
            "an operation mixes variables of two tapes; use detach() to carry a value over"
        );
    }
}
