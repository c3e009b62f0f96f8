//! Biases of gates that stand side by side in one vector.

use fb_tensor::random::Rng;
use fb_tensor::{Float, Shape, Tensor};

/// 1 for the gate that forgets, 0 for the others.
pub(super) fn unit_forget<F: Float>(shape: Shape, gates: usize, forget: usize) -> Tensor<F> {
    let units = shape[0] / gates;
    Tensor::from_fn(shape, |at| {
        F::select(at[0] / units == forget, F::ONE, F::ZERO)
    })
}

/// `ln U(1, longest − 1)` for the gate that forgets, the same with the other sign for the one that writes.
pub(super) fn chrono<F: Float>(
    shape: Shape,
    longest: f64,
    [gates, forget, input]: [usize; 3],
    rng: &mut Rng,
) -> Tensor<F> {
    let units = shape[0] / gates;
    let lags = Tensor::<f64>::uniform([units], 1.0, longest - 1.0, rng);
    Tensor::from_fn(shape, |at| {
        let (gate, unit) = (at[0] / units, at[0] % units);
        let bias = F::from_f64(lags.at(&[unit]).ln());
        match gate {
            gate if gate == forget => bias,
            gate if gate == input => -bias,
            _ => F::ZERO,
        }
    })
}
