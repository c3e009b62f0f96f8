//! Recurrent cells along sequences: forward and back for each cell, beside a cell written by hand; ragged batches beside
//! padded ones; the length of a sequence; a step of a stream.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fb::autograd::{Tape, Var};
use fb::nn::cell::{BuiltCell, Cell, CellConfig, CellState, Register, Start};
use fb::nn::init::Initializer;
use fb::nn::layers::{Elman, Gru, GruCell, Lstm, MinGruCell, Recurrent, RecurrentModule};
use fb::nn::module::{Scope, Spec};
use fb::nn::param::{ParamId, Params, Role};
use fb::nn::{Context, Mode, Result};
use fb::tensor::random::Key;
use fb::tensor::{Float, Shape, Tensor, threads};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// An LSTM in operations on variables, as a user would write it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ByHand {
    units: usize,
}

#[derive(Debug)]
struct ByHandModule {
    units: usize,
    parameters: [ParamId; 3],
    registers: [Register; 2],
}

impl CellConfig for ByHand {
    const KIND: &'static str = "ByHand";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let (n, init) = (self.units, Initializer::glorot_uniform());
        let parameters = [
            scope.param("input_weight", [input[0], 4 * n], &init, Role::Weight)?,
            scope.param("recurrent_weight", [n, 4 * n], &init, Role::Weight)?,
            scope.param("bias", [4 * n], &Initializer::Zeros, Role::Bias)?,
        ];
        let registers = ["h", "c"].map(|name| Register {
            name,
            shape: [n].into(),
            start: Start::Zeros,
        });
        Ok(BuiltCell {
            cell: Box::new(ByHandModule {
                units: n,
                parameters,
                registers,
            }),
            output: [n].into(),
            description: format!("ByHand {} -> {n}", input[0]),
        })
    }
}

impl<F: Float> Cell<F> for ByHandModule {
    fn registers(&self) -> &[Register] {
        &self.registers
    }

    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let [weight, _, bias] = self.parameters.map(|id| cx.param(id));
        Ok(x.linear(&weight, Some(&bias)))
    }

    fn step(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
    ) -> Result<(Var<F>, CellState<F>)> {
        let (h, c) = (&state.registers()[0], &state.registers()[1]);
        let weight = cx.param(self.parameters[1]);
        let gates = h
            .linear_add(&weight, None, &projected)
            .split(1, &[self.units; 4]);
        let c = gates[1].sigmoid_mul(c) + gates[0].sigmoid_mul(&gates[2].tanh());
        let h = gates[3].sigmoid_mul(&c.tanh());
        Ok((h.clone(), CellState::new(vec![h, c])))
    }
}

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(1).rng())
}

fn build(layer: &Recurrent, time: usize, features: usize) -> (RecurrentModule<f32>, Params<f32>) {
    let mut scope = Scope::new(Key::new(1));
    scope.enter("memory");
    let module = layer
        .module(&mut scope, &[Spec::float([time, features])])
        .expect("the layer can be built");
    (module, scope.into_params())
}

/// Forward and back with the gradients of all weights.
fn pass(
    module: &RecurrentModule<f32>,
    params: &Params<f32>,
    tape: &Tape<f32>,
    x: &Tensor,
    lengths: Option<&[usize]>,
) {
    tape.clear();
    let mut cx = Context::new(params, tape.clone(), Mode::Train);
    let x = Var::constant(x.clone());
    let (y, _) = module
        .run(&mut cx, &x, lengths, None)
        .expect("the input fits");
    black_box(y.sum().backward());
}

fn cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sequence");
    group.sample_size(20);
    for [batch, time, features, units] in [[32, 100, 128, 256], [16, 50, 8, 32]] {
        let x = normal([batch, time, features]);
        group.throughput(Throughput::Elements((batch * time) as u64));
        for (name, layer) in [
            ("elman", Elman::new(units)),
            ("lstm", Lstm::new(units)),
            ("lstm by hand", Recurrent::new(ByHand { units })),
            ("gru", Gru::new(units)),
            (
                "gru reset before",
                Recurrent::new(GruCell::new(units).reset_before()),
            ),
            ("minimal gru", Recurrent::new(MinGruCell::new(units))),
        ] {
            let (module, params) = build(&layer, time, features);
            let tape = Tape::new();
            let id = BenchmarkId::new(name, format!("{batch}x{time}x{features}x{units}"));
            group.bench_function(id, |bench| {
                threads::scope(|| bench.iter(|| pass(&module, &params, &tape, &x, None)));
            });
        }
    }
    group.finish();
}

/// Lengths from 1 to all steps: half of the padded steps on average.
fn ragged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sequence ragged");
    group.sample_size(20);
    let (batch, time, features, units) = (32, 100, 128, 256);
    let x = normal([batch, time, features]);
    let lengths: Vec<usize> = (0..batch)
        .map(|row| 1 + (row * 37 % batch) * (time - 1) / (batch - 1))
        .collect();
    let (module, params) = build(&Lstm::new(units), time, features);
    let tape = Tape::new();
    for (name, lengths) in [("padded", None), ("lengths", Some(&lengths[..]))] {
        group.bench_function(name, |bench| {
            threads::scope(|| bench.iter(|| pass(&module, &params, &tape, &x, lengths)));
        });
    }
    group.finish();
}

/// The time of an element is that of a step: it does not grow with the length.
fn length(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sequence length");
    group.sample_size(10);
    for time in [100, 10_000, 100_000] {
        let x = normal([1, time, 8]);
        let (module, params) = build(&Gru::new(32), time, 8);
        let tape = Tape::new();
        group.throughput(Throughput::Elements(time as u64));
        group.bench_function(BenchmarkId::new("gru", time), |bench| {
            threads::scope(|| bench.iter(|| pass(&module, &params, &tape, &x, None)));
        });
    }
    group.finish();
}

/// One step of a stream without gradients.
fn stream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sequence stream");
    for batch in [1, 8] {
        let (module, params) = build(&Lstm::new(128), 1, 64);
        let x = Var::constant(normal([batch, 1, 64]));
        let mut cx = Context::eval(&params);
        let mut states = Some(module.start(&mut cx, batch));
        group.bench_function(BenchmarkId::new("lstm 64 -> 128", batch), |bench| {
            bench.iter(|| {
                let (y, next) = module
                    .run(&mut cx, &x, None, states.take())
                    .expect("the input fits");
                states = Some(next);
                black_box(y)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, cells, ragged, length, stream);
criterion_main!(benches);
