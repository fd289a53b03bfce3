"""Checks of the vocoder's parts: the fused activation against torch, the mel against its definition, the official names.

    python -m vocoder.check [--keys bigvgan.json]
"""
import argparse
import json
import re
import time
from pathlib import Path

import torch

import audio

from .model import Config, Generator
from .snake import Fused, composed


def activation() -> None:
    torch.manual_seed(0)
    for n in (8, 32, 33, 200):
        x = torch.randn(3, 4, n, requires_grad=True)
        alpha, beta = (torch.randn(4, requires_grad=True) for _ in range(2))
        grad = torch.randn(3, 4, n)
        ours, theirs = Fused.apply(x, alpha, beta), composed(*(t.double() for t in (x, alpha, beta)))
        pairs = [(ours, theirs), *zip(torch.autograd.grad(ours, [x, alpha, beta], grad),
                                      torch.autograd.grad(theirs, [x, alpha, beta], grad.double()))]
        worst = max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)
        assert worst < 1e-5, (n, worst)
        print(f"activation, length {n}: relative error {worst:.1e}")
    x = torch.randn(8, 16, 8192, requires_grad=True)
    alpha, beta = torch.zeros(16, requires_grad=True), torch.zeros(16, requires_grad=True)
    for name, operation in (("fused", Fused.apply), ("composed", composed)):
        operation(x, alpha, beta).sum().backward()
        start = time.process_time()
        operation(x, alpha, beta).sum().backward()
        print(f"activation, {name}: {time.process_time() - start:.3f} core-s")


def mels() -> None:
    samples = torch.randn(1, 40 * 256) * 0.1
    whole, inside = audio.mel(samples), audio.mel_of_frames(samples[:, 5 * 256 - 384:15 * 256 + 384])
    assert whole.shape == (1, 80, 40), whole.shape
    assert (whole[..., 5:15] - inside).abs().max() < 1e-4
    print("mel: crops equal whole clips")


def names(path: Path | None) -> None:
    made = Generator(Config()).official()
    shape = {k: len(v.shape) for k, v in made.items()}
    assert made["ups.0.0.weight_g"].shape == (256, 1, 1)
    if path:
        def pattern(key):
            return re.sub(r"\d+", "#", key)

        wanted = {pattern(k): len(v) - 1 for k, v in json.loads(path.read_text()).items()}
        assert {pattern(k): n for k, n in shape.items()} == wanted
    print(f"names: {len(made)} tensors, {sum(p.numel() for p in Generator(Config()).parameters())} parameters")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=Path)
    torch.set_num_threads(1)
    args = parser.parse_args()
    activation()
    mels()
    names(args.keys)
