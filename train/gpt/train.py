"""Trains the GPT: from text, style and emotion to codes.

    python -m gpt.train --data DIR [--hours 5]

Most sentences have no sound: their codes come from Kokoro's durations and pitch, sped up, stretched and bent like the
clip that serves as their reference, so that the emotion vector learns what such a clip has in common with its sentence.
The budget is in core-hours over all runs. Stop it at any time (SIGTERM saves); the same command goes on.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import corpus_tensors
import labels
from training import Run, average

from . import text
from .model import Config, Gpt

BATCH, REFERENCE = 16, 150
SILENT, JOINED, DROPOUT = 0.75, 0.2, 0.1  # shares of sentences without sound, of joined ones, of split pieces
GUIDANCE = 0.2  # weight of the attention's loss
NEAR = 10  # characters to either side of where a code's phone should be in the text


def manners(data: Path) -> dict[str, tuple[float, float, float]]:
    """Speed, pitch power and shift (semitones) of every clip, relative to its plain voice."""
    means, out = labels.means(data), {}
    for index in (data / "corpus").glob("*.jsonl"):
        for line in index.open():
            clip = json.loads(line)
            power, shift = clip.get("power", 1.0), 0.0
            if "mix" in clip:
                mean = sum(w * means[v] for v, w in clip["mix"].items())
                shift = (np.log(clip["factor"]) - (1 - power) * mean) * 12 / np.log(2)
            out[clip["id"]] = (clip["speed"], power, float(shift))
    return out


class Batches:
    def __init__(self, data: Path, clips: list, seed: str):
        self.rng, self.clips = random.Random(seed), clips
        self.pieces = text.load(data)
        self.manner = manners(data)
        self.said = labels.corpus(data)
        self.silent = [u for p in sorted((data / "prosody").glob("text_*.npz")) for u in labels.load(p, labels.means(data))]
        self.same: dict[str, list] = {}
        for clip in clips:
            self.same.setdefault(clip.voice, []).append(clip)

    def sample(self):
        """Text ids, codes, style vector, reference content of one sentence, and which pieces each code is near."""
        rng = self.rng
        clip = rng.choice(self.clips)
        speed, power, shift = self.manner[clip.id]
        if self.silent and rng.random() < SILENT:
            said = [rng.choice(self.silent) for _ in range(2 if rng.random() < JOINED else 1)]
            # A voice's own pace and range vary about the manner of the clip.
            rates = [speed * rng.uniform(0.93, 1.07) for _ in said]
            parts = [u.codes(r, power, shift) for u, r in zip(said, rates)]
        else:
            said, rates, parts = [self.said[clip.id]], [1.0], [clip.codes]
        words, codes = " ".join(u.text for u in said), np.concatenate(parts)
        ids = self.pieces.encode(text.prepared(words), enable_sampling=rng.random() < 0.5, alpha=DROPOUT, nbest_size=-1)
        start = rng.randint(0, max(0, len(clip.content) - REFERENCE))
        return ids, codes, clip.style, clip.content[start:start + REFERENCE], self.near(ids, said, rates, parts)

    def near(self, ids, said, rates, parts) -> np.ndarray:
        """Whether each piece is within NEAR characters of what each code (and the stop) stands for: [codes + 1, pieces].

        Phones are spread evenly over the characters of their sentence, which is true to a word or two."""
        ends = np.cumsum([len(self.pieces.id_to_piece(i)) for i in ids])
        places, before = [], 0
        total = sum(len(u.text) + 1 for u in said)
        for utterance, rate, codes in zip(said, rates, parts):
            places.append((before + utterance.places(len(codes), rate) * len(utterance.text)) / total)
            before += len(utterance.text) + 1
        at = np.concatenate([*places, [1.0]])[:, None] * ends[-1]
        return (ends[None] > at - NEAR) & (np.concatenate(([0], ends[:-1]))[None] < at + NEAR)

    def draw(self):
        rows = [self.sample() for _ in range(4 * BATCH)]
        rows = [r for r in rows if len(r[1]) < 600 and len(r[0]) < 230]
        rows.sort(key=lambda r: len(r[0]) + len(r[1]))
        start = self.rng.randrange(len(rows) - BATCH + 1)
        return rows[start:start + BATCH]


def forward(model: Gpt, rows: list):
    """Loss per code, share of right codes, and how little the guided heads look at the text where it is spoken."""
    c = model.config
    longest = max(len(r[3]) for r in rows)
    reference = np.stack([np.pad(r[3], ((0, longest - len(r[3])), (0, 0)), mode="wrap") for r in rows]).astype(np.float32)
    emotion = model.emotion(torch.from_numpy(reference))
    xs, targets = [], []
    for (ids, codes, style, *_), feeling in zip(rows, emotion):
        codes = torch.from_numpy(np.asarray(codes)).long()
        before = model.prefix(torch.from_numpy(style), feeling, torch.tensor(ids))
        xs.append(torch.cat([before, model.code_rows(codes)], 1)[0])
        targets.append(torch.cat([torch.full((before.shape[1],), -1), codes, torch.tensor([c.stop])]))
    x = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True)
    target = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=-1)
    watched = []
    logits = model.logits(x, watched=watched if model.training else None)
    loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-1)
    known = target >= 0
    guess = logits.argmax(2)
    return loss, (guess == target)[known].float().mean(), lost(watched, rows)


def lost(watched: list, rows: list) -> torch.Tensor:
    """Minus the logarithm of the attention's share that lies near the spoken text."""
    losses = []
    for i, (ids, codes, *_, near) in enumerate(rows if watched else []):
        text, start = 4, len(ids) + 5  # behind speaker, two empty rows and the start of the text; behind its stop
        near = torch.from_numpy(near)
        for attention in watched:
            here = attention[i, :, start:start + len(codes) + 1, text:text + len(ids)]
            losses.append(-((here * near).sum(2) + 1e-3).log().mean())
    return torch.stack(losses).mean() if losses else torch.zeros(())


def phones(codes) -> list[int]:
    """Phones of a code sequence, repetitions and silence left out."""
    found = labels.phone_of(np.asarray(codes, int))
    kept = [int(b) for a, b in zip([-1, *found[:-1]], found) if a != b]
    return [p for p in kept if p != 0]


def distance(a: list, b: list) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


@torch.no_grad()
def validate(model: Gpt, pieces, clips: list) -> tuple[float, float]:
    """Loss on sentences never seen; phone error rate of what it says for them."""
    model.eval()
    rows = [(pieces.encode(text.prepared(c.text)), c.codes, c.style, c.content[:REFERENCE], None) for c in clips]
    loss = np.mean([forward(model, [r])[0].item() for r in rows])
    wrong = total = 0
    generator = torch.Generator().manual_seed(1)
    for ids, codes, style, content, _ in rows[:16]:
        feeling = model.emotion(torch.from_numpy(content.astype(np.float32))[None])[0]
        said = model.generate(torch.from_numpy(style), feeling, torch.tensor(ids), generator=generator, limit=2 * len(codes) + 50)
        wrong, total = wrong + distance(phones(said), phones(codes)), total + len(phones(codes))
    model.train()
    return float(loss), wrong / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=5.0, help="core-hours over all runs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "gpt", args.hours)
    config = Config(codes=labels.CODES)
    model, ema = Gpt(config), Gpt(config)
    ema.load_state_dict(model.state_dict())
    learn = torch.optim.AdamW(model.parameters(), 1.5e-3, betas=(0.9, 0.98), weight_decay=0.05)
    modules = {"model": model, "ema": ema, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    clips, _ = corpus_tensors.build(args.data, {"train", "varied", "eval", "held"})
    seen, held = ([c for c in clips if c.kind == s] for s in ("eval", "held"))
    batches = Batches(args.data, [c for c in clips if c.kind in ("train", "varied")], f"{args.seed} {run.step}")
    torch.manual_seed(args.seed + run.step)
    sums, counted = np.zeros(3), 0
    while run.progress < 1 and not run.stop:
        for group in learn.param_groups:
            group["lr"] = 1.5e-3 * run.rate(warmup=200)
        loss, right, away = forward(model, batches.draw())
        learn.zero_grad()
        (loss + GUIDANCE * away).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.999)
        sums, counted = sums + [loss.item(), right.item(), away.item()], counted + 1
        if run.step % 50 == 0:
            run.log(loss=sums[0] / counted, right=sums[1] / counted, away=sums[2] / counted, sentences=len(batches.silent))
            sums, counted = np.zeros(3), 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            a, b = validate(ema, batches.pieces, seen), validate(ema, batches.pieces, held)
            run.log(seen=a[0], seen_phones=a[1], held=b[0], held_phones=b[1])
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
