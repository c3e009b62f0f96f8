"""Eigenvalues and largest singular values of Jacobians of many kinds, computed with numpy (LAPACK) in f64.

    python spectrum.py

The numbers are deterministic. A case has `name`, `matrix`, its `eigenvalues` as pairs of real and imaginary part by falling
modulus, and `largest_singular_value`. Elements have few digits, which keeps the file small.
"""

import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(4)


def dense(n):
    return rng.normal(size=(n, n)) / np.sqrt(n)


def orthogonal(n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def symmetric(n):
    a = dense(n)
    return (a + a.T) / 2


def skew(n):
    a = dense(n)
    return (a - a.T) / 2


def tanh_loop(n):
    """What a layer of tanh units that feeds itself has for a Jacobian."""
    return (1 - np.tanh(rng.normal(size=(n, 1))) ** 2) * dense(n) * 1.5


def not_normal(n):
    """Upper triangular and turned a little: sensitive, but not defective."""
    a = np.triu(dense(n)) * 2 + np.diag(np.linspace(-0.9, 0.9, n))
    return a + 0.01 * dense(n)


def low_rank(n):
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, n)) / n


KINDS = [dense, orthogonal, symmetric, skew, tanh_loop, not_normal, low_rank]
SIZES = {dense: [1, 2, 3, 4, 7, 16, 31, 48, 64], orthogonal: [33], tanh_loop: [24, 64]}


def case(kind, n):
    matrix = kind(n).round(3)
    values = sorted(np.linalg.eigvals(matrix), key=lambda z: (-round(abs(z), 12), z.real, -z.imag))
    return {
        "name": f"{kind.__name__} {n}",
        "matrix": matrix.tolist(),
        "eigenvalues": [[z.real, z.imag] for z in np.array(values, dtype=complex)],
        "largest_singular_value": float(np.linalg.svd(matrix)[1][0]),
    }


def main():
    cases = [case(kind, n) for kind in KINDS for n in SIZES.get(kind, [30])]
    path = Path(__file__).parent / "spectrum.json"
    lines = ",\n".join(json.dumps(c, allow_nan=False) for c in cases)
    path.write_text(f'{{"numpy": "{np.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
