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
from training import Muon, Run, average, hidden_and_others

from . import alignment, text
from .model import Config, Gpt

BATCH, REFERENCE = 16, 150
SILENT, JOINED = 0.75, 0.2  # shares of sentences without sound, of joined ones
GUIDANCE = 1.0  # weight of the attention's loss
FEELING = 0.3  # weight of the emotion vector's own loss
RATE = 1.5e-3  # of learning
SHORT = 45  # characters of the sentences of the first half, in which the way from letters to sounds is found sooner
NEAR = 1  # characters to either side of the one that a code's phone stands at
SPELL, ALL_SPELT = 0.05, 0.08  # shares of the words, and of the sentences, whose letters are shown instead of phones
MISREAD = 0.1  # share of the codes that the model is shown wrong, so that it learns to go on from its own mistakes


def point(speed: float, power: float, shift: float) -> np.ndarray:
    """A manner as three numbers of about unit variance."""
    return np.array([np.log(speed) / 0.15, np.log(power) / 0.35, shift / 2], np.float32)


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
        self.reader = text.Reader(data)
        self.manner = manners(data)
        self.said = labels.corpus(data)
        self.silent = [u for p in sorted((data / "prosody").glob("text_*.npz")) for u in labels.load(p, labels.means(data))]
        self.short = [u for u in self.silent if len(u.text) <= SHORT]
        self.same: dict[str, list] = {}
        for clip in clips:
            self.same.setdefault(clip.voice, []).append(clip)

    def sample(self, short: bool):
        """Text ids, codes, style vector, reference content and manner of a sentence; which characters each code is near."""
        rng = self.rng
        clip = rng.choice(self.clips)
        speed, power, shift = self.manner[clip.id]
        if short or rng.random() < SILENT:
            several = not short and rng.random() < JOINED
            said = [rng.choice(self.short if short else self.silent) for _ in range(1 + several)]
            # A voice's own pace and range vary about the manner of the clip.
            rates = [speed * rng.uniform(0.93, 1.07) for _ in said]
            parts = [u.codes(r, power, shift) for u, r in zip(said, rates)]
        else:
            said, rates, parts = [self.said[clip.id]], [1.0], [clip.codes]
        codes = np.concatenate(parts)
        spelt = rng.random() < ALL_SPELT
        texts = [self.reader.prepared(u.text, lambda _: spelt or rng.random() < SPELL) for u in said]
        ids = self.reader.pieces.encode(" ".join(texts))
        start = rng.randint(0, max(0, len(clip.content) - REFERENCE))
        return ids, codes, clip.style, clip.content[start:start + REFERENCE], point(speed, power, shift), near(said, texts, rates, parts, len(ids))

    def draw(self, short: bool):
        rows = [self.sample(short) for _ in range(4 * BATCH)]
        rows = [r for r in rows if len(r[1]) < 600 and len(r[0]) < 230]
        rows.sort(key=lambda r: len(r[0]) + len(r[1]))
        start = self.rng.randrange(len(rows) - BATCH + 1)
        return rows[start:start + BATCH]


def near(said, texts, rates, parts, count: int) -> np.ndarray:
    """Whether each of `count` characters is near the one that each code (and the stop) stands for: [codes + 1, count]."""
    places, before = [], 1  # a space comes first
    for utterance, text, rate, codes in zip(said, texts, rates, parts):
        letters = alignment.letters(text, utterance.phones)
        places.append(before + letters[utterance.align(len(codes), rate)])
        before += len(text) + 1
    at = np.concatenate([*places, [count - 1]])
    return abs(np.arange(count)[None] - at[:, None]) <= NEAR


def misread(codes: torch.Tensor) -> torch.Tensor:
    """The codes with some of them replaced by others of the same sentence."""
    wrong = torch.rand(len(codes)) < MISREAD
    return torch.where(wrong, codes[torch.randint(len(codes), (len(codes),))], codes)


def forward(model: Gpt, head: torch.nn.Module | None, rows: list):
    """Loss per code, share of right codes, how little the guided heads look at the text where it is spoken, and how far the
    manner that `head` reads from the emotion vector is off."""
    c = model.config
    longest = max(len(r[3]) for r in rows)
    reference = np.stack([np.pad(r[3], ((0, longest - len(r[3])), (0, 0)), mode="wrap") for r in rows]).astype(np.float32)
    emotion = model.emotion(torch.from_numpy(reference))
    xs, targets = [], []
    for (ids, codes, style, *_), feeling in zip(rows, emotion):
        codes = torch.from_numpy(np.asarray(codes)).long()
        before = model.prefix(torch.from_numpy(style), feeling, torch.tensor(ids))
        shown = misread(codes) if model.training else codes
        xs.append(torch.cat([before, model.code_rows(shown)], 1)[0])
        targets.append(torch.cat([torch.full((before.shape[1],), -1), codes, torch.tensor([c.stop])]))
    x = torch.nn.utils.rnn.pad_sequence(xs, batch_first=True)
    target = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=-1)
    watched = []
    logits = model.logits(x, watched=watched if model.training else None)
    loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-1)
    known = target >= 0
    guess = logits.argmax(2)
    off = torch.zeros(())
    if head is not None:
        off = (head(emotion) - torch.from_numpy(np.stack([r[4] for r in rows]))).square().mean()
    return loss, (guess == target)[known].float().mean(), lost(watched, rows), off


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
def validate(model: Gpt, reader: text.Reader, clips: list) -> tuple[float, float]:
    """Loss on sentences never seen; phone error rate of what it says for them."""
    model.eval()
    rows = [(reader.ids(c.text), c.codes, c.style, c.content[:REFERENCE], None, None) for c in clips]
    loss = np.mean([forward(model, None, [r])[0].item() for r in rows])
    wrong = total = 0
    generator = torch.Generator().manual_seed(1)
    for ids, codes, style, content, *_ in rows[:16]:
        feeling = model.emotion(torch.from_numpy(content.astype(np.float32))[None])[0]
        said = model.generate(torch.from_numpy(style), feeling, torch.tensor(ids), generator=generator, limit=2 * len(codes) + 50)
        wrong, total = wrong + distance(phones(said), phones(codes)), total + len(phones(codes))
    model.train()
    return float(loss), wrong / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=5.0, help="core-hours over all runs")
    parser.add_argument("--rate", type=float, default=RATE, help="of learning")
    parser.add_argument("--short", type=float, default=0.5, help="share of the budget for short sentences, at first")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / "gpt", args.hours)
    config = Config(codes=labels.CODES)
    model, ema = Gpt(config), Gpt(config)
    ema.load_state_dict(model.state_dict())
    # Training only. Without it the emotion vector is slow to say anything, and what nobody listens to decays to a constant.
    head = torch.nn.Linear(config.width, 3)
    hidden, others = hidden_and_others(model, (".attn.", ".mlp."))
    feeling = {id(p) for n, p in model.named_parameters() if n.startswith("emo")}
    emotion = {"params": [p for p in others["params"] if id(p) in feeling] + list(head.parameters()), "weight_decay": 0.0}
    others["params"] = [p for p in others["params"] if id(p) not in feeling]
    learn = Muon([hidden, others, emotion], args.rate, weight_decay=0.05)
    modules = {"model": model, "ema": ema, "head": head, "learn": learn}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            if name in state:
                module.load_state_dict(state[name])
    clips, _ = corpus_tensors.build(args.data, {"train", "varied", "eval", "held"})
    seen, held = ([c for c in clips if c.kind == s] for s in ("eval", "held"))
    batches = Batches(args.data, [c for c in clips if c.kind in ("train", "varied")], f"{args.seed} {run.step}")
    torch.manual_seed(args.seed + run.step)
    sums, counted = np.zeros(4), 0
    while run.progress < 1 and not run.stop:
        for group in learn.param_groups:
            group["lr"] = args.rate * run.rate(warmup=200)
        loss, right, away, off = forward(model, head, batches.draw(run.progress < args.short))
        learn.zero_grad()
        (loss + GUIDANCE * away + FEELING * off).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learn.step()
        run.step += 1
        average(ema, model, run.step, 0.999)
        sums, counted = sums + [loss.item(), right.item(), away.item(), off.item()], counted + 1
        if run.step % 50 == 0:
            names = ("loss", "right", "away", "manner_off")
            run.log(**dict(zip(names, sums / counted)), sentences=len(batches.silent))
            sums, counted = np.zeros(4), 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            a, b = validate(ema, batches.reader, seen), validate(ema, batches.reader, held)
            run.log(seen=a[0], seen_phones=a[1], held=b[0], held_phones=b[1])
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
