//! Stochastic gradient descent: plain, with momentum, with Nesterov's.

use super::for_each_part;
use crate::element::Float;

/// The numbers of one step of gradient descent.
#[derive(Clone, Copy, Debug)]
pub struct SgdStep<F> {
    /// Learning rate.
    pub rate: F,
    /// How much of the velocity stays, μ; read only where there is a velocity.
    pub momentum: F,
    /// Whether the step looks ahead along the velocity.
    pub nesterov: bool,
    /// Weight decay added to the gradient (an L2 penalty), or 0.
    pub penalty: F,
}

multiversion! {
    fn plain [F: Float] (step: SgdStep<F>, value: &mut [F], gradient: &[F]) {
        let SgdStep { rate, penalty, .. } = step;
        for (w, &g) in value.iter_mut().zip(gradient) {
            *w -= rate * (g + penalty * *w);
        }
    }
}

multiversion! {
    fn heavy_ball [F: Float] (step: SgdStep<F>, value: &mut [F], gradient: &[F], velocity: &mut [F]) {
        let SgdStep { rate, momentum, penalty, .. } = step;
        for ((w, &g), u) in value.iter_mut().zip(gradient).zip(velocity) {
            *u = momentum * *u + (g + penalty * *w);
            *w -= rate * *u;
        }
    }
}

multiversion! {
    fn nesterov [F: Float] (step: SgdStep<F>, value: &mut [F], gradient: &[F], velocity: &mut [F]) {
        let SgdStep { rate, momentum, penalty, .. } = step;
        for ((w, &g), u) in value.iter_mut().zip(gradient).zip(velocity) {
            let g = g + penalty * *w;
            *u = momentum * *u + g;
            *w -= rate * (g + momentum * *u);
        }
    }
}

/// One step of gradient descent on one parameter.
///
/// `w ← w − rate · g` without a velocity. With one, which starts at 0: `u ← μu + g`, then `w ← w − rate · u`, or
/// `w ← w − rate · (g + μu)` with Nesterov's form. These are PyTorch's definitions without dampening: the rate stands
/// outside the velocity.
///
/// # Panics
/// If the slices differ in length.
///
/// # References
/// I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
/// ICML 2013, section 2 (there with the rate inside the velocity).
pub fn sgd<F: Float>(
    step: SgdStep<F>,
    value: &mut [F],
    gradient: &[F],
    velocity: Option<&mut [F]>,
) {
    (F::kernels().sgd)(step, value, gradient, velocity)
}

pub(crate) fn sgd_loops<F: Float>(
    step: SgdStep<F>,
    value: &mut [F],
    gradient: &[F],
    velocity: Option<&mut [F]>,
) {
    match velocity {
        None => for_each_part("sgd", [value], gradient, &|[value], gradient| {
            plain(step, value, gradient)
        }),
        Some(velocity) => for_each_part(
            "sgd",
            [value, velocity],
            gradient,
            &|[value, velocity], gradient| {
                if step.nesterov {
                    nesterov(step, value, gradient, velocity);
                } else {
                    heavy_ball(step, value, gradient, velocity);
                }
            },
        ),
    }
}
