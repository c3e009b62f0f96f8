"""The group `recurrent` of generate.py: recurrent layers, their last states and all gradients.

A case has the weights under PyTorch's own names and in its orientation, `x` `[batch, time, features]`, `lengths` (or null), the
states to start from, `y` and the last states; the gradients are those of <upstream, y> + <upstream_h, h> (+ <upstream_c, c>).
PyTorch's modules compute all but `gru_before`, whose reset before the product is written out below.
"""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class GruBefore(nn.Module):
    """The GRU of the first version of Cho et al. 2014, with PyTorch's gate order r, z, n; one bias would do."""

    def __init__(self, features, hidden):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.zeros(3 * hidden, features))
        self.weight_hh_l0 = nn.Parameter(torch.zeros(3 * hidden, hidden))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden))

    def forward(self, x, h):
        h, outputs = h[0], []
        u_r, u_z, u_n = self.weight_hh_l0.chunk(3)
        for t in range(x.shape[1]):
            given = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + self.bias_hh_l0
            x_r, x_z, x_n = given.chunk(3, dim=1)
            r, z = torch.sigmoid(x_r + h @ u_r.T), torch.sigmoid(x_z + h @ u_z.T)
            n = torch.tanh(x_n + (r * h) @ u_n.T)
            h = (1 - z) * n + z * h
            outputs.append(h)
        return torch.stack(outputs, dim=1), h.unsqueeze(0)


def recurrent():
    g = torch.Generator().manual_seed(7)

    def draw(*shape):
        return (0.6 * torch.randn(*shape, generator=g)).round(decimals=3)

    cases = []

    def case(name, module, lengths=None, cell_state=False, levels=1, directions=1, features=3, hidden=2, batch=3, time=4):
        module = module.double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(draw(*parameter.shape))
        x = draw(batch, time, features).requires_grad_(True)
        states = levels * directions, batch, hidden
        start = [draw(*states).requires_grad_(True) for _ in range(2 if cell_state else 1)]
        given = x
        if lengths is not None:
            given = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        y, last = module(given, tuple(start) if cell_state else start[0])
        if lengths is not None:
            y, _ = pad_packed_sequence(y, batch_first=True, total_length=time)
        last = list(last) if cell_state else [last]
        upstream, upstream_last = draw(*y.shape), [draw(*s.shape) for s in last]
        parameters = dict(module.named_parameters())
        score = (upstream * y).sum() + sum((u * s).sum() for u, s in zip(upstream_last, last))
        wanted = [x, *start, *parameters.values()]
        found = list(torch.autograd.grad(score, wanted))
        cases.append(
            {
                "name": name,
                "levels": levels,
                "bidirectional": directions == 2,
                "lengths": lengths,
                "weights": parameters,
                "x": x,
                "start": start,
                "y": y,
                "last": last,
                "upstream": upstream,
                "upstream_last": upstream_last,
                "x_gradient": found[0],
                "start_gradients": found[1 : 1 + len(start)],
                "gradients": dict(zip(parameters, found[1 + len(start) :])),
            }
        )

    kinds = [("lstm", nn.LSTM, {}), ("gru", nn.GRU, {}), ("elman", nn.RNN, {}), ("elman_relu", nn.RNN, {"nonlinearity": "relu"})]
    for name, kind, options in kinds:
        common = {"cell_state": name == "lstm"}
        case(name, kind(3, 2, batch_first=True, **options), **common)
        case(name, kind(3, 2, batch_first=True, **options), lengths=[2, 4, 1], **common)
        stacked = kind(3, 2, num_layers=2, bidirectional=True, batch_first=True, **options)
        case(name, stacked, lengths=[2, 4, 3], levels=2, directions=2, **common)
        case(name, kind(1, 1, num_layers=2, batch_first=True, **options), levels=2, features=1, hidden=1, batch=1, time=1, **common)
    case("gru_before", GruBefore(3, 2))
    return cases
