//! Linear recurrences without a matrix.

use super::{Steps, plan};
use crate::element::Float;
use crate::error::{Error, Result};
use crate::kernels::recurrent::LinearScan;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The outputs and last states of a [`linear_scan`], with what its way back needs.
#[derive(Debug)]
pub struct LinearScanned<F: Float = f32> {
    steps: Steps,
    decay: Tensor<F>,
    /// By falling length.
    initial: Tensor<F>,
    outputs: Tensor<F>,
}

/// Runs a linear recurrence whose state is not mixed: `h' = decay ⊙ h + input`.
///
/// There is no product in it, so it takes the time that reading and writing takes. Minimal GRUs and linear recurrent units
/// are made of it.
///
/// # Shapes
/// - `decay`, `input`: `[rows, width]`, in the order of `steps`; `state`: `[batch, width]`
/// - returns [outputs](LinearScanned::outputs) `[rows + batch, width]`
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_tensor::recurrent::{Steps, linear_scan};
/// let (half, x) = (Tensor::full([3, 1], 0.5), Tensor::from([[4.0], [2.0], [1.0]]));
/// let scanned = linear_scan(&half, &x, &Tensor::zeros([1, 1]), &Steps::even(1, 3))?;
/// assert_eq!(scanned.outputs().to_vec(), [4.0, 4.0, 3.0, 3.0]);
/// # Ok::<(), fb_tensor::Error>(())
/// ```
///
/// # Errors
/// The shapes do not fit, or the result has more elements than memory can hold.
pub fn linear_scan<F: Float>(
    decay: &Tensor<F>,
    input: &Tensor<F>,
    state: &Tensor<F>,
    steps: &Steps,
) -> Result<LinearScanned<F>> {
    let width = state.dims().last().copied().unwrap_or(0);
    let rows = [steps.rows(), width];
    for (name, found) in [("decay", decay), ("input", input)] {
        if found.dims() != rows {
            return Err(Error::Shapes {
                op: "linear_scan",
                left: format!("{name} {}", found.shape()),
                right: format!("[{}, {width}]", steps.rows()),
                help: "a row for each step of each sequence, as wide as the state",
            });
        }
    }
    if state.dims() != [steps.batch(), width] {
        return Err(Error::Shapes {
            op: "linear_scan",
            left: format!("a state {}", state.shape()),
            right: format!("[{}, {width}]", steps.batch()),
            help: "a state has a row for each sequence",
        });
    }
    let shape = Shape::try_new(&[steps.rows().saturating_add(steps.batch()), width])?;
    let mut scanned = LinearScanned {
        steps: steps.clone(),
        decay: decay.contiguous(),
        initial: match steps.order() {
            Some(order) => state.select_rows(order),
            None => state.contiguous(),
        },
        outputs: Tensor::from_scalar(F::ZERO),
    };
    let input = input.contiguous();
    scanned.outputs = Tensor::filled_by(shape, |outputs| {
        let input = input.as_slice().expect("made contiguous");
        if !outputs.is_empty() {
            (F::kernels().linear_scan)(&scanned.kernel(), input, outputs);
        }
    });
    Ok(scanned)
}

impl<F: Float> LinearScanned<F> {
    /// The states `[rows, width]` in the order of the steps, and after them the last ones `[batch, width]`, in the order in
    /// which the sequences come.
    pub fn outputs(&self) -> &Tensor<F> {
        &self.outputs
    }

    fn kernel(&self) -> LinearScan<'_, F> {
        LinearScan {
            plan: plan(&self.steps),
            width: self.decay.dim(1),
            decay: self.decay.as_slice().expect("made contiguous"),
            initial: self.initial.as_slice().expect("made contiguous"),
        }
    }

    /// The gradients by decay, input and state, given the one by [`LinearScanned::outputs`].
    ///
    /// # Panics
    /// If the gradient has another shape than the outputs.
    #[track_caller]
    #[must_use]
    pub fn backward(&self, gradient: &Tensor<F>) -> [Tensor<F>; 3] {
        assert_eq!(
            gradient.shape(),
            self.outputs.shape(),
            "linear_scan: the gradient has the shape of the outputs"
        );
        let gradient = gradient.contiguous();
        let mut found = [
            Tensor::filled_by(*self.decay.shape(), |_| {}),
            Tensor::filled_by(*self.decay.shape(), |_| {}),
            Tensor::filled_by(*self.initial.shape(), |_| {}),
        ];
        if !gradient.is_empty() {
            let [by_decay, by_input, by_state] = found.each_mut().map(Tensor::make_mut);
            (F::kernels().linear_scan_backward)(
                &self.kernel(),
                self.outputs.as_slice().expect("made contiguous"),
                gradient.as_slice().expect("made contiguous"),
                by_decay,
                by_input,
                by_state,
            );
        }
        found
    }
}
