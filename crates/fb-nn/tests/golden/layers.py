"""The group `layers` of generate.py: each layer's output and all its gradients.

A case has `inputs` (numbers, tokens or masks, in this library's layout: channels last), `parameters` by path, `y`, and the
gradients of <upstream, y> by each input of numbers and each trained parameter. What is built here from functional calls is what
the layer's documentation says; where PyTorch has the layer as a module, the module computes it.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Cases:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.cases = []

    def draw(self, *shape, gain=1.0):
        # Few digits keep the file small.
        return (gain * torch.randn(*shape, generator=self.generator)).round(decimals=3).requires_grad_(True)

    def near_one(self, n):
        return (1.0 + 0.3 * torch.randn(n, generator=self.generator)).round(decimals=3).requires_grad_(True)

    def add(self, name, inputs, parameters, forward, buffers=None, train=False, after=None):
        """`forward(inputs, parameters)` in this library's layout."""
        y = forward(inputs, parameters)
        upstream = torch.randn(y.shape, generator=self.generator).round(decimals=3)
        wanted = [v for v in [*inputs, *parameters.values()] if v.requires_grad]
        gradients = iter(torch.autograd.grad(y, wanted, upstream))
        case = {"name": name, "train": train, "inputs": inputs, "parameters": {**parameters, **(buffers or {})}}
        case["y"], case["upstream"] = y, upstream
        case["input_gradients"] = [next(gradients) if v.requires_grad else None for v in inputs]
        case["gradients"] = {k: next(gradients) for k, v in parameters.items()}
        case["buffers_after"] = after() if after else {}
        self.cases.append(case)


def first(x):
    """Channels last to PyTorch's channels first."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def kernel(w):
    """[positions..., in / groups, out] to PyTorch's [out, in / groups, positions...]."""
    return w.permute(-1, -2, *range(w.dim() - 2))


def convolutions(c):
    def conv(name, function, x, w, bias=True, activation=None, **options):
        outputs = w[-1] if "transpose" not in function.__name__ else w[-2] * options.get("groups", 1)
        parameters = {"weight": c.draw(*w, gain=0.5)}
        if bias:
            parameters["bias"] = c.draw(outputs)

        def forward(inputs, p):
            y = last(function(first(inputs[0]), kernel(p["weight"]), p.get("bias"), **options))
            return activation(y) if activation else y

        c.add(name, [c.draw(*x)], parameters, forward)

    conv("conv2d", F.conv2d, (2, 5, 4, 3), (3, 2, 3, 4))
    conv("conv2d_same", F.conv2d, (2, 4, 5, 2), (3, 4, 2, 3), padding="same", activation=torch.tanh)
    conv("conv2d_strided", F.conv2d, (1, 7, 6, 2), (3, 2, 2, 3), stride=(2, 3), padding=(1, 2), dilation=(2, 1))
    conv("conv2d_grouped", F.conv2d, (2, 4, 4, 4), (3, 3, 2, 6), False, groups=2, padding=1)
    conv("conv2d_pointwise", F.conv2d, (2, 3, 3, 4), (1, 1, 4, 2))
    conv("depthwise_conv2d", F.conv2d, (2, 5, 5, 3), (3, 3, 1, 6), groups=3, stride=2)
    conv("conv1d", F.conv1d, (2, 7, 3), (3, 3, 4), stride=2, padding=1, activation=torch.relu)
    conv("conv1d_dilated", F.conv1d, (2, 8, 2), (3, 1, 2), dilation=3, groups=2)
    transposed = {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}
    conv("conv_transpose2d", F.conv_transpose2d, (2, 3, 3, 4), (3, 2, 3, 4), activation=torch.tanh, **transposed)
    conv("conv_transpose2d_grouped", F.conv_transpose2d, (1, 3, 4, 4), (2, 3, 3, 4), False, groups=2, dilation=(1, 2))
    conv("conv_transpose1d", F.conv_transpose1d, (2, 4, 3), (3, 2, 3), stride=2, padding=1)


def pools(c):
    def pool(name, function, x):
        c.add(name, [c.draw(*x)], {}, lambda inputs, _: function(inputs[0]))

    pool("max_pool2d", lambda x: last(F.max_pool2d(first(x), (3, 2), (2, 1), (1, 0))), (2, 5, 4, 3))
    pool("avg_pool2d", lambda x: last(F.avg_pool2d(first(x), (3, 2), (2, 1), (1, 1))), (2, 5, 4, 3))
    options = {"count_include_pad": False}
    pool("avg_pool2d_without_padding", lambda x: last(F.avg_pool2d(first(x), 3, 2, 1, **options)), (2, 5, 4, 2))
    pool("max_pool1d", lambda x: last(F.max_pool1d(first(x), 2)), (2, 7, 3))
    pool("avg_pool1d", lambda x: last(F.avg_pool1d(first(x), 3, 2)), (2, 7, 3))
    pool("adaptive_avg_pool2d", lambda x: last(F.adaptive_avg_pool2d(first(x), (3, 2))), (2, 5, 4, 3))
    pool("adaptive_max_pool2d", lambda x: last(F.adaptive_max_pool2d(first(x), (2, 3))), (2, 5, 4, 3))
    pool("global_avg_pool", lambda x: x.mean((1, 2)), (2, 3, 4, 3))
    pool("global_max_pool", lambda x: x.amax(1), (2, 5, 3))
    size = {"size": (5, 7)}
    pool("resize_nearest", lambda x: last(F.interpolate(first(x), **size, mode="nearest")), (2, 3, 4, 2))
    pool("resize_by", lambda x: last(F.interpolate(first(x), scale_factor=(2, 3), mode="nearest")), (1, 3, 2, 2))
    pool("resize_bilinear", lambda x: last(F.interpolate(first(x), **size, mode="bilinear")), (2, 3, 4, 2))
    corners = {"mode": "bilinear", "align_corners": True}
    pool("resize_corners", lambda x: last(F.interpolate(first(x), (2, 6), **corners)), (2, 3, 4, 2))


def norms(c):
    def affine(n):
        return {"weight": c.near_one(n), "bias": c.draw(n)}

    def layer(inputs, p):
        return F.layer_norm(inputs[0], (5,), p["weight"], p["bias"], 1e-5)

    c.add("layer_norm", [c.draw(2, 3, 5)], affine(5), layer)
    c.add("layer_norm_plain", [c.draw(4, 5)], {}, lambda inputs, _: F.layer_norm(inputs[0], (5,), eps=1e-3))
    rms = lambda inputs, p: F.rms_norm(inputs[0], (5,), p["weight"], 1e-6)
    c.add("rms_norm", [c.draw(2, 3, 5)], {"weight": c.near_one(5)}, rms)
    group = lambda inputs, p: last(F.group_norm(first(inputs[0]), 2, p["weight"], p["bias"]))
    c.add("group_norm", [c.draw(2, 3, 2, 4)], affine(4), group)

    for name, shape, train in [("batch_norm", (3, 2, 2, 4), True), ("batch_norm_eval", (3, 4), False)]:
        module = nn.BatchNorm2d(4) if len(shape) == 4 else nn.BatchNorm1d(4)
        module.train(train)
        with torch.no_grad():
            module.running_mean.copy_(c.draw(4))
            module.running_var.copy_(c.near_one(4).abs())
        buffers = {"running_mean": module.running_mean.clone(), "running_variance": module.running_var.clone()}

        def batch(inputs, p, module=module):
            x = first(inputs[0])
            return last(torch.func.functional_call(module, {"weight": p["weight"], "bias": p["bias"]}, (x,)))

        def after(module=module):
            return {"running_mean": module.running_mean, "running_variance": module.running_var}

        c.add(name, [c.draw(*shape)], affine(4), batch, buffers, train, after if train else None)


def tokens(c):
    index = torch.tensor([[3, 0, 3], [1, 2, 0]])
    padded = lambda inputs, p: F.embedding(inputs[0], p["weight"], padding_idx=0)
    c.add("embedding", [index], {"weight": c.draw(4, 3)}, padded)
    c.add("learned_positions", [c.draw(2, 4, 3)], {"weight": c.draw(4, 3)}, lambda inputs, p: inputs[0] + p["weight"])


def projections(c, names, biases=True, prefix=""):
    p = {}
    for name, (a, b) in names.items():
        p[f"{prefix}{name}/weight"] = c.draw(a, b, gain=a**-0.5)
        if biases:
            p[f"{prefix}{name}/bias"] = c.draw(b, gain=0.3)
    return p


def linear(p, name, x):
    return F.linear(x, p[f"{name}/weight"].T, p.get(f"{name}/bias"))


def heads(x, n):
    return x.unflatten(-1, (n, -1)).transpose(1, 2)


def rotated(x, base=10000.0):
    time, width = x.shape[-2:]
    angles = torch.arange(time)[:, None] * base ** (-2 * torch.arange(width // 2) / width)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


def attend(p, x, context, n, shared, prefix="", causal=False, mask=None, rotary=False):
    q = heads(linear(p, f"{prefix}query", x), n)
    k = heads(linear(p, f"{prefix}key", context), shared)
    v = heads(linear(p, f"{prefix}value", context), shared)
    if rotary:
        q, k = rotated(q), rotated(k)
    gqa = {"enable_gqa": n != shared}
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, **gqa)
    return linear(p, f"{prefix}output", y.transpose(1, 2).flatten(2))


def attentions(c):
    same = {"query": (6, 6), "key": (6, 6), "value": (6, 6), "output": (6, 6)}
    c.add("attention", [c.draw(2, 4, 6)], projections(c, same), lambda i, p: attend(p, i[0], i[0], 2, 2))
    causal = lambda i, p: attend(p, i[0], i[0], 3, 3, causal=True)
    c.add("attention_causal", [c.draw(2, 4, 6)], projections(c, same), causal)
    mask = torch.tensor([[True, True, True, False], [True, False, True, True]])
    masked = lambda i, p: attend(p, i[0], i[0], 2, 2, mask=i[1][:, None, None])
    c.add("attention_masked", [c.draw(2, 4, 6), mask], projections(c, same), masked)
    cross = {"query": (6, 6), "key": (5, 6), "value": (5, 6), "output": (6, 6)}
    mask = torch.tensor([[True, True, False], [True, True, True]])
    crossed = lambda i, p: attend(p, i[0], i[1], 2, 2, mask=i[2][:, None, None])
    c.add("attention_cross", [c.draw(2, 4, 6), c.draw(2, 3, 5), mask], projections(c, cross), crossed)
    grouped = {"query": (6, 16), "key": (6, 8), "value": (6, 8), "output": (16, 6)}
    turned = lambda i, p: attend(p, i[0], i[0], 4, 2, causal=True, rotary=True)
    c.add("attention_grouped_rotary", [c.draw(2, 5, 6)], projections(c, grouped, False), turned)


def norm_parameters(c, name, n, biases=True):
    p = {f"{name}/weight": c.near_one(n)}
    if biases:
        p[f"{name}/bias"] = c.draw(n, gain=0.3)
    return p


def layer_norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}/weight"], p[f"{name}/bias"])


def feed_forward(p, x, activation, prefix="feed_forward/"):
    return linear(p, f"{prefix}down", activation(linear(p, f"{prefix}up", x)))


def swiglu(p, x, prefix=""):
    gate = F.silu(linear(p, f"{prefix}gate", x))
    return linear(p, f"{prefix}down", gate * linear(p, f"{prefix}up", x))


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


def pytorch_attention(p, prefix):
    """The parameters of nn.MultiheadAttention."""
    weights = torch.cat([p[f"{prefix}{n}/weight"].T for n in ["query", "key", "value"]])
    biases = torch.cat([p[f"{prefix}{n}/bias"] for n in ["query", "key", "value"]])
    return {
        "in_proj_weight": weights,
        "in_proj_bias": biases,
        "out_proj.weight": p[f"{prefix}output/weight"].T,
        "out_proj.bias": p[f"{prefix}output/bias"],
    }


def pytorch_layer(p, attentions, norms):
    """The parameters of nn.TransformerEncoderLayer or nn.TransformerDecoderLayer."""
    found = {}
    for theirs, ours in attentions.items():
        found |= {f"{theirs}.{k}": v for k, v in pytorch_attention(p, f"{ours}/").items()}
    for theirs, ours in norms.items():
        found |= {f"{theirs}.weight": p[f"{ours}/weight"], f"{theirs}.bias": p[f"{ours}/bias"]}
    for theirs, ours in [("linear1", "feed_forward/up"), ("linear2", "feed_forward/down")]:
        found |= {f"{theirs}.weight": p[f"{ours}/weight"].T, f"{theirs}.bias": p[f"{ours}/bias"]}
    return found


def blocks(c):
    maps = {"up": (4, 7), "down": (7, 4)}
    plain = lambda i, p: feed_forward(p, i[0], F.gelu, "")
    c.add("feed_forward", [c.draw(2, 3, 4)], projections(c, maps), plain)
    maps = {"gate": (4, 7), "up": (4, 7), "down": (7, 4)}
    c.add("feed_forward_swiglu", [c.draw(2, 3, 4)], projections(c, maps, False), lambda i, p: swiglu(p, i[0]))

    same = {"query": (4, 4), "key": (4, 4), "value": (4, 4), "output": (4, 4)}
    maps = {"up": (4, 6), "down": (6, 4)}

    def parameters(cross=False):
        p = projections(c, same, prefix="attention/") | norm_parameters(c, "attention_norm", 4)
        if cross:
            context = {**same, "key": (5, 4), "value": (5, 4)} if cross == "other width" else same
            p |= projections(c, context, prefix="cross_attention/")
            p |= norm_parameters(c, "cross_attention_norm", 4)
        return p | projections(c, maps, prefix="feed_forward/") | norm_parameters(c, "feed_forward_norm", 4)

    def gpt(i, p):
        x = i[0]
        n = layer_norm(p, "attention_norm", x)
        x = x + attend(p, n, n, 2, 2, "attention/", causal=True)
        return x + feed_forward(p, layer_norm(p, "feed_forward_norm", x), gelu_tanh)

    c.add("block_gpt", [c.draw(2, 3, 4)], parameters(), gpt)

    names = {"norm1": "attention_norm", "norm2": "feed_forward_norm"}
    for name, activation, norm_first in [("block_encoder", "relu", False), ("block_encoder_pre", "gelu", True)]:
        options = {"dropout": 0.0, "activation": activation, "batch_first": True, "norm_first": norm_first}
        module = nn.TransformerEncoderLayer(4, 2, 6, **options)

        def encoder(i, p, module=module):
            found = pytorch_layer(p, {"self_attn": "attention"}, names)
            # PyTorch's mask is true where a key does not count.
            return torch.func.functional_call(module, found, (i[0],), {"src_key_padding_mask": ~i[1]})

        mask = torch.tensor([[True, True, False], [True, True, True]])
        c.add(name, [c.draw(2, 3, 4), mask], parameters(), encoder)

    names = {"norm1": "attention_norm", "norm2": "cross_attention_norm", "norm3": "feed_forward_norm"}
    for name, norm_first in [("block_cross", False), ("block_cross_pre", True)]:
        module = nn.TransformerDecoderLayer(4, 2, 6, 0.0, "gelu", batch_first=True, norm_first=norm_first)

        def decoder(i, p, module=module):
            attentions = {"self_attn": "attention", "multihead_attn": "cross_attention"}
            causal = nn.Transformer.generate_square_subsequent_mask(3)
            options = {"tgt_mask": causal, "tgt_is_causal": True, "memory_key_padding_mask": ~i[2]}
            found = pytorch_layer(p, attentions, names)
            return torch.func.functional_call(module, found, (i[0], i[1]), options)

        mask = torch.tensor([[True, True], [True, False]])
        c.add(name, [c.draw(2, 3, 4), c.draw(2, 2, 4), mask], parameters(True), decoder)

    grouped = {"query": (8, 8), "key": (8, 4), "value": (8, 4), "output": (8, 8)}
    p = projections(c, grouped, False, "attention/") | norm_parameters(c, "attention_norm", 8, False)
    maps = {"gate": (8, 5), "up": (8, 5), "down": (5, 8)}
    p |= projections(c, maps, False, "feed_forward/") | norm_parameters(c, "feed_forward_norm", 8, False)

    def llama(i, p):
        rms = lambda name, x: F.rms_norm(x, (8,), p[f"{name}/weight"], 1e-5)
        x = i[0]
        n = rms("attention_norm", x)
        x = x + attend(p, n, n, 4, 2, "attention/", causal=True, rotary=True)
        return x + swiglu(p, rms("feed_forward_norm", x), "feed_forward/")

    c.add("block_llama", [c.draw(2, 3, 8)], p, llama)


def combinations(c):
    """What stands around other layers, shares their weights, or has none."""
    index = torch.tensor([[3, 0, 3], [1, 2, 0]])
    p = {"tokens/weight": c.draw(4, 3), "bias": c.draw(4)}
    table = "tokens/weight"
    c.add("tied_output", [index], p, lambda i, p: F.linear(F.embedding(i[0], p[table]), p[table], p["bias"]))

    def waves(i, _):
        # The PositionalEncoding of PyTorch's tutorial on transformers, in double precision.
        time, width = i[0].shape[1:]
        rate = torch.exp(torch.arange(0, width, 2) * (-torch.tensor(10000.0).log() / width))
        angles = torch.arange(time)[:, None] * rate
        table = torch.zeros(time, width)
        table[:, 0::2] = torch.sin(angles)
        table[:, 1::2] = torch.cos(angles)[:, : width // 2]
        return i[0] + table

    c.add("sinusoidal_positions", [c.draw(2, 4, 5)], {}, waves)

    p = projections(c, {"wide": (3, 5), "narrow": (5, 3)}) | norm_parameters(c, "norm", 5)

    def residual(i, p):
        hidden = layer_norm(p, "norm", torch.tanh(linear(p, "wide", i[0])))
        return torch.relu(i[0] + linear(p, "narrow", hidden))

    c.add("residual", [c.draw(4, 3)], p, residual)
    p = {"conv/weight": c.draw(3, 3, 2, 4, gain=0.5), "conv/bias": c.draw(4), "fit/weight": c.draw(1, 1, 2, 4)}

    def shortcut(i, p):
        x = first(i[0])
        y = F.conv2d(x, kernel(p["conv/weight"]), p["conv/bias"], stride=2, padding=1)
        return last(torch.tanh(y + F.conv2d(x, kernel(p["fit/weight"]), stride=2)))

    c.add("residual_shortcut", [c.draw(2, 5, 3, 2)], p, shortcut)
    p = {"conv/weight": c.draw(3, 3, 2, 3, gain=0.5), "conv/bias": c.draw(3)}

    def skip(i, p):
        y = F.conv2d(first(i[0]), kernel(p["conv/weight"]), p["conv/bias"], padding="same")
        return torch.cat([i[0], torch.tanh(last(y))], -1)

    c.add("skip", [c.draw(2, 3, 4, 2)], p, skip)


def layers():
    c = Cases(6)
    for group in [convolutions, pools, norms, tokens, attentions, blocks, combinations]:
        group(c)
    return c.cases
