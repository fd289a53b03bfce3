"""The networks of IndexTTS-2 in PyTorch at real size with random weights, stage by stage, as the reference runs them.

The layers are those of train/, which have the official shapes; activations are composed of PyTorch's own operations. Stages
have the names that `indextts bench` prints. Each is a list of parts: a module, its inputs, and how often it runs.
"""
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

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
PREFIX = 34 + TEXT + 2  # rows before the start code


@dataclass
class Part:
    module: nn.Module
    inputs: tuple
    times: int = 1


@dataclass
class Decoder:
    """The GPT with its cache: one step after another."""
    module: nn.Module
    beams: int
    steps: int


class Composed(nn.Module):
    """The vocoder's activation in PyTorch's own operations."""

    def __init__(self, channels):
        super().__init__()
        self.act, self.channels = vocoder.snake.Parameters(channels), channels
        # A weight of its own: exporters want to know its shape.
        self.register_buffer("taps", vocoder.snake.FILTER[None, None].repeat(channels, 1, 1))

    def forward(self, x):
        y = F.conv_transpose1d(F.pad(x, (5, 5), mode="replicate"), 2 * self.taps, stride=2, groups=self.channels)[..., 15:-15]
        y = y + torch.sin(y * self.act.alpha.exp()[:, None]) ** 2 / (self.act.beta.exp()[:, None] + 1e-9)
        return F.conv1d(F.pad(y, (5, 6), mode="replicate"), self.taps, stride=2, groups=self.channels)


class Codec(nn.Module):
    """To the nearest rows of the codebook, and what they stand for."""

    def __init__(self):
        super().__init__()
        c = s2mel.model.Config(content=1024, codes=8192, vocos=384, vocos_inner=2048, vocos_layers=12)
        self.backbone, self.out = s2mel.model.Backbone(c), nn.Linear(384, 1024)
        self.narrow, self.wide = nn.Linear(1024, 8), nn.Linear(8, 1024)
        self.codebook = nn.Parameter(torch.randn(8192, 8))

    def forward(self, x):
        y = F.normalize(self.narrow(self.out(self.backbone(x.transpose(1, 2)))), dim=2)
        codes = (y @ F.normalize(self.codebook, dim=1).T).argmax(2)
        return self.wide(self.codebook[codes])


class Regulator(nn.Module):
    def __init__(self, frames):
        super().__init__()
        self.inner, self.frames = s2mel.model.Regulator(s2mel.model.Config(content=1024, channels=512)), frames

    def forward(self, x):
        return self.inner(x, self.frames)


class Condition(nn.Module):
    """Conformer and perceiver."""

    def __init__(self, heads, inner, layers, latents, latent, latent_heads, project=False):
        super().__init__()
        c = gpt.model.Config(codes=8192, content=1024, style=192, emotion=512, emotion_inner=inner, emotion_heads=heads,
                             emotion_layers=layers, latent=latent, latent_heads=latent_heads, latent_head=64, positions=5000)
        self.conformer, self.perceiver = gpt.model.Conformer(c), gpt.model.Perceiver(c)
        self.perceiver.latents = nn.Parameter(torch.randn(latents, latent))
        self.project = nn.Sequential(nn.Linear(latent, 1280), nn.Linear(1280, 1280)) if project else nn.Identity()

    def forward(self, x):
        return self.project(self.perceiver(self.conformer(x)))


class Gpt(nn.Module):
    """Blocks, norms and head, with caches as tensors `[layers, beams, heads, time, 64]`."""

    def __init__(self):
        super().__init__()
        whole = gpt.model.Gpt(gpt.model.Config(codes=8192, text=12000, width=1280, layers=24, heads=20, max_codes=1815, content=32,
                                               emotion=8, emotion_heads=2), drop=0)
        self.h, self.ln_f, self.final_norm, self.mel_head = whole.gpt.h, whole.gpt.ln_f, whole.final_norm, whole.mel_head

    def forward(self, x, keys=None, values=None):
        kept = [[] if keys is None else [keys[i], values[i]] for i in range(len(self.h))]
        for block, cache in zip(self.h, kept):
            x = block(x, 0.0, cache)
        logits = self.mel_head(self.final_norm(self.ln_f(x[:, -1:])))
        return logits, torch.stack([k for k, _ in kept]), torch.stack([v for _, v in kept])


class Latents(nn.Module):
    """States of the codes, projected to content features and regulated."""

    def __init__(self, model: Gpt, codes):
        super().__init__()
        self.model, self.codes = model, codes
        self.projection = nn.Sequential(nn.Linear(1280, 256), nn.Linear(256, 128), nn.Linear(128, 1024))
        self.regulator = Regulator(int(codes * RATE))

    def forward(self, x):
        for block in self.model.h:
            x = block(x, 0.0)
        x = self.model.final_norm(self.model.ln_f(x[:, -self.codes:]))
        return self.regulator(self.projection(x))


def plain(module: nn.Module) -> nn.Module:
    """Without weight norm, as it is deployed."""
    for part in module.modules():
        for hook in [k for k, h in part._forward_pre_hooks.items() if isinstance(h, nn.utils.weight_norm.__globals__["WeightNorm"])]:
            nn.utils.remove_weight_norm(part)
    return module.eval()


def w2v_bert(_):
    content = encoder.model.Encoder(encoder.model.Config(width=1024, heads=16, layers=17, inner=4096))
    return [Part(content, (torch.randn(1, CLIP, 160),), 2)]  # speaker and emotion route


def style(_):
    model = campplus.model.CamPlus(campplus.model.Config(32, (2, 2), 128, 32, 128, 64, (12, 24, 16), 192))
    return [Part(model, (torch.randn(1, 2 * CLIP, 80),))]


def latents(_):
    x = torch.randn(1, CLIP, 1024)
    return [Part(Condition(8, 2048, 6, 32, 1280, 8), (x,)), Part(Condition(4, 1024, 4, 1, 1024, 4, True), (x,), 2)]


def prompt(_):
    x = torch.randn(1, CLIP, 1024)
    return [Part(Codec(), (x,)), Part(Regulator(PROMPT), (x,))]


def decoder(args):
    return [Decoder(Gpt(), args.beams, args.codes)]


def content(args):
    return [Part(Latents(Gpt(), args.codes), (torch.randn(1, PREFIX + args.codes, 1280),))]


def mel(args):
    c = s2mel.model.Config(content=1024, style=192, codes=8192, channels=512, width=512, heads=8, layers=13, wavenet=8)
    frames = PROMPT + int(args.codes * RATE)
    inputs = (torch.randn(2, frames, 80), torch.randn(2, frames, 80), torch.randn(2, frames, 512), torch.randn(2, 192), torch.rand(2))
    return [Part(s2mel.model.Estimator(c), inputs, args.steps)]


def wave(args):
    vocoder.model.Snake = Composed
    model = vocoder.model.Generator(vocoder.model.Config(channels=1536, kernels=(3, 7, 11), dilations=(1, 3, 5)))
    return [Part(model, (torch.randn(1, 80, int(args.codes * RATE)),))]


# `gpt` stands for `prefill` too.
STAGES = {"w2v-bert": w2v_bert, "style": style, "latents": latents, "prompt": prompt, "gpt": decoder, "content": content, "mel": mel, "wave": wave}


def parts(name: str, args) -> list:
    made = STAGES[name](args)
    for part in made:
        plain(part.module)
    return made
