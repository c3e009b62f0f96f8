//! The tape: a flat list of what was computed, in order.
//!
//! Index order is topological order, so going back over it and dropping it are loops: a chain of a million nodes is no
//! different from one of ten.

mod node_ref;
mod recording;
mod sweep;

pub(crate) use node_ref::NodeRef;
pub(crate) use recording::Recording;
pub(crate) use sweep::Sweep;

use crate::gradients::Gradients;
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use recording::Nodes;
use std::fmt;
use std::sync::Arc;

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

/// Records operations on the variables that came from it. Cloning gives another handle to the same tape.
///
/// One tape per training step: make leaves of the weights, compute a loss, take its [`Gradients`], [`clear`](Self::clear)
/// the tape, let the optimizer write. What is recorded shares the elements of the weights, so an optimizer that wrote
/// before that would copy each of them.
///
/// ```
/// use fb_autograd::Tape;
/// use fb_tensor::Tensor;
///
/// let tape = Tape::new();
/// let mut weight = Tensor::from([4.0]);
/// for _ in 0..20 {
///     let w = tape.leaf(weight.clone());
///     let gradients = w.square().sum().backward();
///     let gradient = gradients.get(&w).unwrap() * 0.25;
///     drop(w);
///     tape.clear();
///     weight = weight - gradient; // in place: nothing else holds the elements
/// }
/// assert!(weight.item() < 1e-4);
/// ```
pub struct Tape<F: Float = f32> {
    recording: Option<Arc<Recording<F>>>,
}

impl<F: Float> Clone for Tape<F> {
    fn clone(&self) -> Self {
        Self {
            recording: self.recording.clone(),
        }
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
        Self {
            recording: Some(Arc::new(Recording::new())),
        }
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
    #[inline]
    pub fn leaf(&self, tensor: Tensor<F>) -> Var<F> {
        let Some(tape) = &self.recording else {
            return Var::constant(tensor);
        };
        let mut nodes = tape.lock();
        let index = nodes.push(Node::Leaf);
        nodes.leaves += 1;
        let generation = nodes.generation;
        drop(nodes);
        Var::recorded(
            tensor,
            NodeRef {
                tape: tape.clone(),
                index,
                generation,
            },
        )
    }

    /// The number of recorded values.
    pub fn len(&self) -> usize {
        self.recording
            .as_ref()
            .map_or(0, |tape| tape.lock().list.len())
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
            tape.lock().clear();
        }
    }

    /// A list of `len` places for variables, all empty: for whoever makes a leaf of each of many weights at every step.
    ///
    /// Given back with [`Tape::keep_list`] at the end of the step, the memory of up to two such lists is used again.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// for _ in 0..3 {
    ///     let mut leaves = tape.list(1000);
    ///     leaves[7] = Some(tape.leaf(Tensor::from([1.0])));
    ///     tape.keep_list(leaves);
    ///     tape.clear();
    /// }
    /// ```
    pub fn list(&self, len: usize) -> Vec<Option<Var<F>>> {
        let mut list = Vec::new();
        if let Some(tape) = &self.recording {
            tape.keep(|spare| {
                let larger = usize::from(spare.vars[1].capacity() > spare.vars[0].capacity());
                list = std::mem::take(&mut spare.vars[larger]);
            });
        }
        list.resize_with(len, || None);
        list
    }

    /// Drops the variables of a list and keeps its memory for the next [`Tape::list`].
    pub fn keep_list(&self, mut list: Vec<Option<Var<F>>>) {
        list.clear();
        if let Some(tape) = &self.recording {
            tape.keep(|spare| {
                let smaller = usize::from(spare.vars[1].capacity() < spare.vars[0].capacity());
                let place = &mut spare.vars[smaller];
                if place.capacity() < list.capacity() {
                    *place = list;
                }
            });
        }
    }

    /// The gradients of `Σ ⟨output, cotangent⟩` by every leaf. The tape stays as it is and can be swept again.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = x.square();
    /// let gradients = tape.gradients(&[(&y, Tensor::from([1.0, 10.0]))]);
    /// assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 40.0]);
    /// ```
    ///
    /// # Panics
    /// If an output is not on this tape or a cotangent has another shape than its output.
    #[track_caller]
    pub fn gradients(&self, outputs: &[(&Var<F>, Tensor<F>)]) -> Gradients<F> {
        let Some(tape) = &self.recording else {
            return Gradients::empty();
        };
        tape.gradients(|nodes, sweep| seed(nodes, outputs, sweep))
    }

    /// The vector–Jacobian products of the outputs by each of `wrt`, which need not be leaves; zeros where an output
    /// does not depend on it. The tape stays as it is.
    ///
    /// The walk goes back no further than `wrt`, and gradients of weights that are not in it are not computed: this is
    /// what a solver calls that needs products with the Jacobian of a part of a network again and again.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = x.square();
    /// let z = y.sum();
    /// let by_y = tape.vjp(&[(&z, Tensor::scalar(1.0))], &[&y]);
    /// assert_eq!(by_y[0].to_vec(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If a variable is not on this tape or a cotangent has another shape than its output.
    #[track_caller]
    pub fn vjp(&self, outputs: &[(&Var<F>, Tensor<F>)], wrt: &[&Var<F>]) -> Vec<Tensor<F>> {
        let zeros = |v: &&Var<F>| v.tensor().zeros_like();
        let Some(tape) = &self.recording else {
            return wrt.iter().map(zeros).collect();
        };
        let found = tape.vjp(
            |nodes, sweep| seed(nodes, outputs, sweep),
            |nodes| wrt.iter().map(|v| place(v, nodes)).collect(),
        );
        found
            .into_iter()
            .zip(wrt)
            .map(|(g, v)| g.unwrap_or_else(|| zeros(v)))
            .collect()
    }
}

/// Hands each output's cotangent to its node.
#[track_caller]
fn seed<F: Float>(nodes: &Nodes<F>, outputs: &[(&Var<F>, Tensor<F>)], sweep: &mut Sweep<F>) {
    for (output, cotangent) in outputs {
        assert_eq!(
            output.shape(),
            cotangent.shape(),
            "gradients: a cotangent has the shape of its output"
        );
        // A constant output has no gradients: that is not an error, it just adds nothing.
        if let Some(index) = place(output, nodes) {
            sweep.add(index, cotangent.clone());
        }
    }
}

/// The index of a variable; `None` for constants.
///
/// # Panics
/// If the variable is on another tape.
#[track_caller]
fn place<F: Float>(var: &Var<F>, nodes: &Nodes<F>) -> Option<u32> {
    let node = var.node()?;
    assert_eq!(
        node.generation(),
        nodes.generation,
        "a variable of another tape, or from before this tape was cleared, was given to it; use detach() to carry a \
         value over"
    );
    Some(node.index)
}
