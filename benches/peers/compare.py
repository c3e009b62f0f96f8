#!/usr/bin/env python3
"""Runs this library's workloads and its peers' in one go and prints times, ratios, distance to the limit, and memory.

    python3 benches/peers/compare.py --torch venv-torch/bin/python --jax venv-jax/bin/python xor_step mlp feedback

README.md beside this file describes the workloads, the peers and how to install them. Peers that are missing are skipped
with a line. Each peer's run stands between two runs of ours, so a machine that slows down or speeds up moves both sides of
a ratio. Limits of the machine are measured again before each workload. Only the standard library is used here.
"""

import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEFAULT_WORKLOADS = (
    "xor_step deep_small mlp feedback deq gemm_256 gemm_1024 gemm_training softmax_4m tanh_4m layernorm_4m"
    " conv gpt lstm gru lstm_small lstm_infer_b1".split()
)
# A group is run in one process, so each of its workloads is timed for less.
GROUPS = {"gemm_training"}
GROUP_SECONDS = 0.2
OURS = "cargo run --release -q -p fb-benches --bin workloads --"
# Set on some machines to work around old OpenBLAS builds; they hold a current numpy to slower kernels.
UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]
GEMM = "gemm, geometric mean"


@dataclasses.dataclass
class Peer:
    """A program that times workloads by name."""

    key: str
    command: list
    title: str


@dataclasses.dataclass
class Target:
    """What is aimed at: a factor over the fastest peer, a share of the limit, milliseconds; None where nothing is."""

    factor: float = None
    share: float = None
    ms: float = None


TARGETS = {
    GEMM: Target(factor=1.1),
    "gemm_1024": Target(share=0.8),
    "mlp": Target(factor=1.2, share=0.7),
    "conv": Target(factor=1.4, share=0.5),
    "gpt": Target(factor=1.4, share=0.65),
    "tanh_4m": Target(factor=4, share=0.8),
    "softmax_4m": Target(factor=1.1, share=0.8),
    "layernorm_4m": Target(factor=1.0, share=0.8),
    "xor_step": Target(factor=10, ms=0.003),
    "deep_small": Target(factor=5),
    "feedback": Target(factor=3),
    "deq": Target(factor=2),
    "lstm": Target(factor=1.4, share=0.7),
    "gru": Target(factor=2),
    "lstm_small": Target(factor=2.5),
    "lstm_infer_b1": Target(factor=6),
}


def parse_arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=DEFAULT_WORKLOADS, metavar="WORKLOAD")
    parser.add_argument("--threads", type=int, default=cores, help=f"threads of every program (default: {cores})")
    parser.add_argument("--rounds", type=int, default=1, help="how often each peer is run against ours (default: 1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="least time of a workload in a run (default: 3)")
    parser.add_argument("--ours", default=OURS, metavar="COMMAND", help="the workloads binary (default: built by cargo)")
    for name, variable in [("torch", "FB_TORCH"), ("jax", "FB_JAX"), ("keras", "FB_KERAS")]:
        text = f"Python that has {name} installed (or ${variable}; default: this one)"
        parser.add_argument(f"--{name}", default=os.environ.get(variable, sys.executable), metavar="PYTHON", help=text)
    rust = os.environ.get("FB_RUST_PEERS", str(HERE / "rust_peers/target/release/rust_peers"))
    parser.add_argument("--rust-peers", default=rust, metavar="BINARY", help="Burn and Candle (or $FB_RUST_PEERS)")
    parser.add_argument("--skip", action="append", default=[], metavar="PEER", help="torch, torchdeq, jax, keras, burn or candle")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    parser.add_argument("--append", action="store_true", help="add to what FILE has, and show all of it")
    options = parser.parse_args()
    options.threads = min(options.threads, cores)
    if options.append and not options.json:
        parser.error("--append needs --json FILE")
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
        ("torchdeq", [options.torch, HERE / "torchdeq_peer.py"], "pip install torchdeq beside torch"),
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


def lines(command, threads, *arguments):
    """The JSON lines that a program prints. One that fails says so on standard error."""
    done = start([*command, "--threads", str(threads), *arguments], threads)
    found = []
    for line in done.stdout.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{shlex.join([*command, *arguments])}: exit {done.returncode}: {last}", file=sys.stderr)
    return [line for line in found if isinstance(line, dict)]


def measure(command, threads, name, seconds):
    """What a program prints for a workload, or for each of a group, by workload; empty where it has none or fails."""
    seconds = GROUP_SECONDS if name in GROUPS else seconds
    found = lines(command, threads, "--seconds", str(seconds), name)
    return {line["work"]: line for line in found if name in (line.get("work"), line.get("group"))}


def measure_limits(ours, threads):
    for line in lines(ours, threads, "--limits"):
        if "limits" in line:
            return line["limits"]
    return None


def entry(name, peer, threads, line, limits=None):
    kept = ["ms", "multiply_adds", "optimizer_bytes", "pass_bytes", "peak_mib"]
    known = {key: line[key] for key in kept if line.get(key) is not None}
    return {"work": name, "peer": peer, "threads": threads, **known} | ({"limits": limits} if limits else {})


def compare(options, ours, peers):
    """One entry a measurement: `{"work", "peer", "threads", "ms", "ours_ms"}`, ours being the mean of the runs around it.
    Small work is often faster on one thread, so each peer is tried both ways and its better one counts."""
    entries = []
    thread_choices = sorted({1, options.threads})
    for name in options.names:
        limits = measure_limits(ours, options.threads)
        before = measure(ours, options.threads, name, options.seconds)
        if not before:
            print(f"{name}: ours has no such workload; peers are timed alone", file=sys.stderr)
        entries += [entry(work, "fb", options.threads, line, limits) for work, line in before.items()]
        for _ in range(options.rounds):
            for peer in peers:
                for threads in thread_choices:
                    theirs = measure(peer.command, threads, name, options.seconds)
                    after = measure(ours, options.threads, name, options.seconds) if theirs and before else {}
                    for work, line in theirs.items():
                        found = entry(work, peer.key, threads, line)
                        if work in before and work in after:
                            found["ours_ms"] = (before[work]["ms"] + after[work]["ms"]) / 2
                        entries.append(found)
                        print(f"{work} {peer.key} --threads {threads}: {line['ms']:.4g} ms", file=sys.stderr)
                    entries += [entry(work, "fb", options.threads, line) for work, line in after.items()]
                    before = after or before
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


def fastest(entries, name):
    """The fastest peer's time over ours and its key, or None where nobody or ours was not measured."""
    others = {entry["peer"] for entry in entries if entry["work"] == name} - {"fb"}
    found = {key: best(entries, name, key) for key in others}
    ratios = [(ratio, key) for key, (_, ratio, _) in found.items() if ratio is not None]
    return min(ratios) if ratios else None


def memory(entries, name, peer):
    """The median of the peaks at the peer's better thread setting, in MiB."""
    result = best(entries, name, peer)
    same = lambda e: result and (e["work"], e["peer"], e["threads"]) == (name, peer, result[2])
    peaks = [entry["peak_mib"] for entry in entries if same(entry) and "peak_mib" in entry]
    return statistics.median(peaks) if peaks else None


def floor(entries, name):
    """The milliseconds that the step needs by the machine's limits: arithmetic, and bytes over the copy bandwidth."""
    found = []
    for entry in entries:
        if entry["work"] == name and "limits" in entry:
            arithmetic = 2 * entry["multiply_adds"] / entry["limits"]["fma_gflops"]
            memory = (entry["optimizer_bytes"] + entry["pass_bytes"]) / entry["limits"]["copy_gb_s"]
            found.append((arithmetic + memory) / 1e6)
    return statistics.median(found) if found else None


def cell(result, threads):
    if result is None:
        return "–"
    ms, ratio, used = result
    parts = [] if ratio is None else [f"{ratio:.2f}×"]
    parts += [] if used == threads else [f"{used} thread" + "s" * (used != 1)]
    return f"{ms:.4g}" + (f" ({', '.join(parts)})" if parts else "")


def markdown(rows, words=1):
    """A table whose first columns have words and whose others have numbers."""
    aligned = ["---"] * words + ["---:"] * (len(rows[0]) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], aligned, *rows[1:]])


def works(entries):
    return list(dict.fromkeys(entry["work"] for entry in entries))


def times(options, entries, titles):
    rows = [["workload", "fb", *titles.values()]]
    for name in works(entries):
        rows.append([name, *[cell(best(entries, name, key), options.threads) for key in ["fb", *titles]]])
    return markdown(rows)


def gemm_mean(entries):
    """The geometric mean of the ratios to the fastest peer over all products, and how many there are."""
    found = [fastest(entries, name) for name in works(entries) if name.startswith("gemm_")]
    ratios = [ratio for ratio, _ in filter(None, found)]
    return (math.exp(statistics.fmean(map(math.log, ratios))), len(ratios)) if ratios else None


def verdict(value, least):
    """The value beside what is aimed at, or only the value, or a dash."""
    if value is None:
        return "–"
    return f"{value:.2f}×" + ("" if least is None else f" (≥ {least:g}: {'met' if value >= least else 'not met'})")


def verdict_share(value, least):
    if value is None:
        return "–"
    return f"{value:.0%}" + ("" if least is None else f" (≥ {least:.0%}: {'met' if value >= least else 'not met'})")


def standing(entries):
    """Against the fastest peer, the limit and PyTorch's memory."""
    heads = "workload|fastest peer|fb, ms|factor over it|limit, ms|of the limit|fb, peak MiB|PyTorch, peak MiB"
    rows = [heads.split("|")]
    mib = lambda peak: "–" if peak is None else f"{peak:.0f}"
    for name in works(entries):
        target, ours = TARGETS.get(name, Target()), best(entries, name, "fb")
        if ours is None:
            continue
        ratio, peer = fastest(entries, name) or (None, "–")
        least = floor(entries, name)
        ms = f"{ours[0]:.4g}"
        if target.ms is not None:
            ms += f" (< {target.ms:g}: {'met' if ours[0] < target.ms else 'not met'})"
        share = None if least is None else least / ours[0]
        limit = "–" if least is None else f"{least:.3g}"
        peaks = [mib(memory(entries, name, key)) for key in ["fb", "torch"]]
        rows.append([name, peer, ms, verdict(ratio, target.factor), limit, verdict_share(share, target.share), *peaks])
    mean = gemm_mean(entries)
    if mean:
        rows.append([f"{GEMM} of {mean[1]}", "best on each", "", verdict(mean[0], TARGETS[GEMM].factor), "", "", "", ""])
    return markdown(rows, words=2)


def limits_line(entries, threads):
    """Medians of the limits over the run."""
    found = [entry["limits"] for entry in entries if "limits" in entry]
    if not found:
        return "Limits were not measured."
    at = {key: statistics.median(limits[key] for limits in found) for key in found[0]}
    return (
        f"Limits, medians: {at['fma_gflops']:.0f} GFLOP/s of multiply–adds on {threads} threads"
        f" ({at['fma_gflops_1']:.0f} on one), {at['copy_gb_s']:.0f} GB/s copied in memory ({at['copy_gb_s_1']:.0f} on one),"
        f" {at['read_gb_s']:.0f} GB/s read; copies of the same 16 MiB, which caches may hold: {at['pass_gb_s']:.0f} GB/s."
    )


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
    titles = {peer.key: peer.title for peer in peers}
    earlier = json.loads(options.json.read_text()) if options.append and options.json.exists() else None
    entries = compare(options, ours, peers)
    if earlier:
        machine, titles = earlier["machine"], earlier["peers"] | titles
        entries = earlier["entries"] + entries

    print(f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, {machine['system']}, {machine['rustc']}")
    print(f"{machine['date']}, commit {machine['commit']}, load {machine['load_before']} before\n")
    print("Milliseconds a step; in brackets the peer's time over ours in the runs around it (above 1: ours is faster).\n")
    print(times(options, entries, titles))
    print(f"\n{limits_line(entries, options.threads)}\n")
    print(standing(entries))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "peers": titles, "entries": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
