"""PyTorch: one training step (forward, loss, backward, Adam) a workload, eager mode. Usage: see harness.py."""

import harness
from harness import workload

OPTIONS = harness.arguments()

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(OPTIONS.threads)
torch.manual_seed(0)


def training_step(module, loss):
    """`loss()` runs the forward pass and gives the scalar; `module` names the parameters."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step


def classes(*shape, count=10):
    return torch.randint(0, count, shape)


# Products ------------------------------------------------------------------------------------------------------------


def product(a_shape, b_shape, a_across=False, b_across=False):
    a, b = torch.randn(a_shape), torch.randn(b_shape)
    a, b = a.T if a_across else a, b.T if b_across else b
    return lambda: torch.mm(a, b)


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
    net = nn.Sequential(
        nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid()
    )
    x, y = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0]])
    return training_step(net, lambda: F.binary_cross_entropy(net(x), y))


@workload
def mlp():
    net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    x, y = torch.randn(128, 784), classes(128)
    return training_step(net, lambda: F.cross_entropy(net(x), y))


@workload
def deep_small():
    hidden = [part for _ in range(31) for part in (nn.Linear(16, 16), nn.Tanh())]
    net = nn.Sequential(*hidden, nn.Linear(16, 16))
    x, y = torch.randn(8, 16), torch.randn(8, 16)
    return training_step(net, lambda: F.mse_loss(net(x), y))


# Loops ---------------------------------------------------------------------------------------------------------------


class Feedback(nn.Module):
    """input -> hidden1 -> hidden2 -> output, output and hidden2 fed back into hidden1, run `iterations` times."""

    def __init__(self, inputs=64, hidden=128, outputs=10, iterations=20):
        super().__init__()
        self.iterations = iterations
        self.hidden1, self.hidden2 = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, outputs)
        self.output_to_hidden1 = nn.Linear(outputs, hidden, bias=False)
        self.hidden2_to_hidden1 = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x):
        output = x.new_zeros(x.shape[0], self.output.out_features)
        hidden2 = x.new_zeros(x.shape[0], self.hidden2.out_features)
        projected = self.hidden1(x)
        for _ in range(self.iterations):
            hidden1 = torch.tanh(projected + self.output_to_hidden1(output) + self.hidden2_to_hidden1(hidden2))
            hidden2 = torch.tanh(self.hidden2(hidden1))
            output = self.output(hidden2)
        return output


@workload
def feedback():
    net = Feedback()
    x, y = torch.randn(32, 64), classes(32)
    return training_step(net, lambda: F.cross_entropy(net(x), y))


def fixed_point(f, z, memory, tolerance=1e-3, most=40, regularisation=1e-6):
    """`z = f(z)` by Anderson's method of type II over the last `memory` steps, or by plain iteration where it is 0, until no
    row's residual is above `tolerance` times the norm of its image. Rows are independent but for when all stop."""
    batch, width = z.shape
    images, residuals = z.new_empty(batch, max(memory, 1), width), z.new_empty(batch, max(memory, 1), width)
    ones, eye = z.new_ones(batch, max(memory, 1), 1), torch.eye(max(memory, 1))
    for k in range(most):
        image = f(z)
        residual = image - z
        if (residual.square().sum(1) / image.square().sum(1).clamp_min(1e-30)).max() < tolerance**2:
            break
        z = image
        if memory > 0:
            images[:, k % memory], residuals[:, k % memory] = image, residual
            n = min(k + 1, memory)
            gram = torch.bmm(residuals[:, :n], residuals[:, :n].transpose(1, 2))
            size = gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
            shares = torch.linalg.solve_ex(gram + regularisation * size * eye[:n, :n], ones[:, :n])[0]
            shares = shares / shares.sum(1, keepdim=True)
            z = torch.bmm(shares.transpose(1, 2), images[:, :n]).squeeze(1)
    return image


class Equilibrium(torch.autograd.Function):
    """`z = tanh(z · W + u)`, and its gradient by the implicit function theorem, with the products written out by hand."""

    @staticmethod
    def forward(ctx, u, weight):
        z = fixed_point(lambda z: torch.addmm(u, z, weight).tanh_(), torch.zeros_like(u), memory=5)
        ctx.save_for_backward(z, weight)
        return z

    @staticmethod
    def backward(ctx, gradient):
        z, weight = ctx.saved_tensors
        slope = 1 - z * z
        # Plain iteration is faster here than Anderson's method: as many evaluations, less around them.
        total = fixed_point(
            lambda y: torch.addmm(gradient, y * slope, weight.T), torch.zeros_like(gradient), memory=0
        )
        before = total * slope
        return before, z.T @ before


class EquilibriumNet(nn.Module):
    def __init__(self, width=256, outputs=10):
        super().__init__()
        self.input, self.loop = nn.Linear(width, width), nn.Parameter(torch.empty(width, width))
        self.head = nn.Linear(width, outputs)
        nn.init.orthogonal_(self.loop, gain=0.7)
        nn.init.normal_(self.input.weight, std=width**-0.5)
        nn.init.zeros_(self.input.bias)

    def forward(self, x):
        return self.head(Equilibrium.apply(self.input(x), self.loop))


@workload
def deq():
    net = EquilibriumNet()
    x, y = torch.randn(64, 256), classes(64)
    return training_step(net, lambda: F.cross_entropy(net(x), y))


def sequence(cell, inputs, hidden, outputs, batch, time, y, loss):
    recurrent, head = cell(inputs, hidden, batch_first=True), nn.Linear(hidden, outputs)
    x = torch.randn(batch, time, inputs)

    def last_step_loss():
        states, _ = recurrent(x)
        return loss(head(states[:, -1]), y)

    return training_step(nn.ModuleList([recurrent, head]), last_step_loss)


@workload
def lstm():
    return sequence(nn.LSTM, 128, 256, 10, batch=32, time=100, y=classes(32), loss=F.cross_entropy)


@workload
def lstm_small():
    return sequence(nn.LSTM, 8, 32, 1, batch=16, time=50, y=torch.randn(16, 1), loss=F.mse_loss)


@workload
def gru():
    return sequence(nn.GRU, 128, 256, 10, batch=32, time=100, y=classes(32), loss=F.cross_entropy)


@workload
def lstm_infer_b1():
    cell = nn.LSTMCell(64, 128)
    x, state = torch.randn(1, 64), (torch.zeros(1, 128), torch.zeros(1, 128))

    def step():
        with torch.inference_mode():
            cell(x, state)

    return step


# Pictures and text ---------------------------------------------------------------------------------------------------


@workload
def conv():
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    x, y = torch.randn(64, 1, 28, 28), classes(64)
    return training_step(net, lambda: F.cross_entropy(net(x), y))


class Block(nn.Module):
    """Pre-norm transformer block with causal attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, time, width = x.shape
        parts = self.queries_keys_values(self.norm1(x)).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, time, width)
        x = x + self.mix(attended)
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, vocabulary=256, width=256, blocks=4, heads=8, time=128):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(time, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.tokens(x) + self.positions.weight[: x.shape[1]])))


@workload
def gpt():
    net = Gpt()
    x, y = classes(16, 128, count=256), classes(16, 128, count=256)
    return training_step(net, lambda: F.cross_entropy(net(x).view(-1, 256), y.view(-1)))


# Passes over 4 M numbers ---------------------------------------------------------------------------------------------


@workload
def softmax_4m():
    x = torch.randn(4096, 1024)
    return lambda: torch.softmax(x, -1)


@workload
def tanh_4m():
    x = torch.randn(4096, 1024)
    return lambda: torch.tanh(x)


@workload
def layernorm_4m():
    x, norm = torch.randn(4096, 1024), nn.LayerNorm(1024)

    def step():
        with torch.no_grad():
            norm(x)

    return step


harness.run("torch", f"PyTorch {torch.__version__.split('+')[0]}", OPTIONS)
