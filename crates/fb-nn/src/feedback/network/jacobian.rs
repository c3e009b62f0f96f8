//! How a loop stretches and turns what it carries: its Jacobian at a state.

use super::Network;
use super::run::{self, RunOptions};
use super::runner::Runner;
use super::tick::Values;
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::gradient::Loop;
use crate::feedback::gradient::flat::{flatten, flatten_var, unflatten};
use crate::feedback::spectrum::{
    Arnoldi, SingularValue, Spectrum, eigenvalues, largest_singular_value, path_independence,
};
use crate::feedback::topology::Clock;
use crate::module::{Context, Mode, Value};
use fb_autograd::{Tape, Var};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};

/// The step of finite differences along a direction of length `√n`, relative to `1 + ‖z‖ / √n`.
fn difference_step<F: Float>() -> f64 {
    // The cube root of the rounding: what it and the curvature leave is least there.
    F::EPSILON.to_f64().cbrt()
}

/// The penalty on the Jacobian of a loop at a state, if it is wanted.
pub(super) fn penalty<F: Float>(
    runner: &mut Runner<F>,
    cx: &mut Context<'_, F>,
    state: &State<F>,
    options: &RunOptions<'_, F>,
) -> Result<Option<Var<F>>> {
    let Some(weight) = options.jacobian_penalty else {
        return Ok(None);
    };
    if cx.mode() != Mode::Train || cx.is_detached() {
        return Ok(None);
    }
    let mut state = state.detached();
    runner.fill(cx, &mut state);
    let z = flatten(&state);
    let (batch, n) = (z.dim(0), z.dim(1));
    let key = cx.root_key().fold("jacobian penalty");
    let v = Tensor::<F>::normal([batch, n], 0.0, 1.0, &mut key.at(cx.step(), cx.first_row()));
    let size = z.to_vec().iter().map(|x| x.to_f64().powi(2)).sum::<f64>() / z.len().max(1) as f64;
    let step = difference_step::<F>() * (1.0 + size.sqrt());
    let mut at = |shift: f64| -> Result<Var<F>> {
        let shifted = &z + &(&v * F::from_f64(shift));
        let mut moved = unflatten(&state, &Var::constant(shifted));
        runner.tick(cx, &mut moved, 1, false)?;
        Ok(flatten_var(&moved))
    };
    let stretched = (at(step)? - at(-step)?) * F::from_f64(0.5 / step);
    let squares = (&stretched * &stretched).sum();
    let mean = F::from_f64(weight / (batch * n).max(1) as f64);
    Ok(Some(squares * mean))
}

impl<F: Float> Network<F> {
    /// The leading eigenvalues of the Jacobian of the loop over iterations, for each sample, at the state that a run ends with:
    /// the loop settles there if the largest has a modulus below 1.
    ///
    /// ```
    /// use fb_nn::feedback::schedule::Converge;
    /// use fb_nn::layers::{Activation, Dense};
    /// use fb_nn::Sequential;
    /// use fb_tensor::Tensor;
    /// let network = Sequential::input([3])
    ///     .layer("hidden", Dense::new(8).activation(Activation::Tanh))
    ///     .feedback("hidden", "hidden")
    ///     .schedule(Converge::to(1e-5))
    ///     .build()?;
    /// let spectra = network.spectrum(&Tensor::ones([2, 3]).into(), &Default::default(), &Default::default())?;
    /// assert!(spectra.iter().all(|spectrum| spectrum.radius < 1.0)); // small feedback weights contract
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The network has no loop over iterations, or is run along a sequence; or as [`Network::run`].
    pub fn spectrum(
        &self,
        input: &Value<F>,
        options: &RunOptions<'_, F>,
        arnoldi: &Arnoldi,
    ) -> Result<Vec<Spectrum>> {
        let linear = Linear::at(self, std::slice::from_ref(input), options)?;
        let (batch, n) = linear.extents();
        // The transposed matrix has the same eigenvalues.
        eigenvalues(&mut |v| Ok(linear.transposed(v)), batch, n, arnoldi)
    }

    /// The largest singular value of the Jacobian of the loop over iterations, for each sample, at the state that a run ends
    /// with: how much one iteration can stretch a small change at most. Below 1 the loop contracts in one step.
    ///
    /// Products with the Jacobian are finite differences, those with its transpose exact: about 6 digits in `f64`, 3 in `f32`.
    ///
    /// # Errors
    /// As [`Network::spectrum`].
    pub fn largest_singular_value(
        &self,
        input: &Value<F>,
        options: &RunOptions<'_, F>,
        arnoldi: &Arnoldi,
    ) -> Result<Vec<SingularValue>> {
        let linear = Linear::at(self, std::slice::from_ref(input), options)?;
        let (batch, n) = linear.extents();
        largest_singular_value(
            &mut |v| linear.forward(v),
            &mut |v| Ok(linear.transposed(v)),
            batch,
            n,
            arnoldi,
        )
    }

    /// For each sample the cosine of the states that two runs end with which start from different noise: 1 where the answer does
    /// not depend on the start (asymptotic alignment).
    ///
    /// # Errors
    /// As [`Network::spectrum`].
    ///
    /// # References
    /// C. Anil et al., "Path independent equilibrium models can better exploit test-time computation", NeurIPS 2022.
    pub fn path_independence(
        &self,
        input: &Value<F>,
        options: &RunOptions<'_, F>,
        keys: [Key; 2],
    ) -> Result<Vec<f64>> {
        let mut ends = Vec::with_capacity(2);
        for key in keys {
            let mut cx = Context::eval(&self.params);
            let fresh = self.initial_state(&mut cx, input.shape()[0]);
            let mut rng = key.rng();
            let noise = fresh
                .values()
                .map(|v| Var::constant(Tensor::normal(*v.shape(), 0.0, 1.0, &mut rng)));
            let state = fresh.with_values(noise.collect::<Vec<_>>());
            let options = RunOptions {
                state: Some(state),
                ..options.clone()
            };
            let run = self.run(&mut cx, input.clone(), &options)?;
            ends.push(flatten(run.state()));
        }
        path_independence(&ends[0], &ends[1])
    }
}

/// A loop near a state.
struct Linear<'n, F: Float> {
    network: &'n Network<F>,
    body: Box<dyn Loop<F>>,
    tape: Tape<F>,
    state: State<F>,
    z: Vec<Var<F>>,
    image: Var<F>,
}

impl<'n, F: Float> Linear<'n, F> {
    /// At the state that a run ends with.
    fn at(
        network: &'n Network<F>,
        inputs: &[Value<F>],
        options: &RunOptions<'_, F>,
    ) -> Result<Self> {
        let wiring = &network.wiring;
        let body = match &wiring.plan.body {
            Some(body) if body.clock == Clock::Iteration && !network.takes_sequences() => body,
            other => {
                return Err(Error::Data {
                    place: "the Jacobian of the loop".to_owned(),
                    expected: "a network with a loop over iterations".to_owned(),
                    found: match other {
                        Some(_) => "one that runs along a sequence".to_owned(),
                        None => "one without a loop".to_owned(),
                    },
                    help: "add feedback edges, and schedule them with Unroll or Converge"
                        .to_owned(),
                });
            }
        };
        let mut cx = Context::eval(&network.params);
        let end = run::run(wiring, &mut cx, inputs, options)?.into_state();
        let mut values = Values::new(wiring);
        for (slot, input) in values.slots.iter_mut().zip(inputs) {
            *slot = Some(input.detach());
        }
        wiring.before(&mut cx, &mut values)?;
        wiring.hoist(&mut cx, body, &mut values)?;
        let mut runner = Runner::new(wiring.clone(), body.clone(), None, &values);
        let mut state = end.detached();
        runner.fill(&mut cx, &mut state);
        let tape = Tape::new();
        let z: Vec<Var<F>> = state
            .values()
            .map(|v| tape.leaf(v.tensor().clone()))
            .collect();
        let mut after = state.with_values(z.iter().cloned());
        runner.tick(&mut cx, &mut after, 1, false)?;
        Ok(Self {
            network,
            body: Box::new(runner),
            tape,
            image: flatten_var(&after),
            state,
            z,
        })
    }

    fn extents(&self) -> (usize, usize) {
        (self.image.shape()[0], self.image.shape()[1])
    }

    /// `Jᵀ v` for all samples.
    fn transposed(&self, v: &Tensor<F>) -> Tensor<F> {
        let wrt: Vec<&Var<F>> = self.z.iter().collect();
        let found = self.tape.vjp(&[(&self.image, v.clone())], &wrt);
        let found = self.state.with_values(found.into_iter().map(Var::constant));
        flatten(&found)
    }

    /// `J v` for all samples, by a difference whose step is that of each row.
    fn forward(&self, v: &Tensor<F>) -> Result<Tensor<F>> {
        let z = flatten(&self.state);
        let (batch, n) = (z.dim(0), z.dim(1));
        let norms = |t: &Tensor<F>| -> Vec<f64> {
            let square = |row: &[F]| row.iter().map(|x| x.to_f64().powi(2)).sum::<f64>();
            t.to_vec()
                .chunks_exact(n.max(1))
                .map(|row| square(row).sqrt())
                .collect()
        };
        let steps: Vec<F> = norms(v)
            .iter()
            .zip(norms(&z))
            .map(|(v, z)| {
                let wanted = difference_step::<F>() * ((n as f64).sqrt() + z);
                F::from_f64(if *v > 0.0 { wanted / v } else { 1.0 })
            })
            .collect();
        let steps = Tensor::from_vec(steps, [batch, 1]);
        let shift = v * &steps;
        let at = |z: Tensor<F>| -> Result<Tensor<F>> {
            let mut cx = Context::eval(&self.network.params);
            let mut moved = unflatten(&self.state, &Var::constant(z));
            let mut body = self.body.with_entry(self.body.entry());
            body.tick(&mut cx, &mut moved, 1, false)?;
            Ok(flatten(&moved))
        };
        let difference = at(&z + &shift)? - &at(&z - &shift)?;
        Ok(difference / &(&steps * F::from_f64(2.0)))
    }
}
