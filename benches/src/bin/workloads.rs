//! Times training steps and products: one JSON line per workload.
//!
//! `cargo run --release -q -p fb-benches --bin workloads -- [--threads N] [NAME…]`
//!
//! prints for each workload `{"work": "mlp", "threads": 2, "ms": N.NN, "runs": NNN}`: the median of a full step after a
//! warm-up, over at least 3 s and 5 runs.
#![forbid(unsafe_code)]

use clap::Parser;
use fb::tensor::threads;
use fb_benches::{time, workloads};

/// Times training steps and products: one JSON line per workload.
#[derive(Parser)]
struct Arguments {
    /// How many threads to use.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Which workloads to run; all of them if none is named.
    names: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .build_global()?;
    let mut chosen: Vec<&workloads::Workload> = Vec::new();
    for name in &arguments.names {
        let known = || {
            workloads::ALL
                .iter()
                .map(|workload| workload.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        chosen.push(
            workloads::find(name)
                .ok_or_else(|| format!("no workload {name:?}; there are {}", known()))?,
        );
    }
    if chosen.is_empty() {
        chosen.extend(&workloads::ALL);
    }
    for workload in chosen {
        let mut step = workload.prepare()?;
        let timing = threads::scope(|| time(&mut *step));
        let line = serde_json::json!({
            "work": workload.name,
            "threads": arguments.threads,
            "ms": (timing.median_ms * 1e5).round() / 1e5,
            "runs": timing.runs,
        });
        println!("{line}");
    }
    Ok(())
}
