//! Recurrent cells over whole sequences: every step of a batch in one call, forward and back.
//!
//! [`scan`] runs one of the [`Recurrence`]s over rows that are packed in the order of [`Steps`]; [`Scanned::backward`] goes
//! back through time. [`linear_scan`] runs recurrences that have no product. What the inputs give is computed for all steps at once before, with one product.

mod linear;
mod steps;

pub use linear::{LinearScanned, linear_scan};
pub use steps::Steps;

use crate::element::Float;
use crate::error::{Error, Result};
use crate::kernels::recurrent::{Left, Plan, Scan, padded};
use crate::linalg::sum_of_products;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What a recurrent cell computes from what its input gives, `x`, and its state. `U` is the recurrent weight
/// `[hidden, gates · hidden]`, whose columns stand gate after gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recurrence {
    /// `h' = tanh(x + h U)`
    ///
    /// # References
    /// J. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
    ElmanTanh,
    /// `h' = max(0, x + h U)`
    ///
    /// # References
    /// Q. Le, N. Jaitly, G. Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015.
    ElmanRelu,
    /// With the gates `i, f, g, o` from `x + h U` (PyTorch's and Keras's order):
    /// `c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g)`, `h' = σ(o) ⊙ tanh(c')`. The states are `h` and `c`.
    ///
    /// # References
    /// F. Gers, J. Schmidhuber, F. Cummins, "Learning to forget: continual prediction with LSTM", Neural Computation 12(10),
    /// 2000.
    Lstm,
    /// With the gates `r, z, n` (PyTorch's order; Keras has `z, r, n`): `r = σ(x_r + h U_r)`, `z = σ(x_z + h U_z)`,
    /// `h' = (1 − z) ⊙ n + z ⊙ h`, and `n = tanh(x_n + r ⊙ (h U_n + b))` where the reset comes after the product (PyTorch
    /// and Keras's default), `n = tanh(x_n + (r ⊙ h) U_n)` where it comes before.
    ///
    /// # References
    /// K. Cho et al., "Learning phrase representations using RNN encoder–decoder for statistical machine translation",
    /// EMNLP 2014: version 1 (2014) resets before the product, version 3 after.
    Gru {
        /// Whether the reset gate acts on the product with the recurrent weight, not on the state.
        reset_after: bool,
    },
}

impl Recurrence {
    /// How many numbers the cell adds up for each number of its state.
    pub fn gates(self) -> usize {
        match self {
            Self::ElmanTanh | Self::ElmanRelu => 1,
            Self::Lstm => 4,
            Self::Gru { .. } => 3,
        }
    }

    /// How many states the cell has; the first is also its output.
    pub fn registers(self) -> usize {
        match self {
            Self::Lstm => 2,
            _ => 1,
        }
    }

    /// Whether a bias is added to the recurrent product inside a gate, where that of the input cannot stand for it.
    pub fn takes_bias(self) -> bool {
        matches!(self, Self::Gru { reset_after: true })
    }
}

/// A scan's outputs and last states, with what its way back needs.
#[derive(Debug)]
pub struct Scanned<F: Float = f32> {
    recurrence: Recurrence,
    steps: Steps,
    weight: Tensor<F>,
    bias: Option<Tensor<F>>,
    /// By falling length.
    initial: Vec<Tensor<F>>,
    gates: Tensor<F>,
    saved: Option<Tensor<F>>,
    outputs: Tensor<F>,
}

/// What [`Scanned::backward`] gives.
#[derive(Debug)]
pub struct ScanGradients<F: Float = f32> {
    /// By what the inputs gave, `[rows, gates · hidden]`.
    pub projected: Tensor<F>,
    /// Pairs whose products `xᵀ · g`, added up, are the gradient by the recurrent weight; together with those of other
    /// scans they can become one product.
    pub products: Vec<(Tensor<F>, Tensor<F>)>,
    /// The gradient by the recurrent weight, where it is not what `products` give.
    pub weight: Option<Tensor<F>>,
    /// By the bias, `[hidden]`.
    pub bias: Option<Tensor<F>>,
    /// By the states before the first step, `[batch, hidden]` each.
    pub state: Vec<Tensor<F>>,
}

/// Runs a recurrent cell through all steps.
///
/// `projected` is written over if nothing shares it. Sequences that have ended keep the state of their last step.
/// Per instruction set, the bits of a row depend on its own sequence alone: running it in pieces, each with the states that
/// the one before left, gives the same.
///
/// # Shapes
/// - `projected`: `[rows, gates · hidden]`, the part of the gates' sums that the inputs give with all biases, in the order
///   of `steps`
/// - `weight`: `[hidden, gates · hidden]`; `bias`: `[hidden]`, for a recurrence that
///   [takes one](Recurrence::takes_bias)
/// - `state`: `[batch, hidden]` for each register, in the order in which the sequences come
/// - returns [outputs](Scanned::outputs) `[rows + registers · batch, hidden]`
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_tensor::recurrent::{Recurrence, Steps, scan};
/// // A cell that adds up what it is given: its weight is 1.
/// let steps = Steps::even(1, 3);
/// let (x, one, zero) = (Tensor::from([[1.0], [2.0], [3.0]]), Tensor::eye(1), Tensor::zeros([1, 1]));
/// let sums = scan(Recurrence::ElmanRelu, x, &one, None, &[&zero], &steps, false)?;
/// assert_eq!(sums.outputs().to_vec(), [1.0, 3.0, 6.0, 6.0]);
/// # Ok::<(), fb_tensor::Error>(())
/// ```
///
/// # Errors
/// The shapes do not fit, or the result has more elements than memory can hold.
pub fn scan<F: Float>(
    recurrence: Recurrence,
    projected: Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    state: &[&Tensor<F>],
    steps: &Steps,
    keep: bool,
) -> Result<Scanned<F>> {
    let hidden = check(recurrence, &projected, weight, bias, state, steps)?;
    let rows = steps.rows();
    let tail = recurrence.registers() * steps.batch();
    let shape = Shape::try_new(&[rows.saturating_add(tail), hidden])?;
    let initial: Vec<Tensor<F>> = state
        .iter()
        .map(|state| match steps.order() {
            Some(order) => state.select_rows(order),
            None => state.contiguous(),
        })
        .collect();
    let needed = keep && !matches!(recurrence, Recurrence::ElmanTanh | Recurrence::ElmanRelu);
    let mut scanned = Scanned {
        recurrence,
        steps: steps.clone(),
        weight: weight.clone(),
        bias: bias.map(Tensor::contiguous),
        initial,
        gates: projected,
        saved: needed.then(|| Tensor::filled_by([rows, hidden], |_| {})),
        outputs: Tensor::filled_by(shape, |_| {}),
    };
    if hidden > 0 {
        let mut gates = std::mem::replace(&mut scanned.gates, Tensor::from_scalar(F::ZERO));
        let mut outputs = std::mem::replace(&mut scanned.outputs, Tensor::from_scalar(F::ZERO));
        let mut saved = scanned.saved.take();
        (F::kernels().scan)(
            &scanned.kernel(),
            gates.make_mut(),
            outputs.make_mut(),
            saved.as_mut().map(Tensor::make_mut),
        );
        (scanned.gates, scanned.outputs, scanned.saved) = (gates, outputs, saved);
    }
    if !needed {
        // What an Elman cell needs on its way back are its outputs.
        scanned.gates = Tensor::from_scalar(F::ZERO);
    }
    Ok(scanned)
}

impl<F: Float> Scanned<F> {
    /// The outputs `[rows, hidden]` in the order of the steps, and after them, in the order in which the sequences come, the
    /// last states `[batch, hidden]` of each register.
    pub fn outputs(&self) -> &Tensor<F> {
        &self.outputs
    }

    /// The shape of [`Scanned::outputs`]' gradient, and the scan as the kernels see it.
    fn kernel(&self) -> Scan<'_, F> {
        fn slice<F: Float>(t: &Tensor<F>) -> &[F] {
            t.as_slice().expect("made contiguous")
        }
        Scan {
            recurrence: self.recurrence,
            plan: plan(&self.steps),
            hidden: self.weight.dim(0),
            weight: self.weight.matrix(0),
            bias: self.bias.as_ref().map(slice),
            initial: [
                slice(&self.initial[0]),
                self.initial.get(1).map_or(&[], slice),
            ],
        }
    }

    /// Back through time, given the gradient by [`Scanned::outputs`]; `weight` says whether the gradient by the recurrent
    /// weight is wanted.
    ///
    /// # Panics
    /// If the scan was not asked to keep what this needs, or the gradient has another shape than the outputs.
    #[track_caller]
    #[must_use]
    pub fn backward(&self, gradient: &Tensor<F>, weight: bool) -> ScanGradients<F> {
        assert_eq!(
            gradient.shape(),
            self.outputs.shape(),
            "scan: the gradient has the shape of the outputs"
        );
        let (hidden, rows, batch) = (self.weight.dim(0), self.steps.rows(), self.steps.batch());
        let width = self.weight.dim(1);
        let elman = matches!(
            self.recurrence,
            Recurrence::ElmanTanh | Recurrence::ElmanRelu
        );
        assert!(
            elman || self.gates.dims() == [rows, width],
            "scan: it was not asked to keep what its way back needs"
        );
        let stride = padded::<F>(width);
        let (mut projected, mut recurrent) = (Tensor::from_scalar(F::ZERO), None);
        let registers = self.recurrence.registers();
        if self.recurrence.takes_bias() && (weight || self.bias.is_some()) {
            recurrent = Some(Tensor::filled_by([rows, stride], |_| {}));
        }
        let gradient = gradient.contiguous();
        let states = Tensor::filled_by([registers * batch, hidden], |states| {
            projected = Tensor::filled_by([rows, stride], |projected| {
                if hidden == 0 {
                    return;
                }
                let left = Left {
                    gates: self.gates.as_slice().expect("kept contiguous"),
                    outputs: self.outputs.as_slice().expect("made contiguous"),
                    saved: self
                        .saved
                        .as_ref()
                        .map_or(&[], |saved| saved.as_slice().expect("made contiguous")),
                    gradient: gradient.as_slice().expect("made contiguous"),
                };
                (F::kernels().scan_backward)(
                    &self.kernel(),
                    left,
                    projected,
                    recurrent.as_mut().map(Tensor::make_mut),
                    states,
                );
            });
        });
        let projected = projected.slice(1, 0..width);
        let recurrent = recurrent.map(|recurrent| recurrent.slice(1, 0..width));
        let by_sums = recurrent.as_ref().unwrap_or(&projected);
        let mut gradients = ScanGradients {
            products: Vec::new(),
            weight: None,
            bias: self.bias.as_ref().map(|_| {
                let candidates = by_sums.slice(1, width - hidden..width);
                candidates.sum_to([hidden].into())
            }),
            state: (0..registers)
                .map(|register| states.slice(0, register * batch..(register + 1) * batch))
                .collect(),
            projected: Tensor::from_scalar(F::ZERO),
        };
        if weight {
            let products = self.products(by_sums);
            if self.recurrence == (Recurrence::Gru { reset_after: false }) {
                gradients.weight = Some(self.weight_through_reset(&products, by_sums));
            } else {
                gradients.products = products;
            }
        }
        gradients.projected = projected;
        gradients
    }

    /// The state before each row and the gradient by the row's sums, in as few pairs as there are lengths.
    fn products(&self, by_sums: &Tensor<F>) -> Vec<(Tensor<F>, Tensor<F>)> {
        let count = self.steps.len();
        let start = |step: usize| self.steps.row(step);
        let mut products = Vec::new();
        if count == 0 {
            return products;
        }
        let first = start(1);
        products.push((
            self.initial[0].slice(0, 0..first),
            by_sums.slice(0, 0..first),
        ));
        let running = |step: usize| start(step + 1) - start(step);
        let mut step = 1;
        while step < count {
            // Steps with as many rows as the one before, whose states stand together.
            let mut end = step + 1;
            while end < count && running(end - 1) == running(end) {
                end += 1;
            }
            // The first of them may have fewer rows than the step before it.
            let rows = start(end) - start(step);
            let from = start(step - 1);
            if running(step - 1) == running(step) || end == step + 1 {
                products.push((
                    self.outputs.slice(0, from..from + rows),
                    by_sums.slice(0, start(step)..start(end)),
                ));
            } else {
                let (own, rest) = (running(step), start(step));
                products.push((
                    self.outputs.slice(0, from..from + own),
                    by_sums.slice(0, rest..rest + own),
                ));
                products.push((
                    self.outputs.slice(0, rest..rest + rows - own),
                    by_sums.slice(0, rest + own..start(end)),
                ));
            }
            step = end;
        }
        products
    }

    /// The gradient by the weight of a GRU that resets before the product: the candidate's part met the reset state.
    fn weight_through_reset(
        &self,
        products: &[(Tensor<F>, Tensor<F>)],
        by_sums: &Tensor<F>,
    ) -> Tensor<F> {
        let hidden = self.weight.dim(0);
        let Some(reset) = self.saved.as_ref().filter(|_| !products.is_empty()) else {
            return self.weight.zeros_like();
        };
        let switches: Vec<_> = products
            .iter()
            .map(|(x, g)| (x.clone(), g.slice(1, 0..2 * hidden)))
            .collect();
        let candidates = by_sums.slice(1, 2 * hidden..3 * hidden);
        let parts = [
            sum_of_products(&switches),
            sum_of_products(&[(reset.clone(), candidates)]),
        ];
        Tensor::concat(&[&parts[0], &parts[1]], 1)
    }
}

/// The steps as the kernels see them.
fn plan(steps: &Steps) -> Plan<'_> {
    Plan {
        batch: steps.batch(),
        steps: steps.len(),
        ragged: steps.starts_and_lengths(),
        order: steps.order(),
    }
}

/// Checks that everything fits; the width of the state.
fn check<F: Float>(
    recurrence: Recurrence,
    projected: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    state: &[&Tensor<F>],
    steps: &Steps,
) -> Result<usize> {
    let misfit = |left: String, right: String, help| {
        Err(Error::Shapes {
            op: "scan",
            left,
            right,
            help,
        })
    };
    let hidden = weight.dims().first().copied().unwrap_or(0);
    let width = hidden.saturating_mul(recurrence.gates());
    if weight.dims() != [hidden, width] {
        return misfit(
            format!("a weight {}", weight.shape()),
            format!("{} gates", recurrence.gates()),
            "the recurrent weight is [hidden, gates · hidden]",
        );
    }
    if projected.dims() != [steps.rows(), width] {
        return misfit(
            projected.shape().to_string(),
            format!("[{}, {width}]", steps.rows()),
            "a row for each step of each sequence, as wide as the recurrent weight",
        );
    }
    if state.len() != recurrence.registers() {
        return misfit(
            format!("{} states", state.len()),
            format!("{}", recurrence.registers()),
            "an LSTM has two states, other cells have one",
        );
    }
    for state in state {
        if state.dims() != [steps.batch(), hidden] {
            return misfit(
                format!("a state {}", state.shape()),
                format!("[{}, {hidden}]", steps.batch()),
                "a state has a row for each sequence, as wide as the recurrent weight has rows",
            );
        }
    }
    if let Some(bias) = bias
        && !(recurrence.takes_bias() && bias.dims() == [hidden])
    {
        return misfit(
            format!("a bias {}", bias.shape()),
            if recurrence.takes_bias() {
                format!("[{hidden}]")
            } else {
                "no bias".to_owned()
            },
            "only a GRU that resets after the product has a bias there; others join that of the input",
        );
    }
    Ok(hidden)
}
