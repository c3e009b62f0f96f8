"""What the Python peers share: the list of workloads, the clock, the command line and the output line.

A peer is run as `PYTHON x_peer.py [--threads N] [--seconds S] [NAME …]` (every workload it has when none is named) and
prints one line a workload, `{"peer": "torch", "threads": 2, "work": "mlp", "ms": 4.21, "runs": 700, "peak_mib": 412.0}`: the
median of a full step after warm-up, over at least S seconds (3) and 5 runs. The name of a group stands for its workloads, whose
lines name the group. The peak memory of the process is that of a workload only where a single one ran, so it is left out
where several did. `--version` prints name and version, which also shows that the library is installed.
"""

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

WARM_UP = 3
LEAST_RUNS = 5

WORKLOADS = {}
GROUPS = {}

# rows × inner × columns of `gemm_training`. A factor marked T is stored the other way around: tn for the gradient of a
# weight, nt for the gradient of a layer's input.
GEMM_TRAINING = [
    (1, 512, 512, "nn"), (1, 2048, 2048, "nn"), (4, 512, 512, "nn"), (32, 128, 128, "nn"), (32, 784, 128, "nn"),
    (32, 512, 512, "nn"), (32, 2048, 2048, "nn"), (32, 512, 10, "nn"), (128, 784, 512, "nn"), (128, 512, 10, "nn"),
    (128, 512, 2048, "nn"), (128, 2048, 512, "nn"), (512, 128, 784, "nn"), (128, 512, 784, "nt"), (784, 128, 512, "tn"),
    (128, 784, 512, "nt"), (32, 512, 512, "nt"), (512, 32, 512, "tn"), (128, 10, 512, "nt"), (512, 128, 10, "tn"),
    (128, 512, 10, "nt"), (32, 128, 784, "nt"), (784, 32, 128, "tn"), (32, 784, 128, "nt"), (256, 256, 256, "tn"),
    (256, 256, 256, "nt"), (1024, 1024, 1024, "tn"), (1024, 1024, 1024, "nt"),
]  # fmt: skip


def workload(build):
    """Registers `build`, a function that prepares a workload and returns its step."""
    WORKLOADS[build.__name__] = build
    return build


def gemm_training(product):
    """Registers the rows of `gemm_training`. `product(a_shape, b_shape, a_across, b_across)` prepares the step: it makes
    matrices of the shapes, as they are stored, and multiplies them, either being turned around where it is said to be."""
    for m, k, n, kind in GEMM_TRAINING:
        across = kind[0] == "t", kind[1] == "t"
        shapes = (k, m) if across[0] else (m, k), (n, k) if across[1] else (k, n)
        name = f"gemm_{m}x{k}x{n}_{kind}"
        WORKLOADS[name] = lambda shapes=shapes, across=across: product(*shapes, *across)
        GROUPS[name] = "gemm_training"


def arguments():
    """The command line, read before a peer imports its library: some take the number of threads from the environment."""
    parser = argparse.ArgumentParser(description="Times training steps of a peer; prints a JSON line for each.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads or groups; all that the peer has by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a workload is timed at least (default: 3)")
    parser.add_argument("--version", action="store_true", help="print the library's name and version and stop")
    return parser.parse_args()


def median_of_steps(step, seconds):
    for _ in range(WARM_UP):
        step()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < LEAST_RUNS:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return statistics.median(times), len(times)


def peak_mib():
    """The most memory that this process has had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kib / 1024, 1)


def run(peer, title, options):
    """Times what the command line asks for. Names that the peer lacks are passed over, so that one list serves all."""
    if options.version:
        print(title)
        return
    wanted = options.names or WORKLOADS
    chosen = [name for name in WORKLOADS if name in wanted or GROUPS.get(name) in wanted]
    for name in chosen:
        seconds, runs = median_of_steps(WORKLOADS[name](), options.seconds)
        line = {"peer": peer, "threads": options.threads, "work": name, "ms": round(seconds * 1e3, 5), "runs": runs}
        if name in GROUPS:
            line["group"] = GROUPS[name]
        if len(chosen) == 1:
            line["peak_mib"] = peak_mib()
        print(json.dumps(line), flush=True)
