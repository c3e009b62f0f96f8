"""What the Python peers share: the list of workloads, the clock, the command line and the output line.

A peer is run as `PYTHON x_peer.py [--threads N] [NAME …]` (every workload it has when none is named) and prints one line a
workload, `{"peer": "torch", "threads": 2, "work": "mlp", "ms": 4.21, "runs": 700}`: the median of a full step after
warm-up, over at least 3 s and 5 runs. `--version` prints name and version, which also shows that its packages are installed.
"""

import argparse
import json
import os
import statistics
import time

WARM_UP = 3
SECONDS = 3.0
LEAST_RUNS = 5

WORKLOADS = {}


def workload(build):
    """Registers `build`, a function that prepares a workload and returns its step."""
    WORKLOADS[build.__name__] = build
    return build


def arguments():
    """The command line, read before a peer imports its library: some take the number of threads from the environment."""
    parser = argparse.ArgumentParser(description="Times training steps of a peer; prints a JSON line for each.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads; all that the peer has by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--version", action="store_true", help="print the library's name and version and stop")
    return parser.parse_args()


def median_of_steps(step):
    for _ in range(WARM_UP):
        step()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS or len(times) < LEAST_RUNS:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return statistics.median(times), len(times)


def run(peer, title, options):
    """Times what the command line asks for. Names that the peer lacks are passed over, so that one list serves all."""
    if options.version:
        print(title)
        return
    for name in options.names or WORKLOADS:
        if name not in WORKLOADS:
            continue
        seconds, runs = median_of_steps(WORKLOADS[name]())
        line = {"peer": peer, "threads": options.threads, "work": name, "ms": round(seconds * 1e3, 4), "runs": runs}
        print(json.dumps(line), flush=True)
