//! Burn (its own CPU backend, flex) and Candle: one training step (forward, loss, backward, Adam) a workload.
//!
//! Usage: `rust_peers burn|candle [--threads N] [--seconds S] [--version] [NAME …]`; prints the same JSON lines as the Python peers.
#![forbid(unsafe_code)]

mod burn_peer;
mod candle_peer;
mod products;
mod timing;

use timing::Session;

const BURN: &str = "Burn-flex 0.22.1";
const CANDLE: &str = "Candle 0.11.1";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().unwrap_or_default();
    let (title, run): (_, fn(&Session)) = match peer.as_str() {
        "burn" => (BURN, burn_peer::run),
        "candle" => (CANDLE, candle_peer::run),
        other => return Err(format!("unknown peer {other:?}: give burn or candle").into()),
    };
    let mut threads = std::thread::available_parallelism()?.get();
    let mut seconds = 3.0;
    let mut names = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--version" => {
                println!("{title}");
                return Ok(());
            }
            "--threads" => {
                threads = arguments
                    .next()
                    .ok_or("--threads needs a number")?
                    .parse()?
            }
            "--seconds" => {
                seconds = arguments
                    .next()
                    .ok_or("--seconds needs a number")?
                    .parse()?
            }
            _ => names.push(argument),
        }
    }
    // Both peers work on rayon's global pool, which compare.py sizes through this variable when it starts the process.
    let session = Session {
        peer,
        threads,
        seconds,
        names,
    };
    run(&session);
    Ok(())
}
