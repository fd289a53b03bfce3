"""Trains codec decoder, length regulator and DiT: from codes and a prompt to the mel.

    python -m s2mel.train --data DIR [--hours 4.5]

First decoder and regulator alone, to give the mel through a small head that is not kept: a step costs a small part of one
with the DiT, and what the words are is decided here. Then all together.

The budget is in core-hours over all runs. Stop it at any time (SIGTERM saves); the same command goes on.
"""
import argparse
import math
import random
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import corpus_tensors
import labels
from corpus_tensors import FRAMES_PER_CODE, frames_of
from training import Muon, Run, average, hidden_and_others

from .model import MELS, Config, S2Mel

BATCH, CODES, PROMPT = 8, (40, 70), (40, 160)
DROP, NO_PROMPT = 0.15, 0.2
ALONE = 0.12  # share of the budget before the DiT joins
RATES = 2e-3, 1e-3  # of learning, alone and together


class Guide(nn.Module):
    """For training only: the mel straight from the regulated content, which aligns content and sound early."""

    def __init__(self, c: Config):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(c.channels + c.style, 192), nn.SiLU(), nn.Linear(192, MELS))

    def forward(self, content, style):
        return self.net(torch.cat([content, style[:, None].expand(-1, content.shape[1], -1)], 2))


def cut(clip, start: int, codes: int):
    """Codes and mel of a stretch."""
    frames = frames_of(codes)
    first = min(frames_of(start), len(clip.on_codes) - frames)
    return clip.codes[start:start + codes], clip.on_codes[first:first + frames]


def part(clip, first: int, frames: int):
    """Content and mel of a stretch of a clip that serves as prompt."""
    a, b = (round(at / FRAMES_PER_CODE * 2) for at in (first, first + frames))
    b = a + round(frames / FRAMES_PER_CODE * 2)
    content = clip.content[a:b]
    if len(content) < b - a:
        content = np.pad(content, ((0, b - a - len(content)), (0, 0)), mode="edge")
    return content, clip.mel[first:first + frames]


class Batches:
    def __init__(self, clips: list, seed: str, prompt: tuple[int, int] = PROMPT):
        self.rng, self.clips, self.prompt = random.Random(seed), clips, prompt
        self.voices: dict[str, list] = {}
        for clip in clips:
            if clip.kind == "train":
                self.voices.setdefault(clip.voice, []).append(clip)

    def draw(self, batch: int):
        """codes, mel, prompt content, prompt mel (both None without), style; of common lengths."""
        rng = self.rng
        codes = rng.randint(*CODES)
        known = 0 if rng.random() < NO_PROMPT else rng.randint(*self.prompt)
        rows = []
        while len(rows) < batch:
            clip = rng.choice(self.clips)
            if len(clip.codes) < codes:
                continue
            start = rng.randint(0, len(clip.codes) - codes)
            row = [*cut(clip, start, codes)]
            if known:
                # A varied clip's voice has no other clip: what precedes the stretch is its prompt.
                other = rng.choice(self.voices[clip.voice]) if clip.kind == "train" else clip
                room = len(other.mel) if other is not clip else round(start * FRAMES_PER_CODE)
                if room < known:
                    continue
                row += part(other, rng.randint(0, room - known), known)
            # The style of another clip of the voice, half of the time: what the voice has in common.
            styled = rng.choice(self.voices[clip.voice]) if clip.kind == "train" and rng.random() < 0.5 else clip
            rows.append([*row, styled.style])
        columns = [torch.from_numpy(np.stack(c)) for c in zip(*rows)]
        columns = [c.float() if c.is_floating_point() else c.long() for c in columns]
        return columns if known else [*columns[:2], None, None, columns[2]]


def losses(model: S2Mel, guide: Guide, drawn, noise=None, t=None, alone=False):
    """Of the flow (nothing while decoder and regulator are alone), and of the guide."""
    codes, mel, prompt_content, prompt_mel, style = drawn
    batch, frames, _ = mel.shape
    features = model.codec(codes)
    content = model.regulator(features, frames)
    guess = guide(content, style)
    guided = (guess - mel).abs().mean() + 0.5 * (guess - mel).square().mean()
    known = 0
    prompt = torch.zeros_like(mel)
    if prompt_content is not None:
        known = prompt_mel.shape[1]
        before = model.regulator(prompt_content, known)
        guess = guide(before, style)
        guided = guided + 0.3 * (guess - prompt_mel).abs().mean()
        content, prompt = torch.cat([before, content], 1), torch.cat([prompt_mel, prompt], 1)
    if alone:
        return torch.zeros(()), guided
    if t is None:
        # More often close to the noise, where the words are decided.
        t = 1 - torch.cos(torch.rand(batch) * math.pi / 2)
    if noise is None:
        noise = torch.randn_like(mel)
    x = (1 - t)[:, None, None] * noise + t[:, None, None] * mel
    x = F.pad(x, (0, 0, known, 0))
    keep = (torch.rand(batch) >= DROP).float() if model.training else torch.ones(batch)
    given = [y * keep.view(-1, *[1] * (y.dim() - 1)) for y in (prompt, content, style)]
    velocity = model.estimator(x, *given, t)[:, known:]
    flow = (velocity - (mel - noise)).square().mean()
    return flow, guided


@torch.no_grad()
def validate(model: S2Mel, guide: Guide, clips: list) -> tuple[float, float]:
    """Both losses over whole clips without a prompt, with the same noise and times each time."""
    model.eval()
    generator = torch.Generator().manual_seed(1)
    flow = guided = 0.0
    for i, clip in enumerate(clips):
        codes, mel = cut(clip, 0, len(clip.codes))
        drawn = [torch.from_numpy(codes)[None].long(), torch.from_numpy(mel.astype(np.float32))[None], None, None, torch.from_numpy(clip.style)[None]]
        noise = torch.randn(drawn[1].shape, generator=generator)
        values = losses(model, guide, drawn, noise, torch.tensor([(i + 0.5) / len(clips)]))
        flow, guided = flow + values[0].item(), guided + values[1].item()
    model.train()
    return flow / len(clips), guided / len(clips)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=4.5, help="core-hours over all runs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "s2mel", args.hours)
    config = Config(codes=labels.CODES)
    model, guide, ema, ema_guide = S2Mel(config), Guide(config), S2Mel(config), Guide(config)
    ema.load_state_dict(model.state_dict())
    ema_guide.load_state_dict(guide.state_dict())
    parameters = [*model.parameters(), *guide.parameters()]
    hidden = hidden_and_others(model, (".layers.",))
    hidden[1]["params"] += guide.parameters()
    learn = Muon(hidden, RATES[0])
    modules = {"model": model, "guide": guide, "ema": ema, "ema_guide": ema_guide, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    clips, _ = corpus_tensors.build(args.data, {"train", "varied", "eval", "held"})
    sets = {s: [c for c in clips if c.kind == s] for s in ("eval", "held")}
    batches = Batches([c for c in clips if c.kind in ("train", "varied")], f"{args.seed} {run.step}")
    torch.manual_seed(args.seed + run.step)
    sums, counted = np.zeros(2), 0
    while run.progress < 1 and not run.stop:
        alone = run.progress < ALONE
        for group in learn.param_groups:
            group["lr"] = RATES[0 if alone else 1] * run.rate(warmup=200)
        flow, guided = losses(model, guide, batches.draw(2 * BATCH if alone else BATCH), alone=alone)
        learn.zero_grad(set_to_none=True)
        (flow + guided * (1 if alone else 0.3)).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.999)
        average(ema_guide, guide, run.step, 0.999)
        sums, counted = sums + [flow.item(), guided.item()], counted + 1
        if run.step % 25 == 0:
            run.log(flow=sums[0] / counted, guided=sums[1] / counted, clips=len(batches.clips))
            sums, counted = np.zeros(2), 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            seen, held = (validate(ema, ema_guide, sets[s][:16]) for s in ("eval", "held"))
            run.log(seen=seen[0], seen_guided=seen[1], held=held[0], held_guided=held[1])
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
