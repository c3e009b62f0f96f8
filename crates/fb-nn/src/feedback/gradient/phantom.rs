//! A few steps from where the loop has come to rest.

use super::{GradientStrategy, Loop, Read, Unrolled};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::Context;
use fb_autograd::Var;
use fb_tensor::Float;

/// The gradient of a few damped steps `z ← (1 − τ) z + τ f(z)` that start, as a constant, where the loop has come to rest.
///
/// One undamped step is the Jacobian-free gradient: cheap, and a direction of descent where the loop contracts. More steps come
/// nearer to the exact gradient of [`Implicit`](super::Implicit): what is missing along a direction of the loop with
/// eigenvalue `λ` is the factor `1 − (1 − τ (1 − λ))ᵏ`.
///
/// # References
/// Z. Geng et al., "On training implicit models", NeurIPS 2021; S. Wu Fung et al., "JFB: Jacobian-free backpropagation for
/// implicit networks", AAAI 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phantom {
    /// How many steps.
    pub steps: usize,
    /// `τ`, the share of the new value in each.
    pub damping: f64,
}

impl Phantom {
    /// One step, undamped: Jacobian-free backpropagation.
    pub fn one_step() -> Self {
        Self {
            steps: 1,
            damping: 1.0,
        }
    }

    /// So many undamped steps.
    pub fn steps(steps: usize) -> Self {
        Self {
            steps,
            damping: 1.0,
        }
    }

    /// Damps each step.
    #[must_use]
    pub fn damping(mut self, share: f64) -> Self {
        self.damping = share;
        self
    }
}

impl<F: Float> GradientStrategy<F> for Phantom {
    fn kind(&self) -> &'static str {
        "Phantom"
    }

    fn validate(&self) -> Result<()> {
        let fits = self.steps > 0 && self.damping > 0.0 && self.damping <= 1.0;
        if fits {
            return Ok(());
        }
        Err(Error::Config {
            what: "Phantom".to_owned(),
            expected: "at least 1 step and a damping above 0 and at most 1".to_owned(),
            found: format!("{} steps, damping {}", self.steps, self.damping),
            help: "Phantom::one_step() is the cheapest, Phantom::steps(4).damping(0.6) nearer to the exact gradient"
                .to_owned(),
        })
    }

    fn is_for_equilibria(&self) -> bool {
        true
    }

    fn equilibrium(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
    ) -> Result<Unrolled<F>> {
        let mut state = state.detached();
        let mut values = Vec::new();
        for step in 1..=self.steps {
            cx.enter_iteration(Some(step));
            let before: Vec<Var<F>> = state.values().cloned().collect();
            values = body.tick(cx, &mut state, step, step == self.steps)?;
            if self.damping < 1.0 {
                let (new, old) = (F::from_f64(self.damping), F::from_f64(1.0 - self.damping));
                let mixed = state
                    .values()
                    .zip(&before)
                    .map(|(after, before)| after * new + before * old);
                state = state.with_values(mixed.collect::<Vec<_>>());
            }
        }
        cx.enter_iteration(None);
        // What is read from a layer that feeds back is the damped value, as the next step would see it.
        let values = body.read_state(&state).unwrap_or(values);
        let read = Read {
            values,
            recorded: true,
        };
        Ok(Unrolled::new(vec![read], state))
    }
}
