"""Trains the semantic encoder: phone and pitch of every frame.

    python -m encoder.train --data DIR [--hours 1]

The budget is in core-hours over all runs. Stop it at any time (SIGTERM saves); the same command goes on.
"""
import argparse
import random
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import features
import labels
from audio import Corpus
from training import Run, average

from .model import Config, Encoder, Heads

FRAMES, BATCH = 150, 16


def targets(clips: list, content: dict, utterances: dict, means: dict) -> list:
    """(features, phone, [relative pitch, absolute log pitch, voiced]) of each clip, 50 a second."""
    rows = []
    for clip in clips:
        x, said = content[clip["id"]], utterances[clip["id"]]
        times = 0.0175 + 0.02 * np.arange(len(x))
        semitones = said.pitch_at(times)
        voiced = ~np.isnan(semitones)
        mix = clip.get("mix") or {clip["voice"]: 1.0}
        mean = sum(w * means[v] for v, w in mix.items()) if all(v in means for v in mix) else np.log(170)
        relative = np.nan_to_num(semitones)
        pitch = np.stack([relative / 4, ((relative * np.log(2) / 12 + mean) - np.log(170)) * 2, voiced], 1)
        rows.append((x, said.at(times), pitch.astype(np.float32)))
    return rows


def batch(rng: random.Random, rows: list):
    xs, phones, pitches = np.zeros((BATCH, FRAMES, 160), np.float32), np.full((BATCH, FRAMES), -1), np.zeros((BATCH, FRAMES, 3), np.float32)
    for i in range(BATCH):
        x, phone, pitch = rng.choice(rows)
        start = rng.randint(0, max(0, len(x) - FRAMES))
        n = min(FRAMES, len(x) - start)
        xs[i, :n], phones[i, :n], pitches[i, :n] = x[start:start + n], phone[start:start + n], pitch[start:start + n]
        # Bands and moments that are hidden, a tilt and some noise: voices and rooms that the corpus does not have.
        low, wide = rng.randrange(80), rng.randint(0, 10)
        xs[i, :, low:low + wide] = xs[i, :, 80 + low:80 + min(80 - low, wide) + low] = 0
        at = rng.randrange(FRAMES)
        xs[i, at:at + rng.randint(0, 8)] = 0
        tilt = np.linspace(-1, 1, 80, dtype=np.float32) * rng.gauss(0, 0.15)
        xs[i, :n] += np.concatenate([tilt, tilt]) + np.float32(rng.uniform(0, 0.25)) * np.random.default_rng(rng.getrandbits(32)).standard_normal((n, 160), np.float32)
    return torch.from_numpy(xs), torch.from_numpy(phones), torch.from_numpy(pitches)


def losses(heads: Heads, hidden, phone, pitch, smoothing=0.0):
    logits, values = heads(hidden)
    known = (phone >= 0).float()
    voiced = pitch[..., 2] * known
    spoken = F.cross_entropy(logits.flatten(0, 1), phone.flatten(), ignore_index=-1, label_smoothing=smoothing)
    error = ((values[..., :2] - pitch[..., :2]).abs() * voiced[..., None]).sum() / (voiced.sum() + 1)
    voicing = (F.binary_cross_entropy_with_logits(values[..., 2], pitch[..., 2], reduction="none") * known).sum() / known.sum()
    return spoken, error, voicing, logits


@torch.no_grad()
def validate(model: Encoder, heads: Heads, rows: list) -> tuple[float, float]:
    """Share of the frames with the right phone; mean error of the relative pitch, semitones."""
    right = frames = 0
    error = voiced = 0.0
    for x, phone, pitch in rows:
        logits, values = heads(model(torch.from_numpy(x.astype(np.float32))[None]))
        right += (logits[0].argmax(-1).numpy() == phone).sum()
        frames += len(phone)
        error += (np.abs(values[0, :, 0].numpy() - pitch[:, 0]) * pitch[:, 2]).sum() * 4
        voiced += pitch[:, 2].sum()
    return float(right / frames), float(error / voiced)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=1.0, help="core-hours over all runs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "encoder", args.hours)
    config = Config()
    model, heads, ema = Encoder(config), Heads(config), Encoder(config)
    ema_heads = Heads(config)
    ema.load_state_dict(model.state_dict())
    ema_heads.load_state_dict(heads.state_dict())
    parameters = [*model.parameters(), *heads.parameters()]
    learn = torch.optim.AdamW(parameters, 2e-3, betas=(0.9, 0.98), weight_decay=0.05)
    modules = {"model": model, "heads": heads, "ema": ema, "ema_heads": ema_heads, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    rng = random.Random(f"{args.seed} {run.step}")
    corpus = Corpus(args.data, {"train", "varied", "eval", "held"})
    corpus.scan()
    utterances, means = labels.corpus(args.data), labels.means(args.data)
    corpus.clips = [c for c in corpus.clips if c["id"] in utterances]
    content, _ = features.cache(corpus, args.data / "features")
    sets = {s: targets([c for c in corpus.clips if c["set"] in s.split()], content, utterances, means) for s in ("train varied", "eval", "held")}
    sums, counted = np.zeros(3), 0
    while run.progress < 1 and not run.stop:
        for group in learn.param_groups:
            group["lr"] = 2e-3 * run.rate()
        x, phone, pitch = batch(rng, sets["train varied"])
        *parts, _ = losses(heads, model(x), phone, pitch, smoothing=0.05)
        learn.zero_grad()
        sum(parts).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.998)
        average(ema_heads, heads, run.step, 0.998)
        sums, counted = sums + [p.item() for p in parts], counted + 1
        if run.step % 50 == 0:
            run.log(**dict(zip(("phone", "pitch", "voicing"), (sums / counted).tolist())), clips=len(sets["train varied"]))
            sums, counted = np.zeros(3), 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            seen, held = (validate(ema, ema_heads, sets[s]) for s in ("eval", "held"))
            run.log(seen=seen[0], seen_pitch=seen[1], held=held[0], held_pitch=held[1])
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
