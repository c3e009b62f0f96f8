#!/usr/bin/env python3
"""Runs this library's workloads and its peers' in one go and prints the table of times and ratios.

    python3 benches/peers/compare.py --torch venv-torch/bin/python --jax venv-jax/bin/python xor_step mlp feedback

README.md beside this file describes the workloads, the peers and how to install them. Peers that are missing are skipped
with a line. Each peer's run stands between two runs of ours, so a machine that slows down or speeds up moves both sides of
a ratio. Only the standard library is used here.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEFAULT_WORKLOADS = ["xor_step", "mlp", "feedback", "gemm_256", "gemm_1024"]
OURS = "cargo run --release -q -p fb-benches --bin workloads --"
# Set on some machines to work around old OpenBLAS builds; they hold a current numpy to slower kernels.
UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]


@dataclasses.dataclass
class Peer:
    """A program that times workloads by name."""

    key: str
    command: list
    title: str


def parse_arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=DEFAULT_WORKLOADS, metavar="WORKLOAD")
    parser.add_argument("--threads", type=int, default=cores, help=f"threads of every program (default: {cores})")
    parser.add_argument("--rounds", type=int, default=1, help="how often each peer is run against ours (default: 1)")
    parser.add_argument("--ours", default=OURS, help="command that takes --threads N NAME… (default: the workloads binary)")
    for name, variable in [("torch", "FB_TORCH"), ("jax", "FB_JAX"), ("keras", "FB_KERAS")]:
        text = f"Python that has {name} installed (or ${variable}; default: this one)"
        parser.add_argument(f"--{name}", default=os.environ.get(variable, sys.executable), metavar="PYTHON", help=text)
    rust = os.environ.get("FB_RUST_PEERS", str(HERE / "rust_peers/target/release/rust_peers"))
    parser.add_argument("--rust-peers", default=rust, metavar="BINARY", help="Burn and Candle (or $FB_RUST_PEERS)")
    parser.add_argument("--skip", action="append", default=[], metavar="PEER", help="torch, jax, keras, burn or candle")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    options = parser.parse_args()
    options.threads = min(options.threads, cores)
    return options


def environment(threads):
    """rayon, OpenMP and the rest see the same number of threads, whichever of them a program listens to."""
    kept = {key: value for key, value in os.environ.items() if key not in UNSET}
    return kept | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}


def start(command, threads, pin=True):
    """Runs a program to its end. It is held to `threads` cores, because XLA takes all that it may run on."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    bind = (lambda: os.sched_setaffinity(0, cores)) if pin else None
    return subprocess.run(
        command, cwd=ROOT, env=environment(threads), preexec_fn=bind, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def find_peers(options):
    """The peers that answer `--version`; the others are named on standard error with the way to install them."""
    build_rust = "build benches/peers/rust_peers, then --rust-peers BINARY"
    candidates = [
        ("torch", [options.torch, HERE / "torch_peer.py"], "pip install torch numpy, then --torch PYTHON"),
        ("jax", [options.jax, HERE / "jax_peer.py"], "pip install jax numpy, then --jax PYTHON"),
        ("keras", [options.keras, HERE / "keras_peer.py"], "pip install tensorflow-cpu, then --keras PYTHON"),
        ("burn", [options.rust_peers, "burn"], build_rust),
        ("candle", [options.rust_peers, "candle"], build_rust),
    ]
    peers = []
    for key, command, hint in candidates:
        if key in options.skip:
            continue
        command = [str(part) for part in command]
        try:
            answer = start([*command, "--version"], options.threads)
            title = answer.stdout.strip() if answer.returncode == 0 else ""
        except OSError:
            title = ""
        if title:
            peers.append(Peer(key, command, title))
        else:
            print(f"{key}: not found, skipped ({hint})", file=sys.stderr)
    return peers


def measure(command, threads, name):
    """Milliseconds of one workload, or None where the program does not have it or fails."""
    done = start([*command, "--threads", str(threads), name], threads)
    for line in done.stdout.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("work") == name:
            return float(entry["ms"])
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{shlex.join(command)} {name}: exit {done.returncode}: {last}", file=sys.stderr)
    return None


def compare(options, ours, peers):
    """One entry a measurement: `{"work", "peer", "threads", "ms", "ours_ms"}`, ours being the mean of the runs around it.
    Small work is often faster on one thread, so each peer is tried both ways and its better one counts."""
    entries = []
    thread_choices = sorted({1, options.threads})
    for name in options.names:
        before = measure(ours, options.threads, name)
        if before is None:
            print(f"{name}: ours has no such workload; peers are timed alone", file=sys.stderr)
        else:
            entries.append({"work": name, "peer": "fb", "threads": options.threads, "ms": before})
        for _ in range(options.rounds):
            for peer in peers:
                for threads in thread_choices:
                    ms = measure(peer.command, threads, name)
                    if ms is None:
                        continue
                    entry = {"work": name, "peer": peer.key, "threads": threads, "ms": ms}
                    after = measure(ours, options.threads, name) if before is not None else None
                    if after is not None:
                        entries.append({"work": name, "peer": "fb", "threads": options.threads, "ms": after})
                        entry["ours_ms"] = (before + after) / 2
                        before = after
                    entries.append(entry)
                    print(f"{name} {peer.key} --threads {threads}: {ms:.4g} ms", file=sys.stderr)
    return entries


def best(entries, name, peer):
    """The peer's better thread setting: (median ms, median ratio or None, threads), or None if it was not measured."""
    found = []
    mine = [entry for entry in entries if entry["work"] == name and entry["peer"] == peer]
    for threads in sorted({entry["threads"] for entry in mine}):
        runs = [entry for entry in mine if entry["threads"] == threads]
        ratios = [entry["ms"] / entry["ours_ms"] for entry in runs if "ours_ms" in entry]
        ratio = statistics.median(ratios) if ratios else None
        found.append((statistics.median(entry["ms"] for entry in runs), ratio, threads))
    return min(found, key=lambda f: f[0]) if found else None


def cell(result, threads):
    if result is None:
        return "–"
    ms, ratio, used = result
    parts = [] if ratio is None else [f"{ratio:.2f}×"]
    parts += [] if used == threads else [f"{used} thread" + "s" * (used != 1)]
    return f"{ms:.4g}" + (f" ({', '.join(parts)})" if parts else "")


def table(options, entries, peers):
    rows = [["workload", "fb"] + [peer.title for peer in peers], ["---"] + ["---:"] * (len(peers) + 1)]
    for name in options.names:
        cells = [cell(best(entries, name, key), options.threads) for key in ["fb", *[peer.key for peer in peers]]]
        rows.append([name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def first_line(*command):
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return (answer.stdout.splitlines() or ["unknown"])[0]


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(part.split(":", 1) for part in (line.replace("\t", "") for line in lines) if ":" in part)
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if name in fields.get("flags", "").split()]
    return fields.get("model name", platform.machine()).strip() + (f" ({', '.join(wide)})" if wide else "")


def describe(options):
    changed = "" if first_line("git", "status", "--porcelain") == "unknown" else ", with changes"
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": options.threads,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "rustc": first_line("rustc", "--version"),
        "commit": first_line("git", "rev-parse", "--short", "HEAD") + changed,
    }


def main():
    options = parse_arguments()
    machine = describe(options)
    if machine["load_before"] > 0.5:
        print(f"the machine is busy (load {machine['load_before']}): times will not be comparable", file=sys.stderr)
    ours = shlex.split(options.ours)
    built = start([*ours, "--help"], options.threads, pin=False)
    if built.returncode != 0:
        sys.exit(f"{shlex.join(ours)} --help failed:\n{built.stderr}")
    peers = find_peers(options)
    entries = compare(options, ours, peers)

    print(f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, {machine['system']}, {machine['rustc']}")
    print(f"{machine['date']}, commit {machine['commit']}, load {machine['load_before']} before\n")
    print("Milliseconds a step; in brackets the peer's time over ours in the runs around it (above 1: ours is faster).\n")
    print(table(options, entries, peers))
    if options.json:
        titles = {peer.key: peer.title for peer in peers}
        options.json.write_text(json.dumps({"machine": machine, "peers": titles, "entries": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
