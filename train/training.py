"""What every stage needs: a budget of core-seconds, its learning rate, atomic checkpoints, a log, an average of weights, and
an optimizer for transformers."""
import fcntl
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import torch


class Run:
    """A stage's folder: `state.pt` (to go on from), `log.jsonl`, `done` once the budget is spent."""

    def __init__(self, folder: Path, budget_hours: float, save_every: float = 300):
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"{folder} is being trained by another process")
        self.folder, self.budget, self.save_every = folder, budget_hours * 3600, save_every
        self.step, self.spent_before, self.start, self.saved = 0, 0.0, time.process_time(), time.time()
        self.stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_):
        self.stop = True

    @property
    def spent(self) -> float:
        """Core-seconds, over all the runs of this stage."""
        return self.spent_before + time.process_time() - self.start

    @property
    def progress(self) -> float:
        return min(1.0, self.spent / self.budget)

    def rate(self, warmup: int = 100, floor: float = 0.05) -> float:
        """Factor of the learning rate: linear warmup in steps, then a cosine over the budget."""
        cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return cosine * min(1.0, (self.step + 1) / warmup)

    def load(self) -> dict | None:
        path = self.folder / "state.pt"
        if not path.exists():
            return None
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.step, self.spent_before = state["step"], state["spent"]
        return state["modules"]

    def save(self, modules: dict) -> None:
        state = {"step": self.step, "spent": self.spent, "modules": modules}
        temporary = self.folder / "state.tmp"
        torch.save(state, temporary)
        os.replace(temporary, self.folder / "state.pt")
        self.saved = time.time()

    def due(self) -> bool:
        return self.stop or self.progress >= 1 or time.time() - self.saved > self.save_every

    def log(self, **values) -> None:
        line = {"step": self.step, "core_s": round(self.spent, 1), "time": round(time.time())}
        line |= {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


@torch.no_grad()
def average(ema: torch.nn.Module, model: torch.nn.Module, step: int, decay: float) -> None:
    keep = min(decay, (step + 1) / (step + 10))
    for slow, fast in zip(ema.parameters(), model.parameters()):
        slow.lerp_(fast, 1 - keep)


class Muon(torch.optim.Optimizer):
    """AdamW, but for the matrices of hidden layers the direction of their momentum with all singular values made one.

    Jordan et al. 2024; the step's size as in Liu et al. 2025 (arXiv 2502.16982), so that one learning rate serves both.
    A group is `{"params": .., "hidden": bool}`."""

    def __init__(self, groups, lr: float, betas=(0.9, 0.98), momentum=0.95, weight_decay=0.01):
        super().__init__(groups, dict(lr=lr, betas=betas, momentum=momentum, weight_decay=weight_decay, hidden=False))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.mul_(1 - group["lr"] * group["weight_decay"])
                direction = self._hidden(p, group) if group["hidden"] else self._adam(p, group)
                p.add_(direction, alpha=-group["lr"])

    def _adam(self, p, group):
        state, (b1, b2) = self.state[p], group["betas"]
        if not state:
            state |= {"step": torch.zeros(()), "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
        state["step"] += 1
        state["mean"].lerp_(p.grad, 1 - b1)
        state["square"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
        n = state["step"].item()
        return state["mean"] / (1 - b1**n) / ((state["square"] / (1 - b2**n)).sqrt() + 1e-8)

    def _hidden(self, p, group):
        state = self.state[p]
        if not state:
            state["mean"] = torch.zeros_like(p)
        state["mean"].mul_(group["momentum"]).add_(p.grad)
        x = p.grad.add(state["mean"], alpha=group["momentum"])
        wide = x.shape[0] > x.shape[1]
        x = x.T if wide else x
        x = x / (x.norm() + 1e-7)
        for _ in range(5):  # Newton and Schulz, fifth order
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return (x.T if wide else x) * (0.2 * math.sqrt(max(p.shape)))


def hidden_and_others(module: torch.nn.Module, hidden: tuple[str, ...]) -> list[dict]:
    """Groups for [`Muon`]: the matrices whose name contains one of `hidden`, and everything else."""
    groups = [{"params": [], "hidden": True}, {"params": [], "hidden": False}]
    for name, p in module.named_parameters():
        groups[0 if p.dim() == 2 and any(part in name for part in hidden) else 1]["params"].append(p)
    return groups
