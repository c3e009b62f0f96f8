//! The random part of an echo-state network.

use super::EchoState;
use crate::error::{Error, Result};
use crate::feedback::schedule::Sequence;
use crate::feedback::spectrum::{Arnoldi, eigenvalues};
use crate::feedback::topology::Clock;
use crate::feedback::{Graph, Network};
use crate::init::Initializer;
use crate::layers::{Activation, Dense, Leaky};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// The settings of an [`EchoState`]: a random recurrent layer that is never trained, and how its readout is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservoir {
    pub(super) units: usize,
    spectral_radius: f64,
    leak: f64,
    connectivity: f64,
    input_scaling: f64,
    bias_scaling: f64,
    pub(super) output_feedback: Option<f64>,
    pub(super) washout: usize,
    pub(super) ridge: f64,
    seed: u64,
}

impl Reservoir {
    /// So many units, with a spectral radius of 0.9, no leak, a tenth of all connections, input weights between −1 and 1, no
    /// bias, no output feedback, a washout of 100 steps and a ridge of 1e-8.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            spectral_radius: 0.9,
            leak: 1.0,
            connectivity: 0.1,
            input_scaling: 1.0,
            bias_scaling: 0.0,
            output_feedback: None,
            washout: 100,
            ridge: 1e-8,
            seed: 0,
        }
    }

    /// The largest modulus of an eigenvalue of the recurrent weights: the larger, the longer the memory. An input that
    /// drives the units hard keeps them in order even above 1.
    #[must_use]
    pub fn spectral_radius(mut self, radius: f64) -> Self {
        self.spectral_radius = radius;
        self
    }

    /// How much of the new a unit takes in a step, above 0 and up to 1.
    #[must_use]
    pub fn leak(mut self, leak: f64) -> Self {
        self.leak = leak;
        self
    }

    /// The share of recurrent weights that are not 0, above 0 and up to 1.
    #[must_use]
    pub fn connectivity(mut self, share: f64) -> Self {
        self.connectivity = share;
        self
    }

    /// Input weights are drawn between minus this and this.
    #[must_use]
    pub fn input_scaling(mut self, scale: f64) -> Self {
        self.input_scaling = scale;
        self
    }

    /// Biases are drawn between minus this and this.
    #[must_use]
    pub fn bias_scaling(mut self, scale: f64) -> Self {
        self.bias_scaling = scale;
        self
    }

    /// The output goes back into the units with weights between minus this and this: in training the target of the step
    /// before (teacher forcing), later the output itself.
    #[must_use]
    pub fn output_feedback(mut self, scale: f64) -> Self {
        self.output_feedback = Some(scale);
        self
    }

    /// How many steps at the start of each sequence teach nothing, until the units have forgotten that they started from 0.
    #[must_use]
    pub fn washout(mut self, steps: usize) -> Self {
        self.washout = steps;
        self
    }

    /// How much large readout weights cost: see [`Tensor::solve_ridge`].
    #[must_use]
    pub fn ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self
    }

    /// The seed of all random weights.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the units along the inputs and fits the readout to the targets.
    ///
    /// # Shapes
    /// - `inputs`: `[time, features]`, or `[batch, time, features]` for several sequences
    /// - `targets`: the same with features of their own
    ///
    /// # Errors
    /// A setting is outside its domain, the shapes do not fit, the washout leaves nothing, a number is not finite, or the
    /// ridge is too small for the states.
    pub fn fit(&self, inputs: &Tensor<f64>, targets: &Tensor<f64>) -> Result<EchoState> {
        EchoState::fit(self, inputs, targets)
    }

    /// The units: inputs and, with feedback, outputs go in, states come out.
    pub(super) fn build(&self, inputs: usize, outputs: usize) -> Result<Network<f64>> {
        self.check()?;
        let spread = |scale: f64| Initializer::Uniform {
            low: -scale,
            high: scale,
        };
        let drive = Dense::new(self.units)
            .activation(Activation::Tanh)
            .weight_init(spread(self.input_scaling))
            .bias_init(spread(self.bias_scaling));
        let mut graph = Graph::new().input("input", [inputs]);
        if self.output_feedback.is_some() {
            graph = graph.input("output", [outputs]);
        }
        graph = graph.layer("drive", drive, "input");
        if self.output_feedback.is_some() {
            graph = graph.forward_edge("output", "drive");
        }
        graph = if self.leak < 1.0 {
            graph
                .layer("state", Leaky::new(self.leak), "drive")
                .feedback("state", "state")
                .identity()
                .clock(Clock::Step)
        } else {
            graph.layer("state", Activation::Linear, "drive")
        };
        let mut network = graph
            .feedback("state", "drive")
            .clock(Clock::Step)
            .schedule(Sequence::new())
            .seed(self.seed)
            .build_as::<f64>()?;
        let params = network.params_mut();
        let mut set = |name: &str, value: Tensor<f64>| {
            let id = params.id(name).expect("edges are named by their ends");
            params.get_mut(id).value = value;
        };
        set("feedback/state->drive/weight", self.recurrent()?);
        if let Some(scale) = self.output_feedback {
            let mut rng = Key::new(self.seed).fold("output_feedback").rng();
            let weight = Tensor::uniform([outputs, self.units], -scale, scale, &mut rng);
            set("edge/output->drive/weight", weight);
        }
        network.params_mut().freeze("*")?;
        Ok(network)
    }

    /// Sparse random weights, scaled to the spectral radius.
    fn recurrent(&self) -> Result<Tensor<f64>> {
        let units = self.units;
        let mut rng = Key::new(self.seed).fold("reservoir").rng();
        let mut connections = Vec::new();
        for from in 0..units {
            for to in 0..units {
                if rng.random::<f64>() < self.connectivity {
                    connections.push((from, to, rng.random_range(-1.0..1.0)));
                }
            }
        }
        let mut product = |v: &Tensor<f64>| {
            let v = v.contiguous();
            let v = v.as_slice().expect("contiguous");
            Ok(Tensor::filled_by([1, units], |out: &mut [f64]| {
                out.fill(0.0);
                for &(from, to, weight) in &connections {
                    out[to] += v[from] * weight;
                }
            }))
        };
        // The edge of the spectrum is dense: more vectors find its outermost point in fewer restarts.
        let arnoldi = Arnoldi {
            steps: 60,
            count: 2,
            tolerance: 1e-4,
            restarts: 60,
            ..Arnoldi::default()
        };
        let spectra = eigenvalues(&mut product, 1, units, &arnoldi)?;
        let radius = spectra.first().map_or(0.0, |spectrum| spectrum.radius);
        if radius <= 0.0 {
            return Err(Error::Config {
                what: "the connectivity of Reservoir".to_owned(),
                expected: "connections that form a loop".to_owned(),
                found: format!("{} connections that form none", connections.len()),
                help: "raise the connectivity: 10 connections a unit are many enough".to_owned(),
            });
        }
        let scale = self.spectral_radius / radius;
        Ok(Tensor::filled_by([units, units], |out: &mut [f64]| {
            out.fill(0.0);
            for &(from, to, weight) in &connections {
                out[from * units + to] = weight * scale;
            }
        }))
    }

    fn check(&self) -> Result<()> {
        let size = |x: f64| x >= 0.0 && x.is_finite();
        let share = |x: f64| x > 0.0 && x <= 1.0;
        let fits = [
            (self.units > 0, "units", "at least 1", self.units as f64),
            (
                size(self.spectral_radius),
                "spectral radius",
                "a size",
                self.spectral_radius,
            ),
            (share(self.leak), "leak", "above 0 and up to 1", self.leak),
            (
                share(self.connectivity),
                "connectivity",
                "above 0 and up to 1",
                self.connectivity,
            ),
            (
                size(self.input_scaling),
                "input scaling",
                "a size",
                self.input_scaling,
            ),
            (
                size(self.bias_scaling),
                "bias scaling",
                "a size",
                self.bias_scaling,
            ),
            (
                self.output_feedback.is_none_or(size),
                "output feedback",
                "a size",
                self.output_feedback.unwrap_or(0.0),
            ),
            (size(self.ridge), "ridge", "a size", self.ridge),
        ];
        match fits.into_iter().find(|(fits, ..)| !fits) {
            None => Ok(()),
            Some((_, what, expected, found)) => Err(Error::Config {
                what: format!("the {what} of Reservoir"),
                expected: expected.to_owned(),
                found: found.to_string(),
                help: String::new(),
            }),
        }
    }
}
