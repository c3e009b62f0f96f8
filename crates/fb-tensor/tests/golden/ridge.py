"""Numbers for ridge.rs: NumPy's Cholesky factor of a Hilbert matrix with a raised diagonal, and ridge weights by its solver.
Run: python3 ridge.py > ridge.csv"""

import numpy as np


def show(matrix):
    print(",".join(f"{value:.17e}" for value in matrix.ravel()))


n = 9
places = np.arange(n)
hilbert = 1.0 / (1.0 + places[:, None] + places[None, :])
show(np.linalg.cholesky(hilbert + 0.01 * np.eye(n)))

x = np.sin(1.0 + np.arange(20 * 7)).reshape(20, 7)
y = np.cos(np.arange(20 * 2) ** 2 % 11.0).reshape(20, 2)
show(np.linalg.solve(x.T @ x + 0.3 * np.eye(7), x.T @ y))
