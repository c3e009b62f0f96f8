//! The clock and the output line, as in `harness.py`.

use std::time::Instant;

const WARM_UP: usize = 3;
const SECONDS: f64 = 3.0;
const LEAST_RUNS: usize = 5;

/// What the command line asked for.
pub(crate) struct Session {
    pub(crate) peer: String,
    pub(crate) threads: usize,
    pub(crate) names: Vec<String>,
}

impl Session {
    pub(crate) fn wants(&self, work: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == work)
    }

    /// Warms up, times `step` and prints the median.
    pub(crate) fn time(&self, work: &str, mut step: impl FnMut()) {
        for _ in 0..WARM_UP {
            step();
        }
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed().as_secs_f64() < SECONDS || times.len() < LEAST_RUNS {
            let before = Instant::now();
            step();
            times.push(before.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let (ms, runs) = (times[times.len() / 2] * 1e3, times.len());
        let Session { peer, threads, .. } = self;
        println!(
            r#"{{"peer": "{peer}", "threads": {threads}, "work": "{work}", "ms": {ms:.4}, "runs": {runs}}}"#
        );
    }
}
