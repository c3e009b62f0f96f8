//! The gradient of an equilibrium itself.

use super::flat::{flatten_var, unflatten};
use super::{BackwardReport, GradientStrategy, Loop, Phantom, Read, Unrolled};
use crate::error::Result;
use crate::feedback::State;
use crate::feedback::solver::{AnyLinearSolver, Gmres, LinearSolver, Outcome, SolverReport, Stop};
use crate::module::Context;
use fb_autograd::{Tape, Var};
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// Implicit differentiation: the gradient of the equilibrium `z = f(z, θ)` by the implicit function theorem, whatever way led
/// there. Exact where the loop has come to rest; memory is that of one evaluation.
///
/// With `J = ∂f/∂z` at the equilibrium and `g` the gradient by `z`, it solves `(I − Jᵀ) u = g` for each sample and hands `u`
/// to one evaluation of `f`: `dL/dθ = uᵀ ∂f/∂θ`. The state that the search started from gets no gradient.
///
/// Where the solver does not come within its tolerance, what it has is used, or the gradient of [`Phantom`] steps
/// ([`Implicit::fallback`]); the [report](super::Unrolled::backward) says for which samples.
///
/// ```
/// use fb_nn::feedback::gradient::{Implicit, Phantom};
/// use fb_nn::feedback::solver::{Gmres, Neumann};
/// let exact = Implicit::default();
/// let cheap = Implicit::with(Neumann::default()).tolerance(1e-2).max_iterations(20);
/// let careful = Implicit::with(Gmres::default()).fallback(Phantom::steps(4).damping(0.6));
/// ```
///
/// # References
/// S. Bai, J. Z. Kolter, V. Koltun, "Deep equilibrium models", NeurIPS 2019, theorem 1.
#[derive(Clone, Debug)]
pub struct Implicit {
    solver: Arc<dyn AnyLinearSolver>,
    stop: Stop,
    fallback: Option<Phantom>,
}

impl Default for Implicit {
    /// GMRES to a relative residual of 1e-5 in at most 50 products.
    fn default() -> Self {
        Self::with(Gmres::default())
    }
}

impl Implicit {
    /// With this solver, to a relative residual of 1e-5 in at most 50 products.
    pub fn with(solver: impl LinearSolver) -> Self {
        Self {
            solver: Arc::new(solver),
            stop: Stop::to(1e-5).max_iterations(50),
            fallback: None,
        }
    }

    /// The relative residual that is good enough.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.stop.tolerance = tolerance;
        self
    }

    /// The most products with the Jacobian for a sample.
    #[must_use]
    pub fn max_iterations(mut self, products: usize) -> Self {
        self.stop = self.stop.max_iterations(products);
        self
    }

    /// The gradient of samples for which the solver does not come within its tolerance.
    #[must_use]
    pub fn fallback(mut self, phantom: Phantom) -> Self {
        self.fallback = Some(phantom);
        self
    }
}

impl<F: Float> GradientStrategy<F> for Implicit {
    fn kind(&self) -> &'static str {
        "Implicit"
    }

    fn validate(&self) -> Result<()> {
        self.stop.validate()?;
        if let Some(phantom) = &self.fallback {
            GradientStrategy::<F>::validate(phantom)?;
        }
        self.solver.validate()
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
        let entry = body.entry();
        let replay = cx.replay();
        let params: Vec<Var<F>> = replay.used().map(|id| cx.param(id)).collect();
        // One evaluation at the equilibrium, on a tape of its own: it gives the products with the Jacobian and, in the end,
        // the gradients of everything else.
        let tape = Tape::new();
        let leaf = |v: &Var<F>| tape.leaf(v.tensor().clone());
        let z: Vec<Var<F>> = state.values().map(leaf).collect();
        let entered: Vec<Var<F>> = entry.iter().map(leaf).collect();
        let mut after = state.with_values(z.iter().cloned());
        let weights = {
            let (mut again, weights) = replay.context(&tape);
            again.enter_iteration(Some(1));
            body.with_entry(entered.clone())
                .tick(&mut again, &mut after, 1, false)?;
            weights
        };
        let image = flatten_var(&after);
        let report = BackwardReport::default();
        let product = Products {
            tape,
            image: image.clone(),
            z,
            leaves: entered.into_iter().chain(weights).collect(),
            solver: self.clone(),
            report: report.clone(),
        };
        let inputs: Vec<&Var<F>> = entry.iter().chain(&params).collect();
        let flat = Var::custom("equilibrium", &inputs, image.tensor().clone(), move |g| {
            product.backward(g)
        });
        let mut state = unflatten(&state, &flat);
        let values = match body.read_state(&state) {
            Some(values) => values,
            None => {
                // What is read does not feed back itself: one more evaluation, from the equilibrium, gives it.
                cx.enter_iteration(Some(2));
                let settled = state.clone();
                let values = body.tick(cx, &mut state, 2, true)?;
                state = settled;
                values
            }
        };
        cx.enter_iteration(None);
        let read = Read {
            values,
            recorded: true,
        };
        let mut done = Unrolled::new(vec![read], state);
        done.backward = Some(report);
        Ok(done)
    }
}

/// Products with the Jacobian at an equilibrium.
struct Products<F: Float> {
    tape: Tape<F>,
    /// `f(z)`, `[batch, n]`.
    image: Var<F>,
    z: Vec<Var<F>>,
    /// What enters from outside, then the weights.
    leaves: Vec<Var<F>>,
    solver: Implicit,
    report: BackwardReport,
}

impl<F: Float> Products<F> {
    /// The gradients of the leaves, given that of the equilibrium.
    fn backward(&self, gradient: &Tensor<F>) -> Vec<Option<Tensor<F>>> {
        let u = self.solve(gradient.contiguous());
        let mut found = self.tape.gradients(&[(&self.image, u)]);
        self.leaves.iter().map(|leaf| found.take(leaf)).collect()
    }

    /// `u` of `(I − Jᵀ) u = g`.
    fn solve(&self, g: Tensor<F>) -> Tensor<F> {
        let batch = g.dim(0);
        let mut product = |u: &Tensor<F>, rows: &[usize]| {
            if rows.len() == batch {
                return Ok(self.transposed(u));
            }
            let mut whole = g.zeros_like();
            let n = u.dim(1);
            let (to, from) = (whole.make_mut(), u.to_vec());
            for (row, values) in rows.iter().zip(from.chunks_exact(n.max(1))) {
                to[row * n..(row + 1) * n].copy_from_slice(values);
            }
            Ok(self.transposed(&whole).select_rows(rows))
        };
        let found = self
            .solver
            .solver
            .solve(&mut product, g.clone(), &self.solver.stop);
        let found = found.expect("products have the shape of what they are of");
        let mut u = found.state;
        let failed: Vec<usize> = found
            .report
            .samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| !matches!(sample.outcome, Outcome::Converged | Outcome::AtFloor))
            .map(|(row, _)| row)
            .collect();
        let mut fell_back = Vec::new();
        if let (Some(phantom), false) = (&self.solver.fallback, failed.is_empty()) {
            let steps = self.phantom(phantom, &g).to_vec();
            let n = u.dim(1);
            let to = u.make_mut();
            for &row in &failed {
                let range = row * n..(row + 1) * n;
                to[range.clone()].copy_from_slice(&steps[range]);
            }
            fell_back = failed;
        }
        self.report.set(found.report, fell_back);
        u
    }

    /// `Jᵀ u` for all samples, `[batch, n]`.
    fn transposed(&self, u: &Tensor<F>) -> Tensor<F> {
        let wrt: Vec<&Var<F>> = self.z.iter().collect();
        let found = self.tape.vjp(&[(&self.image, u.clone())], &wrt);
        let batch = u.dim(0);
        let rows: Vec<Tensor<F>> = found
            .iter()
            .map(|part| part.reshape([batch, part.dims()[1..].iter().product()]))
            .collect();
        match rows.as_slice() {
            [only] => only.contiguous(),
            several => Tensor::concat(&several.iter().collect::<Vec<_>>(), 1),
        }
    }

    /// What `(I − Jᵀ)⁻¹` is for damped steps: `u ← τ g + (1 − τ) u + τ Jᵀ u`, from 0.
    fn phantom(&self, phantom: &Phantom, g: &Tensor<F>) -> Tensor<F> {
        let (new, old) = (
            F::from_f64(phantom.damping),
            F::from_f64(1.0 - phantom.damping),
        );
        let mut u = g * new;
        for _ in 1..phantom.steps {
            u = (g + &self.transposed(&u)) * new + u * old;
        }
        u
    }
}

impl BackwardReport {
    fn set(&self, report: SolverReport, fell_back: Vec<usize>) {
        *self.lock() = Some((report, fell_back));
    }
}
