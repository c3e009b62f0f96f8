"""Reference values for convolutions, pooling and resizing, computed with PyTorch in f64 and written beside this file.

    python generate.py

All numbers are small multiples of 1/4, so that most results are short, and windows have equal largest numbers. Layouts are
those of this library: images `[batch, height, width, channel]`, kernels `[height, width, channels / groups, outputs]`
(PyTorch's with its axes turned around, for transposed convolutions too).
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
draws = torch.Generator().manual_seed(3)


def numbers(*shape):
    return (torch.randint(-8, 9, shape, generator=draws).to(torch.float64) / 4).requires_grad_()


def last(t):
    """Channels last."""
    return t.movedim(1, -1)


def kernel(t):
    return t.movedim((0, 1), (-1, -2))


def stored(t):
    t = t.detach().contiguous()
    return {"shape": list(t.shape), "elements": [round(v, 15) for v in t.flatten().tolist()]}


def case(op, f, x, weight=None, bias=None, **options):
    y = f(x, weight, bias)
    upstream = numbers(*y.shape).detach()
    operands = [t for t in (x, weight, bias) if t is not None]
    gradients = torch.autograd.grad(y, operands, upstream)
    written = {"op": op, **options, "x": stored(last(x))}
    if weight is not None:
        written["weight"] = stored(kernel(weight))
        written["by_weight"] = stored(kernel(gradients[1]))
    if bias is not None:
        written["bias"] = stored(bias)
        written["by_bias"] = stored(gradients[2])
    written["y"] = stored(last(y))
    written["upstream"] = stored(last(upstream))
    written["by_x"] = stored(last(gradients[0]))
    return written


def padded(x, padding, value=0.0):
    """`x` with a border of (before, after) for each axis, first axis first."""
    return F.pad(x, [n for pair in reversed(padding) for n in pair], value=value)


def conv(axes, x, weight, bias, stride=1, padding=None, dilation=1, groups=1):
    stride, dilation = [stride] * axes if isinstance(stride, int) else stride, [dilation] * axes
    function = F.conv1d if axes == 1 else F.conv2d

    def f(x, weight, bias):
        if padding == "same":
            return function(x, weight, bias, 1, "same", dilation, groups)
        return function(padded(x, padding or [(0, 0)] * axes), weight, bias, stride, 0, dilation, groups)

    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return case(f"conv{axes}d", f, x, weight, bias, **options)


def transpose(axes, x, weight, bias, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    function = F.conv_transpose1d if axes == 1 else F.conv_transpose2d

    def f(x, weight, bias):
        return function(x, weight, bias, stride, padding, output_padding, groups, dilation)

    options = {
        "stride": [stride] * axes,
        "padding": [(padding, padding)] * axes,
        "dilation": [dilation] * axes,
        "groups": groups,
        "output_padding": [output_padding] * axes,
    }
    return case(f"conv_transpose{axes}d", f, x, weight, bias, **options)


def pool(op, axes, x, window, stride, padding, count=True):
    function = getattr(F, f"{op}_pool{axes}d")

    def f(x, *_):
        if op == "max":
            return function(x, window, stride, padding)
        return function(x, window, stride, padding, count_include_pad=count)

    options = {"window": [window] * axes, "stride": [stride] * axes, "padding": [(padding, padding)] * axes}
    return case(f"{op}_pool{axes}d", f, x, **options, count_include_pad=count)


def adaptive(op, axes, x, outputs):
    function = getattr(F, f"adaptive_{op}_pool{axes}d")
    return case(f"adaptive_{op}_pool{axes}d", lambda x, *_: function(x, outputs), x, outputs=outputs)


def resize(op, x, size, align=None):
    mode = "nearest" if op == "resize_nearest" else "bilinear"
    options = {"size": size} if align is None else {"size": size, "align_corners": align}
    return case(op, lambda x, *_: F.interpolate(x, size, mode=mode, align_corners=align), x, **options)


def cases():
    yield conv(2, numbers(2, 2, 4, 3), numbers(3, 2, 2, 3), numbers(3))
    yield conv(2, numbers(1, 2, 3, 4), numbers(3, 2, 3, 3), numbers(3), padding="same")
    yield conv(2, numbers(1, 1, 4, 4), numbers(2, 1, 3, 2), numbers(2), padding="same")
    yield conv(2, numbers(1, 2, 5, 6), numbers(2, 2, 3, 3), numbers(2), stride=[2, 3], padding=[(1, 1), (1, 1)])
    yield conv(2, numbers(1, 2, 3, 4), numbers(2, 2, 2, 2), numbers(2), padding=[(0, 2), (3, 1)])
    yield conv(2, numbers(1, 2, 5, 5), numbers(2, 2, 2, 3), numbers(2), padding="same", dilation=2)
    yield conv(2, numbers(1, 4, 3, 3), numbers(6, 2, 2, 2), numbers(6), groups=2)
    yield conv(2, numbers(1, 3, 4, 4), numbers(3, 1, 3, 3), numbers(3), padding="same", groups=3)
    yield conv(2, numbers(1, 3, 5, 4), numbers(6, 1, 2, 3), numbers(6), stride=[2, 2], groups=3)
    yield conv(2, numbers(2, 3, 2, 2), numbers(2, 3, 1, 1), numbers(2))
    yield conv(2, numbers(1, 17, 3, 3), numbers(2, 17, 2, 2), numbers(2), padding=[(1, 0), (0, 1)])
    yield conv(1, numbers(2, 2, 7), numbers(3, 2, 3), numbers(3), stride=2, padding=[(2, 1)])
    yield conv(1, numbers(1, 3, 6), numbers(3, 1, 2), numbers(3), padding="same", groups=3, dilation=2)
    yield transpose(2, numbers(1, 2, 2, 3), numbers(2, 3, 2, 3), numbers(3))
    yield transpose(2, numbers(1, 2, 3, 2), numbers(2, 2, 3, 3), numbers(2), stride=2, padding=1, output_padding=1)
    yield transpose(2, numbers(1, 4, 2, 2), numbers(4, 3, 2, 2), numbers(6), stride=2, groups=2)
    yield transpose(2, numbers(1, 2, 3, 3), numbers(2, 2, 2, 2), numbers(2), padding=1, dilation=2)
    yield transpose(1, numbers(2, 2, 3), numbers(2, 2, 3), numbers(2), stride=3, output_padding=2)
    for op in ("max", "avg"):
        yield pool(op, 2, numbers(1, 2, 4, 4), 2, 2, 0)
        yield pool(op, 2, numbers(1, 2, 5, 6), 3, 2, 1)
        yield pool(op, 2, numbers(1, 2, 5, 5), 2, 3, 0)
        yield pool(op, 1, numbers(2, 2, 7), 3, 1, 1)
        yield adaptive(op, 2, numbers(1, 2, 5, 7), [3, 2])
        yield adaptive(op, 2, numbers(1, 2, 2, 3), [4, 5])
        yield adaptive(op, 1, numbers(1, 2, 7), [3])
        yield adaptive(op, 2, numbers(2, 3, 3, 4), [1, 1])
    yield pool("avg", 2, numbers(1, 2, 5, 4), 3, 2, 1, count=False)
    for size in ([1, 1], [3, 7], [4, 8], [2, 3]):
        yield resize("resize_nearest", numbers(1, 2, 3, 4), size)
        for align in (False, True):
            yield resize("resize_bilinear", numbers(1, 2, 3, 4), size, align)


lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
(HERE / "images.json").write_text(f'{{"torch":"{torch.__version__}","cases":[\n{lines}\n]}}\n')
