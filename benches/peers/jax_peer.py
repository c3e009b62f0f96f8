"""JAX on XLA's CPU compiler: one jitted training step (forward, loss, gradient, Adam) a workload. Usage: see harness.py.

XLA takes every core the process may run on; `--threads` is only echoed (compare.py pins the process)."""

import functools

import harness
from harness import workload

OPTIONS = harness.arguments()

import jax
import jax.numpy as jnp
import numpy as np

GENERATOR = np.random.default_rng(0)
KEYS = jax.random.split(jax.random.key(0), 32)


def normal(*shape):
    return jnp.array(GENERATOR.standard_normal(shape, dtype=np.float32))


def classes(*shape, count=10):
    return jnp.array(GENERATOR.integers(0, count, shape))


def weight(key, inputs, outputs):
    return jax.random.normal(key, (inputs, outputs)) / np.sqrt(inputs)


def dense(key, inputs, outputs):
    return {"weight": weight(key, inputs, outputs), "bias": jnp.zeros(outputs)}


def apply(layer, x):
    return x @ layer["weight"] + layer["bias"]


def cross_entropy(logits, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1))


def training_step(parameters, forward, x, y, loss):
    first = jax.tree.map(jnp.zeros_like, parameters)
    second = jax.tree.map(jnp.zeros_like, parameters)

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def adam(p, m, v, t):
        g = jax.grad(lambda p: loss(forward(p, x), y))(p)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate = lambda m, v: 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return jax.tree.map(lambda p, m, v: p - rate(m, v), p, m, v), m, v

    state, count = [parameters, first, second], 0

    def step():
        nonlocal count
        count += 1
        state[:] = jax.block_until_ready(adam(*state, float(count)))

    return step


# Products ------------------------------------------------------------------------------------------------------------


def product(a_shape, b_shape, a_across=False, b_across=False):
    a, b = normal(*a_shape), normal(*b_shape)
    multiply = jax.jit(lambda a, b: (a.T if a_across else a) @ (b.T if b_across else b))
    return lambda: multiply(a, b).block_until_ready()


@workload
def gemm_256():
    return product((256, 256), (256, 256))


@workload
def gemm_1024():
    return product((1024, 1024), (1024, 1024))


harness.gemm_training(product)


# Dense networks ------------------------------------------------------------------------------------------------------


@workload
def xor_step():
    layers = [dense(KEYS[0], 2, 2), dense(KEYS[1], 2, 2), dense(KEYS[2], 2, 1)]

    def forward(layers, x):
        for layer in layers:
            x = jax.nn.sigmoid(apply(layer, x))
        return x

    loss = lambda o, y: -jnp.mean(y * jnp.log(o) + (1 - y) * jnp.log(1 - o))
    return training_step(layers, forward, jnp.array([[0.0, 1.0]]), jnp.array([[1.0]]), loss)


@workload
def mlp():
    layers = [dense(KEYS[0], 784, 512), dense(KEYS[1], 512, 512), dense(KEYS[2], 512, 10)]

    def forward(layers, x):
        for layer in layers[:-1]:
            x = jax.nn.relu(apply(layer, x))
        return apply(layers[-1], x)

    return training_step(layers, forward, normal(128, 784), classes(128), cross_entropy)


@workload
def deep_small():
    layers = [dense(key, 16, 16) for key in KEYS]

    def forward(layers, x):
        for layer in layers[:-1]:
            x = jnp.tanh(apply(layer, x))
        return apply(layers[-1], x)

    return training_step(layers, forward, normal(8, 16), normal(8, 16), lambda o, y: jnp.mean((o - y) ** 2))


# Loops ---------------------------------------------------------------------------------------------------------------


@workload
def feedback():
    p = {
        "hidden1": dense(KEYS[0], 64, 128),
        "hidden2": dense(KEYS[1], 128, 128),
        "output": dense(KEYS[2], 128, 10),
        "output_to_hidden1": weight(KEYS[3], 10, 128),
        "hidden2_to_hidden1": weight(KEYS[4], 128, 128),
    }

    def forward(p, x):
        projected = apply(p["hidden1"], x)

        def iteration(state, _):
            output, hidden2 = state
            hidden1 = jnp.tanh(projected + output @ p["output_to_hidden1"] + hidden2 @ p["hidden2_to_hidden1"])
            hidden2 = jnp.tanh(apply(p["hidden2"], hidden1))
            return (apply(p["output"], hidden2), hidden2), None

        start = (jnp.zeros((32, 10)), jnp.zeros((32, 128)))
        return jax.lax.scan(iteration, start, None, 20)[0][0]

    return training_step(p, forward, normal(32, 64), classes(32), cross_entropy)


def until_settled(f, z, refine, memory, tolerance=1e-3, most=40):
    """`z = f(z)`, where `refine(memory, k, image, residual)` gives the next memory and state, until no row's residual is above
    `tolerance` times the norm of its image."""

    def unsettled(state):
        _, _, _, k, worst = state
        return (k < most) & (worst >= tolerance**2)

    def iteration(state):
        z, _, memory, k, _ = state
        image = f(z)
        residual = image - z
        worst = jnp.max(jnp.sum(residual**2, 1) / jnp.maximum(jnp.sum(image**2, 1), 1e-30))
        memory, z = refine(memory, k, image, residual)
        return z, image, memory, k + 1, worst

    return jax.lax.while_loop(unsettled, iteration, (z, z, memory, 0, jnp.float32(jnp.inf)))[1]


def anderson(f, z, size=5, regularisation=1e-6):
    """Anderson's method of type II; the small systems of all rows are eliminated together, in place of 64 calls of LAPACK."""

    def refine(memory, k, image, residual):
        images, residuals = (past.at[:, k % size].set(new) for past, new in zip(memory, (image, residual)))
        used = jnp.arange(size) <= k
        gram = jnp.einsum("bid,bjd->bij", residuals, residuals)
        mean = jnp.trace(gram, axis1=1, axis2=2)[:, None, None] / jnp.sum(used)
        gram = gram + jnp.where(used, regularisation * mean, 1) * jnp.eye(size)
        shares = jnp.broadcast_to(used.astype(jnp.float32), (z.shape[0], size))
        for i in range(size):
            pivot = gram[:, i, i, None]
            gram, shares = gram.at[:, i].divide(pivot), shares.at[:, i].divide(pivot[:, 0])
            others = gram[:, :, i].at[:, i].set(0)
            gram = gram - others[:, :, None] * gram[:, None, i]
            shares = shares - others * shares[:, i, None]
        shares = shares / jnp.sum(shares, 1, keepdims=True)
        return (images, residuals), jnp.einsum("bi,bid->bd", shares, images)

    past = jnp.zeros((z.shape[0], size, z.shape[1]))
    return until_settled(f, z, refine, (past, past))


@jax.custom_vjp
def equilibrium(u, loop):
    """`z = tanh(z · W + u)`, with the gradient of the implicit function theorem."""
    return anderson(lambda z: jnp.tanh(u + z @ loop), jnp.zeros_like(u))


def equilibrium_forward(u, loop):
    z = equilibrium(u, loop)
    return z, (z, loop)


def equilibrium_backward(kept, gradient):
    z, loop = kept
    slope = 1 - z * z
    plain = lambda memory, k, image, residual: (memory, image)
    total = until_settled(lambda y: gradient + (y * slope) @ loop.T, jnp.zeros_like(z), plain, ())
    before = total * slope
    return before, z.T @ before


equilibrium.defvjp(equilibrium_forward, equilibrium_backward)


@workload
def deq():
    p = {
        "input": dense(KEYS[0], 256, 256),
        "loop": 0.7 * jax.nn.initializers.orthogonal()(KEYS[1], (256, 256)),
        "head": dense(KEYS[2], 256, 10),
    }
    forward = lambda p, x: apply(p["head"], equilibrium(apply(p["input"], x), p["loop"]))
    return training_step(p, forward, normal(64, 256), classes(64), cross_entropy)


def lstm_network(inputs, hidden, outputs, batch, time, y, loss):
    p = {
        "input": dense(KEYS[0], inputs, 4 * hidden),
        "recurrent": weight(KEYS[1], hidden, 4 * hidden),
        "head": dense(KEYS[2], hidden, outputs),
    }

    def forward(p, x):
        def cell(state, z):
            h, c = state
            i, f, g, o = jnp.split(z + h @ p["recurrent"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        start = (jnp.zeros((batch, hidden)), jnp.zeros((batch, hidden)))
        (h, _), _ = jax.lax.scan(cell, start, apply(p["input"], x))
        return apply(p["head"], h)

    return training_step(p, forward, normal(time, batch, inputs), y, loss)


@workload
def lstm():
    return lstm_network(128, 256, 10, batch=32, time=100, y=classes(32), loss=cross_entropy)


@workload
def lstm_small():
    return lstm_network(8, 32, 1, batch=16, time=50, y=normal(16, 1), loss=lambda o, y: jnp.mean((o - y) ** 2))


@workload
def gru():
    p = {"input": dense(KEYS[0], 128, 768), "recurrent": dense(KEYS[1], 256, 768), "head": dense(KEYS[2], 256, 10)}

    def forward(p, x):
        def cell(h, z):
            reset, update, new = jnp.split(z, 3, -1)
            reset2, update2, new2 = jnp.split(apply(p["recurrent"], h), 3, -1)
            reset, update = jax.nn.sigmoid(reset + reset2), jax.nn.sigmoid(update + update2)
            return update * h + (1 - update) * jnp.tanh(new + reset * new2), None

        return apply(p["head"], jax.lax.scan(cell, jnp.zeros((32, 256)), apply(p["input"], x))[0])

    return training_step(p, forward, normal(100, 32, 128), classes(32), cross_entropy)


# Pictures and text ---------------------------------------------------------------------------------------------------


@workload
def conv():
    def kernel(key, inputs, outputs):
        scale = np.sqrt(9 * inputs)
        return {"weight": jax.random.normal(key, (3, 3, inputs, outputs)) / scale, "bias": jnp.zeros(outputs)}

    def convolve_and_pool(layer, x):
        x = jax.lax.conv_general_dilated(
            x, layer["weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + layer["bias"])
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    p = [kernel(KEYS[0], 1, 32), kernel(KEYS[1], 32, 64), dense(KEYS[2], 64 * 49, 128), dense(KEYS[3], 128, 10)]

    def forward(p, x):
        x = convolve_and_pool(p[1], convolve_and_pool(p[0], x)).reshape(64, -1)
        return apply(p[3], jax.nn.relu(apply(p[2], x)))

    return training_step(p, forward, normal(64, 28, 28, 1), classes(64), cross_entropy)


@workload
def gpt():
    width, heads, time, vocabulary = 256, 8, 128, 256

    def norm_parameters():
        return {"gain": jnp.ones(width), "bias": jnp.zeros(width)}

    def norm(layer, x):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * layer["gain"] + layer["bias"]

    def block_parameters(key):
        a, b, c, d = jax.random.split(key, 4)
        return {
            "norm1": norm_parameters(),
            "norm2": norm_parameters(),
            "queries_keys_values": dense(a, width, 3 * width),
            "mix": dense(b, width, width),
            "up": dense(c, width, 4 * width),
            "down": dense(d, 4 * width, width),
        }

    mask = jnp.tril(jnp.ones((time, time), bool))

    def block(p, x):
        parts = apply(p["queries_keys_values"], norm(p["norm1"], x))
        parts = parts.reshape(16, time, 3 * heads, width // heads).transpose(0, 2, 1, 3)
        q, k, v = jnp.split(parts, 3, 1)
        scores = jnp.where(mask, q @ k.swapaxes(-1, -2) / np.sqrt(width // heads), -1e9)
        attended = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(16, time, width)
        x = x + apply(p["mix"], attended)
        return x + apply(p["down"], jax.nn.gelu(apply(p["up"], norm(p["norm2"], x))))

    p = {
        "tokens": jax.random.normal(KEYS[0], (vocabulary, width)) * 0.02,
        "positions": jax.random.normal(KEYS[1], (time, width)) * 0.02,
        "blocks": [block_parameters(KEYS[i + 2]) for i in range(4)],
        "norm": norm_parameters(),
        "head": jax.random.normal(KEYS[9], (width, vocabulary)) * 0.02,
    }

    def forward(p, tokens):
        x = p["tokens"][tokens] + p["positions"]
        for layer in p["blocks"]:
            x = block(layer, x)
        return norm(p["norm"], x) @ p["head"]

    return training_step(p, forward, classes(16, time, count=256), classes(16, time, count=256), cross_entropy)


# Passes over 4 M numbers ---------------------------------------------------------------------------------------------


def one_pass(function):
    x, compiled = normal(4096, 1024), jax.jit(function)
    return lambda: compiled(x).block_until_ready()


@workload
def softmax_4m():
    return one_pass(jax.nn.softmax)


@workload
def tanh_4m():
    return one_pass(jnp.tanh)


@workload
def layernorm_4m():
    gain, bias = jnp.ones(1024), jnp.zeros(1024)

    def norm(x, gain, bias):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * gain + bias

    x, compiled = normal(4096, 1024), jax.jit(norm)
    return lambda: compiled(x, gain, bias).block_until_ready()


harness.run("jax", f"JAX {jax.__version__}", OPTIONS)
