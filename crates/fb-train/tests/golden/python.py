"""Writes python.safetensors and checks that Python reads model_v1.safetensors.

    pip install numpy safetensors
    python python.py
"""

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).parent

save_file(
    {
        "weight": np.arange(1, 7, dtype=np.float32).reshape(2, 3),
        "wide": np.array(0.1),
        "count": np.array([1, -1]),
        "flag": np.array([True, False]),
    },
    HERE / "python.safetensors",
)

model = load_file(HERE / "model_v1.safetensors")
assert sorted(model) == ["hidden1/scale", "hidden1/weight", "mask", "vocabulary"]
assert model["hidden1/weight"].dtype == np.float32 and model["hidden1/weight"].shape == (2, 3)
assert model["hidden1/scale"].tolist() == [[0.1], [-0.2]]
assert model["vocabulary"].tolist() == [-(2**63), 0, 2**63 - 1]
assert model["mask"].tolist() == [True, False, True]
with safe_open(HERE / "model_v1.safetensors", "numpy") as file:
    assert file.metadata()["fb.format"] == "1"
    assert file.metadata()["author"] == "the tests"
print("ok")
