"""The Muon optimizer for weight matrices: momentum whose singular values are all made about equal.

From its description by Keller Jordan and others (2024, https://kellerjordan.github.io/posts/muon).
"""

import torch


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; matrices of one shape are handled together."""

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(list(matrices), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                by_shape.setdefault(p.shape, []).append(p)
            for matrices in by_shape.values():
                self._step_shape(group, matrices)

    def _step_shape(self, group, matrices):
        """Update matrices of one shape."""
        gradients = torch.stack([p.grad for p in matrices])
        state = self.state[matrices[0]]
        momentum = state.setdefault("momentum", torch.zeros_like(gradients))
        momentum.lerp_(gradients, 1 - group["momentum"])
        updates = orthogonalised(gradients.lerp_(momentum, group["momentum"]))
        rows, columns = matrices[0].shape
        scale = group["lr"] * max(1.0, rows / columns) ** 0.5
        for p, update in zip(matrices, updates):
            p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-scale)


def orthogonalised(batch, steps=5):
    """Matrices (batch, rows, columns) with singular values near 1, by a quintic Newton-Schulz iteration."""
    tall = batch.shape[1] > batch.shape[2]
    x = batch.mT if tall else batch
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x
