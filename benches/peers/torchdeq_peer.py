"""torchdeq on PyTorch: one training step of an equilibrium layer, eager mode. Usage: see harness.py."""

import importlib.metadata

import harness
from harness import workload

OPTIONS = harness.arguments()

import torch
import torch.nn.functional as F
from torch import nn
from torchdeq import get_deq

torch.set_num_threads(OPTIONS.threads)
torch.manual_seed(0)


class EquilibriumNet(nn.Module):
    """Its layers and their first values are those of torch_peer.py."""

    def __init__(self, width=256, outputs=10):
        super().__init__()
        self.input, self.loop = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, outputs)
        nn.init.orthogonal_(self.loop.weight, gain=0.7)
        nn.init.normal_(self.input.weight, std=width**-0.5)
        nn.init.zeros_(self.input.bias)
        # Backward by plain iteration: torchdeq's Anderson adds 1e-4 to the products of residuals, which are far smaller
        # for gradients, does not converge and takes three times as long.
        self.solve = get_deq(
            ift=True, f_solver="anderson", b_solver="fixed_point_iter", f_max_iter=40, b_max_iter=40,
            f_tol=1e-3, b_tol=1e-3, f_stop_mode="rel", b_stop_mode="rel",
        )  # fmt: skip

    def forward(self, x):
        u = self.input(x)
        states, _ = self.solve(lambda z: torch.tanh(u + self.loop(z)), torch.zeros_like(u), solver_kwargs={"m": 5, "lam": 1e-6})
        return self.head(states[-1])


@workload
def deq():
    net = EquilibriumNet()
    x, y = torch.randn(64, 256), torch.randint(0, 10, (64,))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


harness.run("torchdeq", f"torchdeq {importlib.metadata.version('torchdeq')}", OPTIONS)
