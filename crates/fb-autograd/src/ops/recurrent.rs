//! Recurrent cells over whole sequences, as one node.

use super::index;
use super::node::unary;
use crate::tape::{Backward, NodeRef, Sweep};
use crate::var::Var;
use fb_tensor::recurrent::{LinearScanned, Recurrence, Scanned, Steps, linear_scan, scan};
use fb_tensor::{Float, Result};

struct ScanNode<F: Float> {
    projected: Option<u32>,
    weight: Option<u32>,
    bias: Option<u32>,
    state: Vec<Option<u32>>,
    scanned: Scanned<F>,
}

impl<F: Float> Backward<F> for ScanNode<F> {
    fn backward(&self, gradient: fb_tensor::Tensor<F>, sweep: &mut Sweep<F>) {
        let gradients = self.scanned.backward(&gradient, self.weight.is_some());
        if let Some(parent) = self.weight {
            for (x, g) in gradients.products {
                sweep.add_product(parent, x, g);
            }
            if let Some(by_weight) = gradients.weight {
                sweep.add(parent, by_weight);
            }
        }
        if let (Some(parent), Some(by_bias)) = (self.bias, gradients.bias) {
            sweep.add(parent, by_bias);
        }
        for (parent, by_state) in self.state.iter().zip(gradients.state) {
            if let Some(parent) = *parent {
                sweep.add(parent, by_state);
            }
        }
        if let Some(parent) = self.projected {
            sweep.add(parent, gradients.projected);
        }
    }
}

struct LinearScanNode<F: Float> {
    /// Decay, input, state.
    parents: [Option<u32>; 3],
    scanned: LinearScanned<F>,
}

impl<F: Float> Backward<F> for LinearScanNode<F> {
    fn backward(&self, gradient: fb_tensor::Tensor<F>, sweep: &mut Sweep<F>) {
        let gradients = self.scanned.backward(&gradient);
        for (parent, gradient) in self.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                sweep.add(parent, gradient);
            }
        }
    }
}

/// The node of one of several operands, after checking that all are on the same tape; `None` for constants only.
#[track_caller]
fn node_of<'v, F: Float>(operands: impl Iterator<Item = &'v Var<F>>) -> Option<NodeRef<F>> {
    let mut node: Option<NodeRef<F>> = None;
    for operand in operands {
        match (&node, operand.node()) {
            (Some(one), Some(other)) => one.same_tape(other),
            (None, Some(other)) => node = Some(other.clone()),
            _ => {}
        }
    }
    node
}

impl<F: Float> Var<F> {
    /// Runs a recurrent cell through all steps of a batch of sequences; see [`fb_tensor::recurrent::scan`].
    ///
    /// `self` is what the inputs give; its numbers are written over where nothing else holds them. The tape gets one node for
    /// the whole scan, which keeps the gates of all steps and goes back through time in a loop; the gradient by the weight is
    /// gathered with those of other scans.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// use fb_tensor::recurrent::{Recurrence, Steps};
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0], [2.0], [3.0]]));
    /// let half = tape.leaf(Tensor::from([[0.5]]));
    /// let zero = Var::constant(Tensor::zeros([1, 1]));
    /// let (_, last) = x.clone().scan(Recurrence::ElmanRelu, &half, None, &[&zero], &Steps::even(1, 3));
    /// assert_eq!(last[0].item(), 3.0 + 0.5 * (2.0 + 0.5 * 1.0));
    /// let gradients = last[0].sum().backward();
    /// assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.25, 0.5, 1.0]);
    /// assert_eq!(gradients.get(&half).unwrap().to_vec(), [2.0 + 0.5 * 1.0 + 0.5 * 1.0]);
    /// ```
    ///
    /// # Shapes
    /// - `self`: `[rows, gates · hidden]`, `weight`: `[hidden, gates · hidden]`, `bias`: `[hidden]`
    /// - `state`: `[batch, hidden]` for each register of the cell
    /// - returns the outputs `[rows, hidden]` and the last states `[batch, hidden]`
    ///
    /// # Panics
    /// If the shapes do not fit or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn scan(
        self,
        recurrence: Recurrence,
        weight: &Self,
        bias: Option<&Self>,
        state: &[&Self],
        steps: &Steps,
    ) -> (Self, Vec<Self>) {
        match self.try_scan(recurrence, weight, bias, state, steps) {
            Ok(found) => found,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::scan`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    ///
    /// # Panics
    /// If the variables are on different tapes.
    #[track_caller]
    pub fn try_scan(
        self,
        recurrence: Recurrence,
        weight: &Self,
        bias: Option<&Self>,
        state: &[&Self],
        steps: &Steps,
    ) -> Result<(Self, Vec<Self>)> {
        let operands = [&self, weight].into_iter().chain(bias);
        let node = node_of(operands.chain(state.iter().copied()));
        let parents = (index(&self), index(weight), bias.and_then(index));
        let by_state = state.iter().map(|state| index(state)).collect();
        let states: Vec<_> = state.iter().map(|state| state.tensor()).collect();
        let scanned = scan(
            recurrence,
            self.into_tensor(),
            weight.tensor(),
            bias.map(Self::tensor),
            &states,
            steps,
            node.is_some(),
        )?;
        let output = scanned.outputs().clone();
        let output = match node {
            None => Self::constant(output),
            Some(node) => {
                let (projected, weight, bias) = parents;
                let op = ScanNode {
                    projected,
                    weight,
                    bias,
                    state: by_state,
                    scanned,
                };
                node.record(output, op)
            }
        };
        let (rows, batch) = (steps.rows(), steps.batch());
        let last = (0..recurrence.registers())
            .map(|register| {
                let from = rows + register * batch;
                output.slice(0, from..from + batch)
            })
            .collect();
        Ok((output.slice(0, 0..rows), last))
    }

    /// Runs the linear recurrence `h' = decay ⊙ h + self` through all steps; see [`fb_tensor::recurrent::linear_scan`]. One node.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// use fb_tensor::recurrent::Steps;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[4.0], [2.0], [1.0]]));
    /// let half = Var::constant(Tensor::full([3, 1], 0.5));
    /// let zero = Var::constant(Tensor::zeros([1, 1]));
    /// let (_, last) = x.linear_scan(&half, &zero, &Steps::even(1, 3));
    /// assert_eq!(last.item(), 3.0);
    /// assert_eq!(last.sum().backward().get(&x).unwrap().to_vec(), [0.25, 0.5, 1.0]);
    /// ```
    ///
    /// # Shapes
    /// - `self`, `decay`: `[rows, width]`; `state`: `[batch, width]`
    /// - returns the states `[rows, width]` and the last ones `[batch, width]`
    ///
    /// # Panics
    /// If the shapes do not fit or the variables are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn linear_scan(&self, decay: &Self, state: &Self, steps: &Steps) -> (Self, Self) {
        match self.try_linear_scan(decay, state, steps) {
            Ok(found) => found,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::linear_scan`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    ///
    /// # Panics
    /// If the variables are on different tapes.
    #[track_caller]
    pub fn try_linear_scan(
        &self,
        decay: &Self,
        state: &Self,
        steps: &Steps,
    ) -> Result<(Self, Self)> {
        let operands = [decay, self, state];
        let node = node_of(operands.into_iter());
        let scanned = linear_scan(decay.tensor(), self.tensor(), state.tensor(), steps)?;
        let output = scanned.outputs().clone();
        let output = match node {
            None => Self::constant(output),
            Some(node) => {
                let parents = operands.map(index);
                node.record(output, LinearScanNode { parents, scanned })
            }
        };
        let rows = steps.rows();
        Ok((
            output.slice(0, 0..rows),
            output.slice(0, rows..rows + steps.batch()),
        ))
    }

    /// The rows of all steps, without those of padding; see [`Steps::pack`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, …]`
    /// - returns `[rows, …]`
    ///
    /// # Panics
    /// If the first two extents are not those of the steps.
    #[track_caller]
    #[must_use]
    pub fn pack(&self, steps: &Steps) -> Self {
        match self.try_pack(steps) {
            Ok(packed) => packed,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::pack`] for shapes that come from data.
    ///
    /// # Errors
    /// The first two extents are not those of the steps.
    #[track_caller]
    pub fn try_pack(&self, steps: &Steps) -> Result<Self> {
        let output = steps.pack(self.tensor())?;
        let back = steps.clone();
        Ok(unary(self, output, move |g| {
            back.unpack(&g)
                .expect("the gradient has the output's shape")
        }))
    }

    /// Packed rows back in their places, zeros where there is padding; see [`Steps::unpack`].
    ///
    /// # Shapes
    /// - `self`: `[rows, …]`
    /// - returns `[batch, time, …]`
    ///
    /// # Panics
    /// If there are not as many rows as the steps have.
    #[track_caller]
    #[must_use]
    pub fn unpack(&self, steps: &Steps) -> Self {
        match self.try_unpack(steps) {
            Ok(unpacked) => unpacked,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::unpack`] for shapes that come from data.
    ///
    /// # Errors
    /// There are not as many rows as the steps have.
    #[track_caller]
    pub fn try_unpack(&self, steps: &Steps) -> Result<Self> {
        let output = steps.unpack(self.tensor())?;
        let back = steps.clone();
        Ok(unary(self, output, move |g| {
            back.pack(&g).expect("the gradient has the output's shape")
        }))
    }
}
