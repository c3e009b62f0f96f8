//! Times training steps and products: one JSON line per workload.
//!
//! `cargo run --release -q -p fb-benches --bin workloads -- [--threads N] [--seconds S] [--limits] [NAME…]`
//!
//! prints for each workload `{"work": "mlp", "threads": 2, "ms": N.NN, "runs": NNN, …}`: the median of a full step after a
//! warm-up, over at least S seconds (3) and 5 runs; then the multiply–adds and bytes that the step needs at least, and where
//! a single workload ran the process's peak memory. `--limits` prints `{"limits": {…}}`, what the machine can do.
#![forbid(unsafe_code)]

use clap::Parser;
use fb::tensor::threads;
use fb_benches::{limits, peak_mib, time, workloads};
use serde_json::json;
use std::time::Duration;

/// Times training steps and products: one JSON line per workload.
#[derive(Parser)]
struct Arguments {
    /// How many threads to use.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// How long a workload is timed at least.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print the machine's multiply–adds and bytes a second.
    #[arg(long)]
    limits: bool,
    /// Which workloads or groups to run; all of them if nothing is asked for.
    names: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let seconds = Duration::try_from_secs_f64(arguments.seconds)?;
    threads::set_count(arguments.threads)?;
    if arguments.limits {
        println!("{}", limits_line(arguments.threads));
    }
    let chosen = choose(&arguments)?;
    for workload in &chosen {
        let mut step = workload.prepare()?;
        let timing = threads::scope(|| time(seconds, &mut *step));
        let mut line = json!({
            "work": workload.name,
            "threads": arguments.threads,
            "ms": (timing.median_ms * 1e5).round() / 1e5,
            "runs": timing.runs,
            "multiply_adds": workload.floor.multiply_adds,
            "optimizer_bytes": workload.floor.optimizer_bytes,
            "pass_bytes": workload.floor.pass_bytes,
        });
        if let Some(group) = workload.group {
            line["group"] = group.into();
        }
        if chosen.len() == 1 && !arguments.limits {
            line["peak_mib"] = peak_mib().into();
        }
        println!("{line}");
    }
    Ok(())
}

/// The workloads that are asked for, in their own order.
fn choose(arguments: &Arguments) -> Result<Vec<workloads::Workload>, String> {
    let mut all = workloads::all();
    if arguments.names.is_empty() {
        return Ok(if arguments.limits { Vec::new() } else { all });
    }
    for name in &arguments.names {
        if !all.iter().any(|workload| workload.is_called(name)) {
            let known: Vec<&str> = all.iter().map(|workload| &*workload.name).collect();
            return Err(format!(
                "no workload {name:?}; there are {}",
                known.join(", ")
            ));
        }
    }
    all.retain(|workload| arguments.names.iter().any(|name| workload.is_called(name)));
    Ok(all)
}

fn limits_line(threads: usize) -> serde_json::Value {
    let found = limits::measure(threads);
    let alone = limits::measure(1);
    let round = |x: f64| (x * 100.0).round() / 100.0;
    json!({"limits": {
        "threads": threads,
        "fma_gflops": round(found.fma_gflops),
        "copy_gb_s": round(found.copy_gb_s),
        "pass_gb_s": round(found.pass_gb_s),
        "read_gb_s": round(found.read_gb_s),
        "fma_gflops_1": round(alone.fma_gflops),
        "copy_gb_s_1": round(alone.copy_gb_s),
    }})
}
