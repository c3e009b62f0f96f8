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
    /// `1 − β₁`, made in double precision: of a β close to 1 little would be left in single.
    pub keep1: F,
    /// `1 − β₂`
    pub keep2: F,
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

/// Elements of one vector.
const LANES: usize = 16;
/// A rest of at least so many elements goes through a padded vector: single roots and quotients would take longer.
const WORTH_PADDING: usize = 5;

#[inline(always)]
fn pass<F: Float>(step: &AdamStep<F>, value: &mut [F], gradient: &[F], m: &mut [F], v: &mut [F]) {
    let size = step.rate / step.correction1;
    let shrink = F::ONE - step.rate * step.decay;
    for (((w, &g), m), v) in value.iter_mut().zip(gradient).zip(m).zip(v) {
        let g = g + step.penalty * *w;
        *m = step.beta1 * *m + step.keep1 * g;
        *v = step.beta2 * *v + step.keep2 * g * g;
        *w = *w * shrink - size * *m / (v.sqrt() / step.correction2_root + step.epsilon);
    }
}

multiversion! {
    fn adam_part [F: Float] (step: AdamStep<F>, value: &mut [F], gradient: &[F], m: &mut [F], v: &mut [F]) {
        let rest = value.len() % LANES;
        let whole = value.len() - if rest < WORTH_PADDING { 0 } else { rest };
        pass(&step, &mut value[..whole], &gradient[..whole], &mut m[..whole], &mut v[..whole]);
        if rest >= WORTH_PADDING {
            let padded = |slice: &[F]| {
                let mut lanes = [F::ZERO; LANES];
                lanes[..rest].copy_from_slice(&slice[whole..]);
                lanes
            };
            let (mut w, g) = (padded(value), padded(gradient));
            let (mut mean, mut square) = (padded(m), padded(v));
            pass(&step, &mut w, &g, &mut mean, &mut square);
            value[whole..].copy_from_slice(&w[..rest]);
            m[whole..].copy_from_slice(&mean[..rest]);
            v[whole..].copy_from_slice(&square[..rest]);
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
