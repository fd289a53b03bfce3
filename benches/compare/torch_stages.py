"""Seconds of each stage in PyTorch; prints a JSON object.

    python torch_stages.py [--threads 2] [--codes 100] [--beams 3] [--steps 25] [--only STAGE ..] [--flops]

Every part runs once before it is timed. With --flops nothing is timed: it prints the operations that PyTorch counts.
"""
import argparse
import json
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import networks


def decode(part: networks.Decoder, steps: int, times: dict) -> None:
    """One prompt, then `steps` codes of all beams."""
    start = time.perf_counter()
    _, keys, values = part.module(torch.randn(1, networks.PREFIX + 1, 1280))
    times["prefill"] = time.perf_counter() - start
    # The caches stay where they are, as lists of a layer's tensors: nothing is stacked between steps.
    caches = [[k.repeat(part.beams, 1, 1, 1), v.repeat(part.beams, 1, 1, 1)] for k, v in zip(keys, values)]
    model = part.module
    start = time.perf_counter()
    for _ in range(steps):
        x = torch.randn(part.beams, 1, 1280)
        for block, cache in zip(model.h, caches):
            x = block(x, 0.0, cache)
        model.mel_head(model.final_norm(model.ln_f(x)))
    times["gpt"] = time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--codes", type=int, default=100)
    parser.add_argument("--beams", type=int, default=3)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--flops", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    found = {}
    with torch.inference_mode():
        for name in args.only or networks.STAGES:
            for part in networks.parts(name, args):
                if args.flops:
                    count(name, part, found)
                elif isinstance(part, networks.Decoder):
                    decode(part, 2, {})
                    decode(part, part.steps, found)
                else:
                    part.module(*part.inputs)
                    start = time.perf_counter()
                    for _ in range(part.times):
                        part.module(*part.inputs)
                    found[name] = found.get(name, 0) + time.perf_counter() - start
                del part
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


def count(name: str, part, found: dict) -> None:
    counter = FlopCounterMode(display=False)
    # Of the other forms of attention it counts nothing on a CPU.
    with counter, sdpa_kernel(SDPBackend.MATH):
        if isinstance(part, networks.Decoder):
            decode(part, part.steps, {})
        else:
            part.module(*part.inputs)
    found[name] = found.get(name, 0) + counter.get_total_flops() * getattr(part, "times", 1)


if __name__ == "__main__":
    main()
