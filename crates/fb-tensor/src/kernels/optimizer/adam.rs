//! Adam and AdamW.

use super::for_each_part;
use crate::element::Float;

/// The numbers of one Adam step, the bias corrections included.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<F> {
    /// Learning rate.
    pub rate: F,
    /// Decay of the first moment, β₁.
    pub beta1: F,
    /// Decay of the second moment, β₂.
    pub beta2: F,
    /// Added to the denominator, ε.
    pub epsilon: F,
    /// `1 − β₁ᵗ`
    pub correction1: F,
    /// `√(1 − β₂ᵗ)`
    pub correction2_root: F,
    /// Weight decay added to the gradient (Adam with an L2 penalty), or 0.
    pub penalty: F,
    /// Weight decay applied to the value itself (AdamW): each step multiplies it by `1 − rate · decay`.
    pub decay: F,
}

multiversion! {
    fn adam_part [F: Float] (step: AdamStep<F>, value: &mut [F], gradient: &[F], m: &mut [F], v: &mut [F]) {
        let AdamStep { rate, beta1, beta2, epsilon, correction1, correction2_root, penalty, decay } = step;
        let (keep1, keep2) = (F::ONE - beta1, F::ONE - beta2);
        let size = rate / correction1;
        let shrink = F::ONE - rate * decay;
        for (((w, &g), m), v) in value.iter_mut().zip(gradient).zip(m).zip(v) {
            let g = g + penalty * *w;
            *m = beta1 * *m + keep1 * g;
            *v = beta2 * *v + keep2 * g * g;
            *w = *w * shrink - size * *m / (v.sqrt() / correction2_root + epsilon);
        }
    }
}

/// One step of Adam or AdamW on one parameter.
///
/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w − rate · m̂ / (√v̂ + ε)`
///
/// # Panics
/// If the slices differ in length.
///
/// # References
/// D. Kingma, J. Ba, "Adam", ICLR 2015, algorithm 1; I. Loshchilov, F. Hutter, "Decoupled weight decay
/// regularization", ICLR 2019, algorithm 2.
pub fn adam<F: Float>(
    step: AdamStep<F>,
    value: &mut [F],
    gradient: &[F],
    m: &mut [F],
    v: &mut [F],
) {
    (F::kernels().adam)(step, value, gradient, m, v)
}

pub(crate) fn adam_loops<F: Float>(
    step: AdamStep<F>,
    value: &mut [F],
    gradient: &[F],
    m: &mut [F],
    v: &mut [F],
) {
    for_each_part(
        "adam",
        [value, m, v],
        gradient,
        &|[value, m, v], gradient| adam_part(step, value, gradient, m, v),
    );
}
