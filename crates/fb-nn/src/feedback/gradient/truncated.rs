//! A window before each piece of the loop.

use super::{GradientStrategy, Loop, Read, Unrolled, Wanted};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::Context;
use fb_tensor::Float;
use std::collections::VecDeque;

/// Truncated backpropagation through time: every `k1` ticks the gradient of the outputs of these ticks flows back through
/// `k2` ticks, and no further.
///
/// With `k1 = k2` the loop is cut into pieces. With `k2 > k1` the windows overlap: the `k2 − k1` ticks before each piece are
/// computed once more, so a training step costs about `k2 / k1` times as much. With `k2 < k1` the first ticks of each piece
/// are not learned from. The state itself is never cut: what comes out is what the whole loop gives.
///
/// Where only the last output is wanted, the gradient flows through the last `k2` ticks.
///
/// # References
/// R. Williams, J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
/// Neural Computation 2, 1990 (there `BPTT(h; h′)` with `h = k2` and `h′ = k1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// How many ticks a piece has.
    pub k1: usize,
    /// Through how many ticks the gradient flows.
    pub k2: usize,
}

impl Truncated {
    /// Pieces of `k` ticks with no gradient between them.
    pub fn pieces(k: usize) -> Self {
        Self { k1: k, k2: k }
    }
}

impl<F: Float> GradientStrategy<F> for Truncated {
    fn kind(&self) -> &'static str {
        "Truncated"
    }

    fn validate(&self) -> Result<()> {
        if self.k1 == 0 || self.k2 == 0 {
            return Err(Error::Config {
                what: "Truncated".to_owned(),
                expected: "k1 and k2 of at least 1 tick".to_owned(),
                found: format!("k1 {}, k2 {}", self.k1, self.k2),
                help: "Truncated::pieces(20) cuts the loop every 20 ticks".to_owned(),
            });
        }
        Ok(())
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
        let mut reads = Vec::with_capacity(if wanted == Wanted::Every { ticks } else { 1 });
        let mut done = 0;
        // Where only the end is wanted, the one piece that counts ends there.
        let piece = match wanted {
            Wanted::Every => self.k1,
            Wanted::Last => ticks,
        };
        let overlap = match wanted {
            Wanted::Every => self.k2.saturating_sub(self.k1),
            Wanted::Last => 0,
        };
        // The states before the last ticks, cut off the tape, oldest first: windows start from them.
        let mut past: VecDeque<State<F>> = VecDeque::with_capacity(overlap + 1);
        let mut state = state.detached();
        past.push_back(state.clone());
        while done < ticks {
            let end = (done + piece).min(ticks);
            // The recorded window of this piece is `start..end`; ticks up to `done` are computed once more. A last piece that
            // is shorter reaches as far back as the others.
            let start = match wanted {
                Wanted::Every if overlap > 0 => done.saturating_sub(overlap),
                _ => end.saturating_sub(self.k2).max(done),
            };
            if start < done {
                state = past[past.len() - 1 - (done - start)].clone();
            } else {
                state = state.detached();
            }
            for tick in (start.min(done) + 1)..=end {
                cx.enter_iteration(Some(tick));
                let read = tick > done && wanted.at(tick, ticks);
                let recorded = tick > start;
                let values = if recorded {
                    body.tick(cx, &mut state, tick, read)?
                } else {
                    cx.without_gradients(|cx| body.tick(cx, &mut state, tick, read))?
                };
                if read {
                    reads.push(Read { values, recorded });
                }
                if tick > done && overlap > 0 {
                    past.push_back(state.detached());
                    if past.len() > overlap + 1 {
                        past.pop_front();
                    }
                }
            }
            done = end;
        }
        cx.enter_iteration(None);
        Ok(Unrolled::new(reads, state))
    }
}
