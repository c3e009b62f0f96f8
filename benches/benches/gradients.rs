//! One training step of the same loop under each gradient strategy, and the memory of each.
//!
//! The loop is `z = tanh(W z + U x + b)` with a readout behind it, batch 64, width 128, 64 iterations; a step is forward, loss,
//! backward and Adam. Before the times the peak bytes of a step are printed: what blocks above 4 KiB hold at a time, beside
//! parameters and moments.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use fb::nn::feedback::gradient::{
    Checkpointed, GradientStrategy, Implicit, LastK, Phantom, Rtrl, Truncated,
};
use fb::nn::feedback::schedule::{Converge, Schedule};
use fb::nn::feedback::solver::{Anderson, Damped, Neumann};
use fb::prelude::*;
use fb::tensor::random::Key;
use fb::tensor::{pool, threads};

const ITERATIONS: usize = 64;

/// A model, and what it is trained on.
struct Training {
    model: Model,
    x: Tensor,
    y: Tensor,
}

impl Training {
    fn new(
        [batch, width]: [usize; 2],
        delay: usize,
        schedule: impl Schedule,
        strategy: impl GradientStrategy<f32> + 'static,
    ) -> Self {
        let network = Sequential::input([width])
            .layer("z", Dense::new(width).activation(Tanh))
            .layer("output", Dense::new(width))
            .feedback("z", "z")
            .delay(delay)
            .schedule(schedule)
            .seed(1)
            .build()
            .expect("the network is valid");
        let model = network
            .compile(Adam::new(1e-4), MeanSquaredError, ())
            .expect("the settings are valid")
            .gradient(strategy);
        let normal = |seed| Tensor::normal([batch, width], 0.0, 1.0, &mut Key::new(seed).rng());
        Self {
            model,
            x: normal(1),
            y: normal(2),
        }
    }

    fn unrolled(strategy: impl GradientStrategy<f32> + 'static) -> Self {
        Self::new([64, 128], 1, Unroll::iterations(ITERATIONS), strategy)
    }

    fn settling(strategy: impl GradientStrategy<f32> + 'static) -> Self {
        let schedule = Converge::to(1e-3).solver(Anderson::default());
        Self::new([64, 128], 0, schedule, strategy)
    }

    /// As many evaluations as the unrolled loop has iterations.
    fn long(strategy: impl GradientStrategy<f32> + 'static) -> Self {
        let schedule = Converge::to(0.0)
            .max_iterations(ITERATIONS)
            .solver(Damped::new(0.1));
        Self::new([64, 128], 0, schedule, strategy)
    }

    fn tiny(strategy: impl GradientStrategy<f32> + 'static) -> Self {
        Self::new([4, 8], 1, Unroll::iterations(ITERATIONS), strategy)
    }

    fn on_every(mut self) -> Self {
        self.model = self.model.loss_on(LossOn::Every);
        self
    }

    fn step(&mut self) {
        let step = self.model.train_batch((&self.x, &self.y));
        step.expect("the numbers stay finite");
    }

    fn peak_bytes(&mut self) -> usize {
        self.step();
        pool::release();
        self.step();
        pool::stats().idle_bytes
    }
}

fn all() -> Vec<(&'static str, Training)> {
    vec![
        ("Bptt", Training::unrolled(Bptt)),
        (
            "Checkpointed sqrt",
            Training::unrolled(Checkpointed::sqrt()),
        ),
        (
            "Checkpointed revolve 8",
            Training::unrolled(Checkpointed::revolve(8)),
        ),
        (
            "Checkpointed revolve 3",
            Training::unrolled(Checkpointed::revolve(3)),
        ),
        ("LastK 8", Training::unrolled(LastK(8))),
        ("LastK 1", Training::unrolled(LastK(1))),
        ("Bptt, every loss", Training::unrolled(Bptt).on_every()),
        (
            "Truncated 8 8, every loss",
            Training::unrolled(Truncated::pieces(8)).on_every(),
        ),
        (
            "Truncated 8 16, every loss",
            Training::unrolled(Truncated { k1: 8, k2: 16 }).on_every(),
        ),
        (
            "Implicit, 64 evaluations",
            Training::long(Implicit::default()),
        ),
        (
            "Phantom one step, 64 evaluations",
            Training::long(Phantom::one_step()),
        ),
        ("Implicit, to 1e-3", Training::settling(Implicit::default())),
        (
            "Implicit Neumann, to 1e-3",
            Training::settling(Implicit::with(Neumann::default())),
        ),
        (
            "Phantom 4 of 0.6, to 1e-3",
            Training::settling(Phantom::steps(4).damping(0.6)),
        ),
        (
            "Phantom one step, to 1e-3",
            Training::settling(Phantom::one_step()),
        ),
        ("tiny, Bptt", Training::tiny(Bptt)),
        ("tiny, Rtrl", Training::tiny(Rtrl)),
    ]
}

fn gradients(criterion: &mut Criterion) {
    let mut trainings = all();
    for (name, training) in &mut trainings {
        let bytes = threads::scope(|| training.peak_bytes());
        println!(
            "{name}: {:.0} KiB at the peak of a step",
            bytes as f64 / 1024.0
        );
    }
    let mut group = criterion.benchmark_group("gradients");
    for (name, training) in &mut trainings {
        group.bench_function(*name, |bench| {
            threads::scope(|| bench.iter(|| training.step()));
        });
    }
    group.finish();
}

criterion_group!(benches, gradients);
criterion_main!(benches);
