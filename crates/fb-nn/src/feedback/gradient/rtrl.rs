//! Forward in time.

use super::flat::{flatten, unflatten};
use super::{GradientStrategy, Loop, Read, Unrolled, Wanted};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::{Context, Replay};
use fb_autograd::{Tape, Var};
use fb_tensor::{Float, Tensor};

/// Real-time recurrent learning: the Jacobian of the state by everything that it depends on is carried forward with the
/// state, `Pₜ = Jₜ Pₜ₋₁ + ∂f/∂θ`. Exact, with memory that does not grow with the loop, but with a Jacobian of `state ×
/// parameters` for each sample and one sweep for each of its numbers at each tick: for tiny networks, and as an oracle.
///
/// # References
/// R. Williams, D. Zipser, "A learning algorithm for continually running fully recurrent neural networks", Neural Computation
/// 1(2), 1989.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtrl;

/// The most numbers that a Jacobian may have.
const MOST: usize = 1 << 26;

impl<F: Float> GradientStrategy<F> for Rtrl {
    fn kind(&self) -> &'static str {
        "Rtrl"
    }

    fn by_tick(&self) -> bool {
        false
    }

    fn unroll(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
        ticks: usize,
        wanted: Wanted,
    ) -> Result<Unrolled<F>> {
        let mut state = state;
        body.fill(cx, &mut state);
        let start: Vec<Var<F>> = state.values().cloned().collect();
        let entry = body.entry();
        let mut reads = Vec::new();
        let mut jacobian: Option<Jacobian<F>> = None;
        for tick in 1..=ticks {
            cx.enter_iteration(Some(tick));
            let read = wanted.at(tick, ticks);
            let before = state.detached();
            // The tick itself is recorded, from a state that knows its Jacobian.
            let values = body.tick(cx, &mut state, tick, read)?;
            if read {
                reads.push(Read {
                    values,
                    recorded: true,
                });
            }
            if tick == ticks {
                break;
            }
            let replay = cx.replay();
            let params: Vec<Var<F>> = replay.used().map(|id| cx.param(id)).collect();
            let mut known = match jacobian.take() {
                Some(known) => known,
                None => Jacobian::start(&start, &entry, &params)?,
            };
            known.advance(body, &replay, &before, &entry, tick)?;
            let inputs: Vec<&Var<F>> = start.iter().chain(&entry).chain(&params).collect();
            let flat = flatten(&state);
            let product = known.clone();
            let flat = Var::custom("rtrl", &inputs, flat, move |g| product.transposed(g));
            state = unflatten(&state, &flat);
            jacobian = Some(known);
        }
        cx.enter_iteration(None);
        Ok(Unrolled::new(reads, state))
    }
}

/// The derivatives of a state `[batch, n]` by what it depends on.
#[derive(Clone)]
struct Jacobian<F: Float> {
    /// By the numbers of each sample's own start and entry: `[batch, n, numbers]` each, with the shape of the whole.
    own: Vec<(Tensor<F>, fb_tensor::Shape)>,
    /// By parameters: `[batch, n, numbers]` each.
    shared: Vec<(Tensor<F>, fb_tensor::Shape)>,
    batch: usize,
    n: usize,
}

impl<F: Float> Jacobian<F> {
    /// Of the state by itself.
    fn start(start: &[Var<F>], entry: &[Var<F>], params: &[Var<F>]) -> Result<Self> {
        let per_row = |v: &Var<F>| v.dims()[1..].iter().product::<usize>();
        let batch = start.first().map_or(0, |v| v.shape()[0]);
        let n: usize = start.iter().map(per_row).sum();
        let all = n
            + entry.iter().map(per_row).sum::<usize>()
            + params.iter().map(|v| v.tensor().len()).sum::<usize>();
        let numbers = batch.saturating_mul(n).saturating_mul(all);
        if numbers > MOST {
            return Err(Error::Config {
                what: "Rtrl".to_owned(),
                expected: format!("a Jacobian of at most {MOST} numbers"),
                found: format!("{batch} samples × {n} numbers of state × {all} inputs and weights"),
                help: "use Bptt, or Checkpointed where memory is short: both are as exact"
                    .to_owned(),
            });
        }
        let zeros = |numbers: usize| Tensor::zeros_of([batch, n, numbers]);
        let mut offset = 0;
        let identity = start.iter().map(|v| {
            let numbers = per_row(v);
            let first = offset;
            offset += numbers;
            let one = |at: &[usize]| {
                if at[1] == first + at[2] {
                    F::ONE
                } else {
                    F::ZERO
                }
            };
            (Tensor::from_fn([batch, n, numbers], one), *v.shape())
        });
        let own: Vec<_> = identity
            .collect::<Vec<_>>()
            .into_iter()
            .chain(entry.iter().map(|v| (zeros(per_row(v)), *v.shape())))
            .collect();
        let shared = params
            .iter()
            .map(|v| (zeros(v.tensor().len()), *v.shape()))
            .collect();
        Ok(Self {
            own,
            shared,
            batch,
            n,
        })
    }

    /// From the state before a tick to that after it.
    fn advance(
        &mut self,
        body: &dyn Loop<F>,
        replay: &Replay<F>,
        before: &State<F>,
        entry: &[Var<F>],
        tick: usize,
    ) -> Result<()> {
        let tape = Tape::new();
        let leaves: Vec<Var<F>> = before
            .values()
            .map(|v| tape.leaf(v.tensor().clone()))
            .collect();
        let entered: Vec<Var<F>> = entry
            .iter()
            .map(|v| tape.leaf(v.tensor().clone()))
            .collect();
        let (mut cx, params) = replay.context(&tape);
        cx.enter_iteration(Some(tick));
        let mut state = before.with_values(leaves.iter().cloned());
        body.with_entry(entered.clone())
            .tick(&mut cx, &mut state, tick, false)?;
        let outputs: Vec<&Var<F>> = state.values().collect();
        let unit = |sample: Option<usize>, i: usize| {
            let mut offset = 0;
            outputs
                .iter()
                .map(|output| {
                    let numbers = output.tensor().len() / self.batch;
                    let at = i.checked_sub(offset).filter(|at| *at < numbers);
                    offset += numbers;
                    let mut cotangent = output.tensor().zeros_like();
                    if let Some(at) = at {
                        let rows = cotangent.make_mut().chunks_exact_mut(numbers).enumerate();
                        rows.filter(|(row, _)| sample.is_none_or(|sample| sample == *row))
                            .for_each(|(_, row)| row[at] = F::ONE);
                    }
                    (*output, cotangent)
                })
                .collect::<Vec<_>>()
        };
        // Samples do not see each other: one sweep gives the rows of all their Jacobians.
        let own: Vec<&Var<F>> = leaves.iter().chain(&entered).collect();
        let mut rows: Vec<Vec<Tensor<F>>> = vec![Vec::new(); own.len()];
        for i in 0..self.n {
            for (rows, found) in rows.iter_mut().zip(tape.vjp(&unit(None, i), &own)) {
                rows.push(found.reshape([self.batch, found.len() / self.batch]));
            }
        }
        let stacked: Vec<Tensor<F>> = rows
            .iter()
            .map(|rows| Tensor::stack(&rows.iter().collect::<Vec<_>>(), 1))
            .collect();
        let (by_state, by_entry) = stacked.split_at(leaves.len());
        let j = Tensor::concat(&by_state.iter().collect::<Vec<_>>(), 2);
        for (position, (p, _)) in self.own.iter_mut().enumerate() {
            *p = j.matmul(p);
            if let Some(direct) = position.checked_sub(leaves.len()) {
                *p = &*p + &by_entry[direct];
            }
        }
        let wrt: Vec<&Var<F>> = params.iter().collect();
        let mut direct: Vec<Vec<Tensor<F>>> = vec![Vec::new(); params.len()];
        for sample in 0..self.batch {
            for i in 0..self.n {
                let found = tape.vjp(&unit(Some(sample), i), &wrt);
                for (rows, found) in direct.iter_mut().zip(found) {
                    rows.push(found.reshape([found.len()]));
                }
            }
        }
        for ((p, _), rows) in self.shared.iter_mut().zip(&direct) {
            let direct = Tensor::stack(&rows.iter().collect::<Vec<_>>(), 0);
            let direct = direct.reshape(*p.shape());
            *p = j.matmul(p) + &direct;
        }
        Ok(())
    }

    /// What a gradient `[batch, n]` of the state is for everything that it depends on.
    fn transposed(&self, gradient: &Tensor<F>) -> Vec<Option<Tensor<F>>> {
        let g = gradient.reshape([self.batch, 1, self.n]);
        let own = self
            .own
            .iter()
            .map(|(p, shape)| Some(g.matmul(p).reshape(*shape)));
        let shared = self
            .shared
            .iter()
            .map(|(p, shape)| Some(g.matmul(p).sum_axes(&[0], false).reshape(*shape)));
        own.chain(shared).collect()
    }
}
