"""Reference values of parametrised weights: `torch.nn.utils.parametrizations`, turned into this library's orientation."""

import torch
from torch import nn
from torch.nn.utils import parametrizations as torch_parametrizations


def turned(weight):
    """`[out, in, positions…]` of PyTorch as `[positions…, in, out]`."""
    axes = list(range(2, weight.dim())) + [1, 0]
    return weight.permute(axes)


def parametrizations():
    g = torch.Generator().manual_seed(9)
    draw = lambda *shape: torch.randn(*shape, generator=g)
    cases = []

    for name, module in [("dense", nn.Linear(5, 3, bias=False)), ("kernel", nn.Conv2d(3, 4, (2, 3), bias=False))]:
        module.weight.data = draw(*module.weight.shape)
        torch_parametrizations.weight_norm(module)
        magnitude, raw = module.parametrizations.weight.original0, module.parametrizations.weight.original1
        magnitude.data = draw(*magnitude.shape)
        upstream = draw(*raw.shape)
        weight = module.weight
        (weight * upstream).sum().backward()
        cases.append(
            {
                "kind": "WeightNorm",
                "name": name,
                "raw": turned(raw),
                "magnitude": magnitude.flatten(),
                "weight": turned(weight),
                "upstream": turned(upstream),
                "gradients": {"raw": turned(raw.grad), "magnitude": magnitude.grad.flatten()},
            }
        )

    for name, (inputs, outputs), iterations in [("wide", (3, 6), 1), ("tall", (7, 4), 3)]:
        module = nn.Linear(inputs, outputs, bias=False)
        module.weight.data = draw(outputs, inputs)
        torch_parametrizations.spectral_norm(module, n_power_iterations=iterations)
        norm = module.parametrizations.weight[0]
        raw = module.parametrizations.weight.original
        # Far from settled, so that a wrong number of steps shows.
        norm._v.copy_(nn.functional.normalize(draw(inputs), dim=0))
        before, upstream = norm._v.clone(), draw(outputs, inputs)
        weight = module.weight
        (weight * upstream).sum().backward()
        case = {
            "kind": "SpectralNorm",
            "name": name,
            "iterations": iterations,
            "raw": turned(raw),
            "singular": before.reshape(1, -1),
            "weight": turned(weight),
            "upstream": turned(upstream),
            "gradients": {"raw": turned(raw.grad)},
            "singular_after": norm._v.reshape(1, -1),
        }
        # What power iteration ends at, from singular values that PyTorch decomposes the weight into.
        settled = raw.detach() / torch.linalg.matrix_norm(raw.detach(), 2)
        cases.append(case | {"settled": turned(settled)})

    module = nn.Linear(5, 5, bias=False)
    module.weight.data = draw(5, 5)
    torch_parametrizations.orthogonal(module, orthogonal_map="matrix_exp", use_trivialization=True)
    raw = module.parametrizations.weight.original
    raw.data = 1.5 * draw(5, 5).tril(-1)
    base = module.parametrizations.weight[0].base
    upstream = draw(5, 5)
    weight = module.weight
    (weight * upstream).sum().backward()
    # A matrix of rotations is not turned: this library's is PyTorch's, and only its lower triangle is learned there.
    case = {"kind": "Orthogonal", "name": "square", "raw": raw, "base": base, "weight": weight, "upstream": upstream}
    cases.append(case | {"gradients": {"raw": raw.grad}})
    return cases
