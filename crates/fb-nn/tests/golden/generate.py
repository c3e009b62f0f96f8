"""Reference values for fb-nn, computed with PyTorch in f64 and written as JSON beside this file.

    python generate.py            # every group
    python generate.py losses     # one group

The numbers are deterministic: every random draw comes from a generator seeded per group. Weights of dense layers are
stored as `[in, out]`, the orientation of this library (PyTorch keeps `[out, in]`; `dense_weight` does the turn, once).
README.md beside this file describes each group's layout.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from layers import layers
from parametrizations import parametrizations
from recurrent import recurrent

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def plain(value):
    """Tensors become nested lists, containers are walked, everything else stays."""
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------------------------------------- elementwise

# Kinks (the origin of relu, leaky_relu, elu, abs) are left out of the grid and stand in `at_zero`.
WIDE = [-40.0, -20.0, -10.0, -6.0, -4.0, -3.0, -2.5, -2.0, -1.5, -1.0, -0.75, -0.5, -0.25, -0.1, -1e-3, -1e-8]
WIDE = WIDE + [-x for x in reversed(WIDE)]
POSITIVE = [1e-12, 1e-6, 1e-3, 0.05, 0.1, 0.25, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0, 10.0, 1e3, 1e6, 1e12]
ABOVE_MINUS_ONE = [-0.999999, -0.99, -0.9, -0.5, -0.1, -1e-4, -1e-9, 1e-9, 1e-4] + POSITIVE[3:]

ELEMENTWISE = [
    # name of the method, parameters, PyTorch expression, function, grid
    ("exp", {}, "torch.exp(x)", torch.exp, WIDE),
    ("ln", {}, "torch.log(x)", torch.log, POSITIVE),
    ("log1p", {}, "torch.log1p(x)", torch.log1p, ABOVE_MINUS_ONE),
    ("expm1", {}, "torch.expm1(x)", torch.expm1, WIDE),
    ("sqrt", {}, "torch.sqrt(x)", torch.sqrt, POSITIVE),
    ("rsqrt", {}, "torch.rsqrt(x)", torch.rsqrt, POSITIVE),
    ("tanh", {}, "torch.tanh(x)", torch.tanh, WIDE),
    ("sigmoid", {}, "torch.sigmoid(x)", torch.sigmoid, WIDE),
    ("relu", {}, "F.relu(x)", F.relu, WIDE),
    ("leaky_relu", {"slope": 0.01}, "F.leaky_relu(x, 0.01)", lambda x: F.leaky_relu(x, 0.01), WIDE),
    ("elu", {"alpha": 1.0}, "F.elu(x, 1.0)", lambda x: F.elu(x, 1.0), WIDE),
    ("silu", {}, "F.silu(x)", F.silu, WIDE),
    ("gelu", {}, "F.gelu(x)", F.gelu, WIDE),
    ("gelu_tanh", {}, "F.gelu(x, approximate='tanh')", lambda x: F.gelu(x, approximate="tanh"), WIDE),
    # F.softplus turns linear above a threshold of 20, which costs nine digits there; logaddexp does not.
    ("softplus", {}, "torch.logaddexp(x, 0)", lambda x: torch.logaddexp(x, torch.zeros_like(x)), WIDE),
    ("erf", {}, "torch.erf(x)", torch.erf, WIDE),
    ("sin", {}, "torch.sin(x)", torch.sin, WIDE),
    ("cos", {}, "torch.cos(x)", torch.cos, WIDE),
    ("abs", {}, "torch.abs(x)", torch.abs, WIDE),
]


def value_and_slope(function, points):
    x = torch.tensor(points, requires_grad=True)
    y = function(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y, slope


def elementwise():
    cases = []
    for name, parameters, expression, function, points in ELEMENTWISE:
        y, slope = value_and_slope(function, points)
        case = {"name": name, "parameters": parameters, "expression": expression, "x": points, "y": y, "dy_dx": slope}
        if points is WIDE:
            y0, slope0 = value_and_slope(function, [0.0])
            case["at_zero"] = {"y": y0.item(), "dy_dx": slope0.item()}
        cases.append(case)
    return cases


# --------------------------------------------------------------------------------------------------------- linear


def linear():
    g = seeded(1)
    cases = []
    for name, lead, inputs, outputs, with_bias in [
        ("matrix", [4], 3, 2, True),
        ("matrix_without_bias", [4], 3, 2, False),
        ("one_row", [1], 5, 3, True),
        ("batch_and_time", [2, 3], 4, 5, True),
    ]:
        x = torch.randn(*lead, inputs, generator=g, requires_grad=True)
        layer = torch.nn.Linear(inputs, outputs, bias=with_bias)
        weight = torch.randn(outputs, inputs, generator=g)
        bias = torch.randn(outputs, generator=g)
        with torch.no_grad():
            layer.weight.copy_(weight)
            if with_bias:
                layer.bias.copy_(bias)
        upstream = torch.randn(*lead, outputs, generator=g)
        y = layer(x)
        y.backward(upstream)
        cases.append(
            {
                "name": name,
                "x": x,
                "weight": dense_weight(layer),
                "bias": layer.bias if with_bias else None,
                "y": y,
                "upstream": upstream,
                "gradients": {
                    "x": x.grad,
                    "weight": layer.weight.grad.T,
                    "bias": layer.bias.grad if with_bias else None,
                },
            }
        )
    return cases


def dense_weight(layer):
    """PyTorch's `[out, in]` as this library's `[in, out]`."""
    return layer.weight.detach().T


# --------------------------------------------------------------------------------------------------------- losses


def loss_case(name, parameters, expression, output, target, per_sample, sample_weights=None, normaliser=None):
    """`per_sample(output)` gives one loss a sample. The value is Σ wᵢ lᵢ / normaliser, the normaliser being the number
    of samples unless given (class weights are divided by their sum in PyTorch)."""
    output = output.clone().requires_grad_(True)
    losses = per_sample(output)
    weights = sample_weights if sample_weights is not None else torch.ones_like(losses)
    value = (weights * losses).sum() / (normaliser if normaliser is not None else losses.numel())
    (gradient,) = torch.autograd.grad(value, output)
    return {
        "name": name,
        "parameters": parameters,
        "expression": expression,
        "output": output,
        "target": target,
        "sample_weights": sample_weights,
        "per_sample": losses,
        "value": value,
        "gradient": gradient,
    }


def agree(case, reference):
    """The value written must be PyTorch's own reduction, where it has one."""
    assert math.isclose(case["value"].item(), reference.item(), rel_tol=1e-14), case["name"]
    return case


def losses():
    g = seeded(2)
    cases = []
    by_row = lambda elements: elements.flatten(1).mean(1)

    # Regression. Differences reach both sides of each Huber delta; none lies on a kink.
    output, target = 1.5 * torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g)
    weights = torch.tensor([0.5, 2.0, 1.0, 0.0, 1.25])
    for name, parameters, expression, elementwise_loss in [
        ("mse", {}, "F.mse_loss(o, t)", F.mse_loss),
        ("l1", {}, "F.l1_loss(o, t)", F.l1_loss),
        ("huber", {"delta": 1.0}, "F.huber_loss(o, t, delta=1.0)", lambda o, t, **k: F.huber_loss(o, t, delta=1.0, **k)),
        ("huber", {"delta": 0.5}, "F.huber_loss(o, t, delta=0.5)", lambda o, t, **k: F.huber_loss(o, t, delta=0.5, **k)),
    ]:
        rows = lambda o, f=elementwise_loss: by_row(f(o, target, reduction="none"))
        case = loss_case(name, parameters, expression, output, target, rows)
        cases.append(agree(case, elementwise_loss(output, target)))
        cases.append(loss_case(name, parameters, f"weighted rows of {expression}", output, target, rows, weights))

    # Binary cross-entropy, on probabilities and on logits.
    probability = torch.tensor([[0.9, 0.2], [0.5, 0.01], [0.999, 0.7], [1e-6, 0.3]])
    logit = torch.tensor([[2.0, -1.5], [0.0, -30.0], [40.0, 0.7], [-8.0, 0.3]])
    label = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.25]])
    weights = torch.tensor([1.0, 0.5, 2.0, 3.0])
    column = weights[:, None]
    rows = lambda o: by_row(F.binary_cross_entropy(o, label, reduction="none"))
    case = loss_case("bce", {}, "F.binary_cross_entropy(o, t)", probability, label, rows)
    cases.append(agree(case, F.binary_cross_entropy(probability, label)))
    case = loss_case("bce", {}, "F.binary_cross_entropy(o, t, weight=w[:, None])", probability, label, rows, weights)
    cases.append(agree(case, F.binary_cross_entropy(probability, label, weight=column)))
    positive = torch.tensor([3.0, 0.5])
    for parameters, options, text in [
        ({}, {}, ""),
        ({"positive_weight": positive}, {"pos_weight": positive}, ", pos_weight=p"),
    ]:
        logits_loss = F.binary_cross_entropy_with_logits
        rows = lambda o, k=options: by_row(logits_loss(o, label, reduction="none", **k))
        expression = f"F.binary_cross_entropy_with_logits(o, t{text})"
        case = loss_case("bce_with_logits", parameters, expression, logit, label, rows)
        cases.append(agree(case, logits_loss(logit, label, **options)))
        expression = f"F.binary_cross_entropy_with_logits(o, t, weight=w[:, None]{text})"
        case = loss_case("bce_with_logits", parameters, expression, logit, label, rows, weights)
        cases.append(agree(case, logits_loss(logit, label, weight=column, **options)))

    # Cross-entropy on logits: indices and distributions. The last row saturates the softmax.
    logits = torch.randn(5, 4, generator=g)
    logits[4] = torch.tensor([60.0, -60.0, 0.0, 3.0])
    index = torch.tensor([2, 0, 3, 1, 0])
    distribution = torch.softmax(torch.randn(5, 4, generator=g), 1)
    class_weights = torch.tensor([1.0, 0.5, 2.0, 1.5])
    weights = torch.tensor([0.5, 2.0, 1.0, 0.0, 1.25])
    for kind, target in [("index", index), ("distribution", distribution)]:
        for smoothing in [0.0, 0.1]:
            parameters = {"target": kind, "label_smoothing": smoothing}
            rows = lambda o, t=target, s=smoothing: F.cross_entropy(o, t, label_smoothing=s, reduction="none")
            expression = f"F.cross_entropy(o, t, label_smoothing={smoothing})"
            case = loss_case("cross_entropy", parameters, expression, logits, target, rows)
            cases.append(agree(case, F.cross_entropy(logits, target, label_smoothing=smoothing)))
            text = f"weighted rows of {expression}"
            cases.append(loss_case("cross_entropy", parameters, text, logits, target, rows, weights))
    for smoothing in [0.0, 0.1]:
        rows = lambda o, s=smoothing: F.cross_entropy(o, index, class_weights, label_smoothing=s, reduction="none")
        parameters = {"target": "index", "label_smoothing": smoothing, "class_weights": class_weights}
        call = f"F.cross_entropy(o, t, class_weights, label_smoothing={smoothing}"
        torch_normaliser = class_weights[index].sum()
        by_weight = {**parameters, "normalised_by": "class_weights"}
        case = loss_case("cross_entropy", by_weight, f"{call})", logits, index, rows, normaliser=torch_normaliser)
        cases.append(agree(case, F.cross_entropy(logits, index, class_weights, label_smoothing=smoothing)))
        by_count = {**parameters, "normalised_by": "samples"}
        cases.append(loss_case("cross_entropy", by_count, f"{call}, reduction='none').mean()", logits, index, rows))

    # Softmax and log-softmax over the last axis, with the gradient of ⟨upstream, y⟩.
    upstream = torch.randn(5, 4, generator=g)
    for name, function in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax)]:
        x = logits.clone().requires_grad_(True)
        y = function(x, -1)
        y.backward(upstream)
        cases.append({"name": name, "output": x, "y": y, "upstream": upstream, "gradient": x.grad})
    return cases


# ----------------------------------------------------------------------------------------------------- optimizers

START = [1.0, -2.0, 0.5]
OPTIMIZERS = [
    ("sgd", {"learning_rate": 0.1}, torch.optim.SGD, {"lr": 0.1}),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    ("sgd", {"learning_rate": 0.1, "weight_decay": 0.01}, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}),
    (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    ("adam", {"learning_rate": 0.1}, torch.optim.Adam, {"lr": 0.1}),
    (
        "adam",
        {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
        torch.optim.Adam,
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    ("adam", {"learning_rate": 0.1, "weight_decay": 0.01}, torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.01}),
    ("adam", {"learning_rate": 0.1, "amsgrad": True}, torch.optim.Adam, {"lr": 0.1, "amsgrad": True}),
    ("adamw", {"learning_rate": 0.1, "weight_decay": 0.01}, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.01}),
    ("rmsprop", {"learning_rate": 0.01, "rho": 0.99}, torch.optim.RMSprop, {"lr": 0.01}),
    (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "momentum": 0.9},
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.9},
    ),
    (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "centered": True},
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "centered": True},
    ),
    (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "centered": True, "momentum": 0.9, "weight_decay": 0.01},
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.9, "weight_decay": 0.01},
    ),
]


def trajectory(make, options, gradients):
    parameter = torch.nn.Parameter(torch.tensor(START))
    optimizer = make([parameter], foreach=False, **options)
    points = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        points.append(parameter.detach().clone())
    return points


def clip_case(kind, limit, gradients):
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient.clone()
    case = {"name": kind, "limit": limit, "gradients": gradients}
    if kind == "clip_grad_norm":
        case["norm_before"] = torch.nn.utils.clip_grad_norm_(parameters, limit)
    else:
        torch.nn.utils.clip_grad_value_(parameters, limit)
    case["clipped"] = [parameter.grad for parameter in parameters]
    return case


def optimizers():
    g = seeded(3)
    # The scales differ by parameter; the fifth gradient is zero, as behind a dead unit.
    gradients = torch.randn(10, 3, generator=g) * torch.tensor([1.0, 0.1, 10.0])
    gradients[4] = 0.0
    trajectories = [
        {"name": name, "parameters": ours, "points": trajectory(make, theirs, gradients)}
        for name, ours, make, theirs in OPTIMIZERS
    ]
    parts = [torch.randn(2, 3, generator=g), torch.randn(4, generator=g)]
    clips = [
        clip_case("clip_grad_norm", 1.0, parts),
        clip_case("clip_grad_norm", 100.0, parts),
        clip_case("clip_grad_value", 0.5, parts),
    ]
    return {"start": START, "gradients": gradients, "trajectories": trajectories, "clips": clips}


# ------------------------------------------------------------------------------------------------------- feedback

INPUTS, HIDDEN, OUTPUTS, ITERATIONS, BATCH = 3, 4, 2, 5, 2


def draw(g, inputs, outputs, gain=1.0):
    return (gain * torch.randn(inputs, outputs, generator=g) / math.sqrt(inputs)).requires_grad_(True)


def dense_layers(g, first_inputs, first_gain=1.0):
    bias = lambda n: (0.3 * torch.randn(n, generator=g)).requires_grad_(True)
    return {
        "hidden1/weight": draw(g, first_inputs, HIDDEN, first_gain),
        "hidden1/bias": bias(HIDDEN),
        "hidden2/weight": draw(g, HIDDEN, HIDDEN, 1.2),
        "hidden2/bias": bias(HIDDEN),
        "output/weight": draw(g, HIDDEN, OUTPUTS, 1.2),
        "output/bias": bias(OUTPUTS),
    }


def dense(p, name, x):
    return F.linear(x, p[f"{name}/weight"].T, p[f"{name}/bias"])


def unroll(p, x, into_hidden1, delay=1, first_output=None):
    """Runs the three layers ITERATIONS times. `into_hidden1(p, x, o, h2)` is hidden1's value before tanh, given the
    states the feedback edges read: the values of `delay` iterations ago, the initial ones before that."""
    o0 = x.new_zeros(x.shape[0], OUTPUTS) if first_output is None else first_output.expand(x.shape[0], OUTPUTS)
    h20 = x.new_zeros(x.shape[0], HIDDEN)
    seen = {"hidden1": [], "hidden2": [], "output": []}
    for t in range(ITERATIONS):
        o = seen["output"][t - delay] if t >= delay else o0
        h2 = seen["hidden2"][t - 1] if t >= 1 else h20
        h1 = torch.tanh(into_hidden1(p, x, o, h2))
        h2 = torch.tanh(dense(p, "hidden2", h1))
        seen["hidden1"].append(h1)
        seen["hidden2"].append(h2)
        seen["output"].append(dense(p, "output", h2))
    return seen


def add_edges(p, x, o, h2):
    return dense(p, "hidden1", x) + o @ p["output->hidden1/weight"] + h2 @ p["hidden2->hidden1/weight"]


def add_edge(p, x, o, _):
    return dense(p, "hidden1", x) + o @ p["output->hidden1/weight"]


def gate_edge(p, x, o, _):
    """u + sigmoid(Wg·[u; r] + bg) ⊙ (W·r), with u hidden1's own value before tanh and r what the edge carries."""
    u = dense(p, "hidden1", x)
    gate = torch.sigmoid(torch.cat([u, o], 1) @ p["output->hidden1/gate_weight"] + p["output->hidden1/gate_bias"])
    return u + gate * (o @ p["output->hidden1/weight"])


def concat_edge(p, x, o, _):
    return dense(p, "hidden1", torch.cat([x, o], 1))


def add_case(g):
    """output and hidden2 are both added into hidden1"""
    p = dense_layers(g, INPUTS)
    p["output->hidden1/weight"] = draw(g, OUTPUTS, HIDDEN)
    p["hidden2->hidden1/weight"] = draw(g, HIDDEN, HIDDEN, 1.2)
    return p, add_edges, {}


def gate_case(g):
    """output enters hidden1 through a gate that sees [u; r]"""
    p = dense_layers(g, INPUTS)
    p["output->hidden1/weight"] = draw(g, OUTPUTS, HIDDEN, 1.5)
    p["output->hidden1/gate_weight"] = draw(g, HIDDEN + OUTPUTS, HIDDEN, 1.5)
    p["output->hidden1/gate_bias"] = (0.5 * torch.randn(HIDDEN, generator=g)).requires_grad_(True)
    return p, gate_edge, {}


def concat_case(g):
    """hidden1 reads [input; output]"""
    return dense_layers(g, INPUTS + OUTPUTS, 1.8), concat_edge, {}


def delay_2_case(g):
    """output is added into hidden1 two iterations later"""
    p = dense_layers(g, INPUTS)
    p["output->hidden1/weight"] = draw(g, OUTPUTS, HIDDEN, 1.5)
    return p, add_edge, {"delay": 2}


def learned_initial_case(g):
    """the first value the edge carries is a parameter, one for the whole batch"""
    p = dense_layers(g, INPUTS)
    p["output->hidden1/weight"] = draw(g, OUTPUTS, HIDDEN, 1.5)
    p["output->hidden1/initial"] = torch.randn(OUTPUTS, generator=g).requires_grad_(True)
    return p, add_edge, {"first_output": p["output->hidden1/initial"]}


# The seeds were chosen so that every cell is far from collapse.
FEEDBACK = [(add_case, 455), (gate_case, 110), (concat_case, 312), (delay_2_case, 559), (learned_initial_case, 57)]


def gradients_of(value, parameters, x):
    names = list(parameters)
    found = torch.autograd.grad(value, [parameters[n] for n in names] + [x], retain_graph=True)
    return dict(zip(names + ["input"], found))


def liveliness(value, parameters, x, seen, delay):
    """How far the cell is from collapse: the least of the gradients' norms, of the first output's influence on the loss
    and of the distances between outputs `delay` iterations apart. A body that converges or saturates has hardly a
    gradient through time, and then any recurrence agrees with any other."""
    (early,) = torch.autograd.grad(value, seen["output"][0], retain_graph=True, allow_unused=True)
    outputs = seen["output"]
    moves = [(after - before).norm() for before, after in zip(outputs, outputs[delay:])]
    return min(v.norm().item() for v in [*gradients_of(value, parameters, x).values(), early, *moves])


def feedback_case(make, seed):
    g = seeded(seed)
    parameters, into_hidden1, options = make(g)
    x = torch.randn(BATCH, INPUTS, generator=g, requires_grad=True)
    target = torch.tensor([1, 0])
    seen = unroll(parameters, x, into_hidden1, **options)
    each = [F.cross_entropy(o, target) for o in seen["output"]]
    last, every = each[-1], torch.stack(each).mean()
    delay = options.get("delay", 1)
    case = {
        "name": make.__name__.removesuffix("_case"),
        "text": make.__doc__,
        "iterations": ITERATIONS,
        "delay": delay,
        "parameters": parameters,
        "input": x,
        "target": target,
        **seen,
        "loss_per_iteration": each,
        "loss_on_last": {"value": last, "gradients": gradients_of(last, parameters, x)},
        "loss_on_every": {"value": every, "gradients": gradients_of(every, parameters, x)},
    }
    return case, liveliness(last, parameters, x, seen, delay)


def feedback():
    cases = []
    for make, seed in FEEDBACK:
        case, alive = feedback_case(make, seed)
        assert alive > 0.5, f"{case['name']} collapses: {alive:.1e}"
        cases.append(case)
    return cases


# ------------------------------------------------------------------------------------------------------ attention


def attention_case(name, heads, kv_heads, queries, keys, width, value_width, causal=False, scale=None, mask=None, seen=None):
    """`mask` is what the library gets, `seen` what PyTorch gets in the place of `causal` where the two differ."""
    generator = seeded(name)
    draw = lambda *shape: torch.randn(2, *shape, generator=generator).mul(100).round() / 100
    operands = [draw(heads, queries, width), draw(kv_heads, keys, width), draw(kv_heads, keys, value_width)]
    upstream = draw(heads, queries, value_width)
    for operand in operands:
        operand.requires_grad_()
    output = F.scaled_dot_product_attention(
        *operands,
        attn_mask=mask if seen is None else seen,
        is_causal=causal and seen is None,
        scale=scale,
        enable_gqa=heads != kv_heads,
    )
    gradients = torch.autograd.grad((output * upstream).sum(), operands)
    flags = mask is not None and mask.dtype == torch.bool
    return {
        "causal": causal,
        "scale": scale,
        "allow": mask.double() if flags else None,
        "add": None if flags else mask,
        **dict(zip("qkv", operands)),
        "upstream": upstream,
        "output": output,
        "gradients": dict(zip("qkv", gradients)),
    }


def attention():
    flags = lambda *shape: torch.rand(*shape, generator=seeded(99)) > 0.4
    padding = torch.arange(5) < torch.tensor([5, 3])[:, None]
    blind = torch.ones(4, 5, dtype=torch.bool)
    blind[2] = False
    corner = lambda queries, keys: torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    return [
        attention_case(1, 2, 2, 4, 5, 3, 3),
        attention_case(2, 2, 2, 4, 5, 3, 6, scale=0.9),
        attention_case(3, 2, 2, 5, 5, 4, 4, causal=True),
        # PyTorch's is_causal has the first query stand at the first key, this library's causal the last at the last.
        attention_case(4, 2, 2, 3, 5, 4, 4, causal=True, seen=corner(3, 5)),
        attention_case(5, 2, 2, 5, 3, 4, 4, causal=True, seen=corner(5, 3)),
        attention_case(6, 4, 2, 4, 5, 4, 2),
        attention_case(7, 4, 1, 5, 5, 4, 3, causal=True),
        attention_case(8, 2, 2, 4, 5, 3, 3, mask=padding[:, None, None, :]),
        attention_case(9, 2, 2, 4, 5, 3, 3, mask=flags(4, 5) | torch.eye(4, 5, dtype=torch.bool)),
        attention_case(10, 2, 2, 4, 5, 3, 3, mask=blind),
        attention_case(11, 2, 2, 4, 5, 3, 3, mask=torch.randn(2, 1, 4, 5, generator=seeded(98)).round(decimals=2)),
        attention_case(12, 2, 1, 4, 5, 3, 3, mask=torch.randn(2, 1, 5, generator=seeded(97)).round(decimals=2), scale=2.0),
    ]


# --------------------------------------------------------------------------------------------------------- passes


def pass_case(name, function, inputs, **parameters):
    """`y` and the gradients of ⟨`upstream`, y⟩ by each of the inputs, which are given by name."""
    g = seeded(len(name))
    inputs = {key: value.clone().requires_grad_() for key, value in inputs.items()}
    y = function(**inputs)
    upstream = torch.randn(y.shape, generator=g)
    y.backward(upstream)
    gradients = {key: value.grad for key, value in inputs.items()}
    return {"name": name, "parameters": parameters, "inputs": inputs, "y": y, "upstream": upstream, "gradients": gradients}


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def attention_weights(x, mask, scale):
    """Rows of which nothing is allowed are NaN in PyTorch; this library gives them 0."""
    filled = (x * scale).masked_fill(~mask, -torch.inf)
    return torch.where(mask.any(-1, keepdim=True), torch.softmax(filled, -1), 0.0)


def passes():
    g = seeded(6)
    draw = lambda *shape: torch.randn(*shape, generator=g)
    cases = []
    for shape in [(5,), (3, 4), (2, 3, 6)]:
        x, weight, bias = draw(*shape) + 0.5, draw(shape[-1]), draw(shape[-1])
        affine = {"x": x, "weight": weight, "bias": bias}
        cases.append(pass_case("layer_norm", lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias, 1e-5), affine, epsilon=1e-5))
        cases.append(pass_case("rms_norm", lambda x, weight: F.rms_norm(x, x.shape[-1:], weight, 1e-6), {"x": x, "weight": weight}, epsilon=1e-6))
        if len(shape) == 1:
            continue
        cases.append(
            pass_case(
                "batch_norm",
                lambda x, weight, bias: channels_last(F.batch_norm(channels_first(x), None, None, weight, bias, True, 0.1, 1e-5)),
                affine,
                epsilon=1e-5,
            )
        )
        mean, variance = draw(shape[-1]), draw(shape[-1]).square() + 0.1
        cases.append(
            pass_case(
                "batch_norm_with",
                lambda x, weight, bias: channels_last(F.batch_norm(channels_first(x), mean, variance, weight, bias, False, 0.1, 1e-5)),
                affine,
                epsilon=1e-5,
                mean=mean,
                variance=variance,
            )
        )
    for groups in [1, 3, 6]:
        affine = {"x": draw(2, 3, 2, 6), "weight": draw(6), "bias": draw(6)}
        cases.append(
            pass_case(
                "group_norm",
                lambda x, weight, bias: channels_last(F.group_norm(channels_first(x), groups, weight, bias, 1e-5)),
                affine,
                epsilon=1e-5,
                groups=groups,
            )
        )
    for mask_shape in [(3, 4), (2, 1, 4), (2, 3, 1)]:
        mask = torch.rand(mask_shape, generator=g) > 0.4
        cases.append(
            pass_case(
                "masked_softmax",
                lambda x: attention_weights(x, mask.expand(2, 3, 4), 0.7),
                {"x": draw(2, 3, 4)},
                scale=0.7,
                mask=mask.to(torch.float64),
            )
        )
    for padding in [None, 2]:
        index = torch.tensor([[2, 0, 4], [2, 2, 1]])
        cases.append(
            pass_case(
                "embedding",
                lambda table: F.embedding(index, table, padding_idx=padding),
                {"table": draw(5, 3)},
                index=index,
                padding=padding,
            )
        )
    for name, gate in [("silu_mul", F.silu), ("gelu_mul", F.gelu), ("sigmoid_mul", torch.sigmoid)]:
        cases.append(pass_case(name, lambda gate_, values: gate(gate_) * values, {"gate_": draw(3, 4), "values": draw(3, 4)}))
    return cases


GROUPS = {f.__name__: f for f in [elementwise, linear, losses, optimizers, feedback, attention, passes, layers, parametrizations, recurrent]}


def compact(value, depth=2):
    """One line per case and field: short enough to store, long enough to diff."""
    if depth and isinstance(value, dict):
        body = ",\n".join(f"{json.dumps(k)}: {compact(v, depth - 1)}" for k, v in value.items())
        return "{\n" + body + "\n}"
    if depth and isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(compact(v, depth - 1) for v in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def main():
    for name in sys.argv[1:] or GROUPS:
        document = {"torch": torch.__version__.split("+")[0], "cases": plain(GROUPS[name]())}
        path = HERE / f"{name}.json"
        path.write_text(compact(document, 3) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
