"""Trains the style network: which voice speaks.

    python -m campplus.train --data DIR [--hours 0.5]

The budget is in core-hours over all runs. Stop it at any time (SIGTERM saves); the same command goes on.
"""
import argparse
import random
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import features
from audio import Corpus
from training import Run, average

from .model import CamPlus, Config

FRAMES, BATCH, MARGIN, SCALE = (150, 300), 24, 0.2, 20.0


class Classifier(nn.Module):
    """Additive-margin softmax over the voices; a voice between two others counts for both."""

    def __init__(self, size, voices):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(voices, size) * 0.1)

    def forward(self, style, target):
        cosine = F.normalize(style) @ F.normalize(self.weight).T
        return F.cross_entropy(SCALE * (cosine - MARGIN * target), target), cosine


def batch(rng: random.Random, clips: list, style: dict, voices: list):
    frames = rng.randint(*FRAMES)
    xs, ys = np.zeros((BATCH, frames, 80), np.float32), np.zeros((BATCH, len(voices)), np.float32)
    for i in range(BATCH):
        clip = rng.choice(clips)
        x = style[clip["id"]].astype(np.float32)
        x = np.tile(x, (-(-frames // len(x)), 1))
        start = rng.randint(0, len(x) - frames)
        x = x[start:start + frames] + np.random.default_rng(rng.getrandbits(32)).standard_normal((frames, 80), np.float32) * np.float32(rng.uniform(0, 0.4))
        xs[i] = x - x.mean(0)
        low = rng.randrange(80)
        xs[i, :, low:low + rng.randint(0, 8)] = 0
        for voice, weight in (clip.get("mix") or {clip["voice"]: 1.0}).items():
            ys[i, voices.index(voice)] = weight
    return torch.from_numpy(xs), torch.from_numpy(ys)


@torch.no_grad()
def vectors(model: CamPlus, clips: list, style: dict) -> np.ndarray:
    model.eval()
    rows = np.concatenate([model(torch.from_numpy(style[c["id"]].astype(np.float32))[None]).numpy() for c in clips])
    model.train()
    return rows


def validate(model: CamPlus, clips: list, anchors: list, style: dict) -> float:
    """Share of `clips` whose nearest anchor (another clip) is of their own voice."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (vectors(model, clips, style), vectors(model, anchors, style)))
    near = a @ b.T
    for i, clip in enumerate(clips):
        near[i, [j for j, other in enumerate(anchors) if other["id"] == clip["id"]]] = -2
    return float(np.mean([anchors[j]["voice"] == clip["voice"] for clip, j in zip(clips, near.argmax(1))]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=0.5, help="core-hours over all runs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "campplus", args.hours)
    corpus = Corpus(args.data, {"train", "varied", "eval", "held"})
    corpus.scan()
    _, style = features.cache(corpus, args.data / "features")
    sets = {s: [c for c in corpus.clips if c["set"] == s] for s in ("train", "varied", "eval", "held")}
    voices = sorted({c["voice"] for c in sets["train"]})
    model, ema, classifier = CamPlus(Config()), CamPlus(Config()), Classifier(Config().size, len(voices))
    ema.load_state_dict(model.state_dict())
    parameters = [*model.parameters(), *classifier.parameters()]
    learn = torch.optim.AdamW(parameters, 3e-3, weight_decay=0.02)
    modules = {"model": model, "ema": ema, "classifier": classifier, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    rng = random.Random(f"{args.seed} {run.step}")
    anchors = [c for v in voices for c in [c for c in sets["train"] if c["voice"] == v][:2]]
    total = right = counted = 0.0
    while run.progress < 1 and not run.stop:
        for group in learn.param_groups:
            group["lr"] = 3e-3 * run.rate()
        x, y = batch(rng, sets["train"] + sets["varied"], style, voices)
        loss, cosine = classifier(model(x), y)
        learn.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.99)
        for slow, fast in zip(ema.buffers(), model.buffers()):
            slow.copy_(fast)
        total, right, counted = total + loss.item(), right + (cosine.argmax(1) == y.argmax(1)).float().mean().item(), counted + 1
        if run.step % 25 == 0:
            run.log(loss=total / counted, right=right / counted, clips=len(sets["train"] + sets["varied"]))
            total = right = counted = 0.0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            run.log(seen=validate(ema, sets["eval"], anchors, style), held=validate(ema, sets["held"], sets["held"], style))
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
