//! Timing of one step, repeated.

use std::time::{Duration, Instant};

/// Steps before the clock starts.
const WARM_UP: usize = 3;
/// The clock runs for at least this many steps.
const LEAST_RUNS: usize = 5;

/// What [`time`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// The median of the steps, in milliseconds.
    pub median_ms: f64,
    /// How many steps were timed.
    pub runs: usize,
}

/// Repeats a step after a warm-up for at least this time and 5 runs, and gives the median.
pub fn time(least: Duration, mut step: impl FnMut()) -> Timing {
    for _ in 0..WARM_UP {
        step();
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < least || times.len() < LEAST_RUNS {
        let before = Instant::now();
        step();
        times.push(before.elapsed());
    }
    times.sort_unstable();
    Timing {
        median_ms: times[times.len() / 2].as_secs_f64() * 1e3,
        runs: times.len(),
    }
}
