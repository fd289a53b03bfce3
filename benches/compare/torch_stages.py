"""Seconds of each stage in PyTorch: the layers of IndexTTS-2 at real size with random weights, as the reference runs them.

    python torch_stages.py [--threads 2] [--codes 100] [--beams 3] [--steps 25] [--only STAGE ...]

The networks are those of train/, which have the official shapes; activations are composed of PyTorch's own operations.
Prints a JSON object.
"""
import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "train"))
warnings.filterwarnings("ignore")

import campplus.model  # noqa: E402
import encoder.model  # noqa: E402
import gpt.model  # noqa: E402
import s2mel.model  # noqa: E402
import vocoder.model  # noqa: E402
import vocoder.snake  # noqa: E402

CLIP = 249  # w2v-bert frames of a 5 s clip
PROMPT, RATE = 431, 1.72
TEXT = 12


class Composed(nn.Module):
    """The vocoder's activation in PyTorch's own operations."""

    def __init__(self, channels):
        super().__init__()
        self.act = vocoder.snake.Parameters(channels)

    def forward(self, x):
        return vocoder.snake.composed(x, self.act.alpha, self.act.beta)


def plain(module: nn.Module) -> nn.Module:
    """Without weight norm, as it is deployed."""
    for part in module.modules():
        for hook in [k for k, h in part._forward_pre_hooks.items() if isinstance(h, nn.utils.weight_norm.__globals__["WeightNorm"])]:
            nn.utils.remove_weight_norm(part)
    return module.eval()


def conditioning(heads, inner, layers, latents, latent, latent_heads):
    c = gpt.model.Config(codes=8192, content=1024, style=192, emotion=512, emotion_inner=inner, emotion_heads=heads,
                         emotion_layers=layers, latent=latent, latent_heads=latent_heads, latent_head=64)
    conformer, perceiver = gpt.model.Conformer(c), gpt.model.Perceiver(c)
    perceiver.latents = nn.Parameter(torch.randn(latents, latent))
    return lambda x: perceiver(conformer(x))


def voice():
    content = encoder.model.Encoder(encoder.model.Config(width=1024, heads=16, layers=17, inner=4096)).eval()
    style = campplus.model.CamPlus(campplus.model.Config(32, (2, 2), 128, 32, 128, 64, (12, 24, 16), 192)).eval()
    codec = s2mel.model.Backbone(s2mel.model.Config(content=1024, codes=8192, vocos=384, vocos_inner=2048, vocos_layers=12)).eval()
    speaker, emotion = conditioning(8, 2048, 6, 32, 1280, 8), conditioning(4, 1024, 4, 1, 1024, 4)
    features, fbank = torch.randn(1, CLIP, 160), torch.randn(1, 2 * CLIP, 80)

    def run(_):
        x = content(features)
        y = content(features)  # the emotion route
        codec(x.transpose(1, 2)), style(fbank), speaker(x), emotion(x), emotion(y)
    return run


def speech(codes, beams):
    model = gpt.model.Gpt(gpt.model.Config(codes=8192, text=12000, width=1280, layers=24, heads=20, max_codes=1815, content=32,
                                           emotion=8, emotion_heads=2)).eval()

    def run(_):
        caches = [[] for _ in model.gpt.h]
        model.logits(torch.randn(1, 34 + TEXT + 3, 1280), caches)
        for cache in caches:
            cache[:] = [x.repeat(beams, 1, 1, 1) for x in cache]
        for _ in range(codes - 1):
            model.logits(torch.randn(beams, 1, 1280), caches)
    return run


def mel(codes, steps):
    c = s2mel.model.Config(content=1024, style=192, codes=8192, channels=512, width=512, heads=8, layers=13, wavenet=8)
    model = plain(s2mel.model.Estimator(c))
    frames = PROMPT + int(codes * RATE)

    def run(_):
        for _ in range(steps):
            model(torch.randn(2, frames, 80), torch.randn(2, frames, 80), torch.randn(2, frames, 512), torch.randn(2, 192), torch.rand(2))
    return run


def wave(codes):
    vocoder.model.Snake = Composed
    model = plain(vocoder.model.Generator(vocoder.model.Config(channels=1536, kernels=(3, 7, 11), dilations=(1, 3, 5))))
    return lambda _: model(torch.randn(1, 80, int(codes * RATE)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--codes", type=int, default=100)
    parser.add_argument("--beams", type=int, default=3)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    makers = {"voice": voice, "gpt": lambda: speech(args.codes, args.beams), "mel": lambda: mel(args.codes, args.steps), "wave": lambda: wave(args.codes)}
    seconds = {}
    with torch.inference_mode():
        for name, make in makers.items():
            if args.only and name not in args.only:
                continue
            run = make()
            start = time.perf_counter()
            run(None)
            seconds[name] = round(time.perf_counter() - start, 3)
            del run
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
