"""What every stage needs: a budget of core-seconds, its learning rate, atomic checkpoints, a log, an average of weights."""
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
