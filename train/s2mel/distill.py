"""Distils the flow: few steps without guidance that go where many guided steps of the trained DiT go.

    python -m s2mel.distill --data DIR [--hours 2]

The student starts as a copy of the teacher (stage `s2mel`) and walks the very grid that it is used on. From each state it
comes to, the teacher makes the same way in smaller guided steps (progressive distillation, Salimans and Ho 2022, with the
guidance in the target as Meng et al. 2023 have it); the student's velocity is pulled to the mean velocity of that way. States
are the student's own, so that it learns to mend what it did before.

Codec decoder and length regulator stay as they are. The budget is in core-hours over all runs. Stop it at any time (SIGTERM
saves); the same command goes on.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import corpus_tensors
import labels
from corpus_tensors import average_model
from training import Muon, Run, average, hidden_and_others

from .model import Config, S2Mel
from .train import Batches

BATCH, PROMPT = 6, (60, 260)
STEPS, SMALLER = 4, 2  # of the student, and the teacher's to one of them
GUIDANCE, NOISE = 0.7, 0.1  # of the teacher, and the scale of the noise both start from
RATE = 4e-4


def inputs(model: S2Mel, drawn, generator=None):
    """The flow's first state and what it is given: prompt mel, content, style; and how many frames are known."""
    codes, mel, prompt_content, prompt_mel, style = drawn
    with torch.no_grad():
        content = model.regulator(model.codec(codes), mel.shape[1])
        known, prompt = 0, torch.zeros_like(mel)
        if prompt_content is not None:
            known = prompt_mel.shape[1]
            content = torch.cat([model.regulator(prompt_content, known), content], 1)
            prompt = torch.cat([prompt_mel, prompt], 1)
    x = F.pad(NOISE * torch.randn(mel.shape, generator=generator), (0, 0, known, 0))
    return x, (prompt, content, style), known


@torch.no_grad()
def way(teacher: S2Mel, x, given, known: int, start: float, length: float):
    """Mean velocity of the teacher's guided steps from `x` at `start` over `length`."""
    free, state = [torch.cat([y, torch.zeros_like(y)]) for y in given], x
    for i in range(SMALLER):
        t = torch.full((2 * len(x),), start + length * i / SMALLER)
        wanted, unguided = teacher.estimator(torch.cat([state, state]), *free, t).chunk(2)
        state = state + ((1 + GUIDANCE) * wanted - GUIDANCE * unguided) * length / SMALLER
        state[:, :known] = 0
    return (state - x) / length


def losses(student: S2Mel, teacher: S2Mel, drawn, generator=None):
    """Of each step of the student, one after the other, to be differentiated on the way."""
    x, given, known = inputs(teacher, drawn, generator)
    for i in range(STEPS):
        start, length = i / STEPS, 1 / STEPS
        target = way(teacher, x, given, known, start, length)
        velocity = student.estimator(x, *given, torch.full((len(x),), start))
        yield (velocity - target)[:, known:].square().mean()
        x = x + velocity.detach() * length
        x[:, :known] = 0


@torch.no_grad()
def validate(student: S2Mel, teacher: S2Mel, clips: list) -> float:
    """How far the student's mel is from the teacher's with the same noise, in absolute units; each clip its own prompt."""
    student.eval()
    generator, far = torch.Generator().manual_seed(1), 0.0
    for clip in clips:
        drawn = [torch.from_numpy(clip.codes)[None].long(), torch.from_numpy(clip.on_codes.astype(np.float32))[None]]
        x, given, known = inputs(teacher, [*drawn, None, None, torch.from_numpy(clip.style)[None]], generator)
        teachers, students = x, x
        for i in range(STEPS):
            start, length = i / STEPS, 1 / STEPS
            teachers = teachers + way(teacher, teachers, given, known, start, length) * length
            students = students + student.estimator(students, *given, torch.full((1,), start)) * length
        far += (teachers - students).abs().mean().item()
    student.train()
    return far / len(clips)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=2.0, help="core-hours over all runs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "distill", args.hours)
    config = Config(codes=labels.CODES)
    teacher, model, ema = (average_model(args.data, "s2mel", lambda: S2Mel(config)) for _ in range(3))
    teacher.requires_grad_(False)
    for part in (model.codec, model.regulator):
        part.requires_grad_(False)
    model.train()
    learned = hidden_and_others(model.estimator, (".layers.",))
    learn = Muon(learned, RATE)
    modules = {"model": model, "ema": ema, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    clips, _ = corpus_tensors.build(args.data, {"train", "varied", "eval", "held"})
    sets = {s: [c for c in clips if c.kind == s][:12] for s in ("eval", "held")}
    batches = Batches([c for c in clips if c.kind in ("train", "varied")], f"distill {args.seed} {run.step}", PROMPT)
    torch.manual_seed(args.seed + run.step)
    sums, counted = np.zeros(STEPS), 0
    while run.progress < 1 and not run.stop:
        for group in learn.param_groups:
            group["lr"] = RATE * run.rate(warmup=50)
        drawn = batches.draw(BATCH)
        learn.zero_grad(set_to_none=True)
        values = []
        for loss in losses(model, teacher, drawn):
            (loss / STEPS).backward()
            values.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.estimator.parameters(), 1.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.995)
        sums, counted = sums + values, counted + 1
        if run.step % 20 == 0:
            run.log(**{f"step_{i}": value / counted for i, value in enumerate(sums)})
            sums, counted = np.zeros(STEPS), 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            run.log(**{name: validate(ema, teacher, held) for name, held in sets.items()})
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
