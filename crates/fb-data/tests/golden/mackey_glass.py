"""Values for mackey_glass.rs: the Mackey-Glass equation by Heun's method with steps of 1/4000, delayed values read off the
grid; extrapolated to a step of zero from two step sizes (Richardson). Run: python3 mackey_glass.py > mackey_glass.csv"""

import numpy as np


def series(samples, steps, delay, start):
    """Sampled once a unit of time; `steps` steps a unit."""
    h, back = 1.0 / steps, round(delay * steps)
    x = np.full(back + samples * steps + 1, start)
    slope = lambda x, delayed: 0.2 * delayed / (1.0 + delayed**10) - 0.1 * x
    for n in range(back, back + samples * steps):
        first = slope(x[n], x[n - back])
        x[n + 1] = x[n] + h / 2 * (first + slope(x[n] + h * first, x[n + 1 - back]))
    return x[back :: steps][:samples]


for delay, start in [(17.0, 1.2), (30.0, 0.9)]:
    coarse, fine = (series(60, steps, delay, start) for steps in (2000, 4000))
    best = fine + (fine - coarse) / 3
    print(",".join([repr(delay), repr(start), *(f"{value:.12f}" for value in best)]))
