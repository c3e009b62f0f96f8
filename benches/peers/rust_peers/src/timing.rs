//! The clock and the output line, as in `harness.py`.

use std::time::Instant;

use crate::products;

const WARM_UP: usize = 3;
const LEAST_RUNS: usize = 5;

/// What the command line asked for.
pub(crate) struct Session {
    pub(crate) peer: String,
    pub(crate) threads: usize,
    pub(crate) seconds: f64,
    pub(crate) names: Vec<String>,
}

impl Session {
    /// Whether the workload, or the group that it is in, was asked for.
    pub(crate) fn wants(&self, work: &str, group: Option<&str>) -> bool {
        let asked = |name: &String| name == work || group == Some(name);
        self.names.is_empty() || self.names.iter().any(asked)
    }

    /// Warms up, times `step` and prints the median.
    pub(crate) fn time(&self, work: &str, mut step: impl FnMut()) {
        for _ in 0..WARM_UP {
            step();
        }
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed().as_secs_f64() < self.seconds || times.len() < LEAST_RUNS {
            let before = Instant::now();
            step();
            times.push(before.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let (ms, runs) = (times[times.len() / 2] * 1e3, times.len());
        let Session { peer, threads, .. } = self;
        let mut line = format!(
            r#""peer": "{peer}", "threads": {threads}, "work": "{work}", "ms": {ms:.5}, "runs": {runs}"#
        );
        if products::training().any(|(name, _)| name == work) {
            line += &format!(r#", "group": "{}""#, products::GROUP);
        }
        if let [only] = &self.names[..]
            && only == work
            && let Some(peak) = peak_mib()
        {
            line += &format!(r#", "peak_mib": {peak:.1}"#);
        }
        println!("{{{line}}}");
    }
}

/// The most memory that this process has had.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
