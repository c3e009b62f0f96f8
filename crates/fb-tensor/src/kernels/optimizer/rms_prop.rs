//! RMSProp: plain, centred, with momentum.

use super::for_each_part;
use crate::element::Float;

/// The numbers of one RMSProp step.
#[derive(Clone, Copy, Debug)]
pub struct RmsPropStep<F> {
    /// Learning rate.
    pub rate: F,
    /// Decay of the moments, α.
    pub decay: F,
    /// `1 − α`, made in double precision.
    pub keep: F,
    /// Added to the denominator, outside the root, ε.
    pub epsilon: F,
    /// How much of the velocity stays, μ; read only where there is a velocity.
    pub momentum: F,
    /// Weight decay added to the gradient (an L2 penalty), or 0.
    pub penalty: F,
}

impl<F: Float> RmsPropStep<F> {
    /// Updates the mean of squares and gives the gradient over its root.
    #[inline(always)]
    fn scaled(&self, g: F, square: &mut F) -> F {
        *square = self.decay * *square + self.keep * g * g;
        g / (square.sqrt() + self.epsilon)
    }

    /// The same, with the squared mean taken off, so that what stays is the variance.
    #[inline(always)]
    fn scaled_centred(&self, g: F, square: &mut F, mean: &mut F) -> F {
        *square = self.decay * *square + self.keep * g * g;
        *mean = self.decay * *mean + self.keep * g;
        // By rounding, the difference may fall a little below 0.
        let variance = (*square - *mean * *mean).maximum(F::ZERO);
        g / (variance.sqrt() + self.epsilon)
    }
}

multiversion! {
    fn plain [F: Float] (step: RmsPropStep<F>, value: &mut [F], gradient: &[F], square: &mut [F]) {
        for ((w, &g), v) in value.iter_mut().zip(gradient).zip(square) {
            *w -= step.rate * step.scaled(g + step.penalty * *w, v);
        }
    }
}

multiversion! {
    fn with_velocity [F: Float] (
        step: RmsPropStep<F>, value: &mut [F], gradient: &[F], square: &mut [F], velocity: &mut [F],
    ) {
        for (((w, &g), v), u) in value.iter_mut().zip(gradient).zip(square).zip(velocity) {
            *u = step.momentum * *u + step.scaled(g + step.penalty * *w, v);
            *w -= step.rate * *u;
        }
    }
}

multiversion! {
    fn centred [F: Float] (step: RmsPropStep<F>, value: &mut [F], gradient: &[F], square: &mut [F], mean: &mut [F]) {
        for (((w, &g), v), m) in value.iter_mut().zip(gradient).zip(square).zip(mean) {
            *w -= step.rate * step.scaled_centred(g + step.penalty * *w, v, m);
        }
    }
}

multiversion! {
    fn centred_with_velocity [F: Float] (
        step: RmsPropStep<F>, value: &mut [F], gradient: &[F], square: &mut [F], mean: &mut [F], velocity: &mut [F],
    ) {
        for ((((w, &g), v), m), u) in value.iter_mut().zip(gradient).zip(square).zip(mean).zip(velocity) {
            *u = step.momentum * *u + step.scaled_centred(g + step.penalty * *w, v, m);
            *w -= step.rate * *u;
        }
    }
}

/// One step of RMSProp on one parameter. All moments start at 0.
///
/// `v ← αv + (1−α)g²`, `w ← w − rate · g / (√v + ε)`. Given a `mean`, `m ← αm + (1−α)g` and `√(v − m²)` is the root;
/// given a `velocity`, `u ← μu + g / (√v + ε)`, `w ← w − rate · u`. These are PyTorch's definitions; in other
/// libraries ε stands under the root.
///
/// # Panics
/// If the slices differ in length.
///
/// # References
/// T. Tieleman, G. Hinton, "Neural networks for machine learning", lecture 6.5, 2012; A. Graves, "Generating sequences
/// with recurrent neural networks", 2013, equations 38–45 (centred).
pub fn rms_prop<F: Float>(
    step: RmsPropStep<F>,
    value: &mut [F],
    gradient: &[F],
    square: &mut [F],
    mean: Option<&mut [F]>,
    velocity: Option<&mut [F]>,
) {
    (F::kernels().rms_prop)(step, value, gradient, square, mean, velocity)
}

pub(crate) fn rms_prop_loops<F: Float>(
    step: RmsPropStep<F>,
    value: &mut [F],
    gradient: &[F],
    square: &mut [F],
    mean: Option<&mut [F]>,
    velocity: Option<&mut [F]>,
) {
    const NAME: &str = "rms_prop";
    match (mean, velocity) {
        (None, None) => for_each_part(NAME, [value, square], gradient, &|[w, v], g| {
            plain(step, w, g, v)
        }),
        (None, Some(velocity)) => {
            for_each_part(
                NAME,
                [value, square, velocity],
                gradient,
                &|[w, v, u], g| with_velocity(step, w, g, v, u),
            );
        }
        (Some(mean), None) => {
            for_each_part(NAME, [value, square, mean], gradient, &|[w, v, m], g| {
                centred(step, w, g, v, m)
            });
        }
        (Some(mean), Some(velocity)) => {
            for_each_part(
                NAME,
                [value, square, mean, velocity],
                gradient,
                &|[w, v, m, u], g| {
                    centred_with_velocity(step, w, g, v, m, u);
                },
            );
        }
    }
}
