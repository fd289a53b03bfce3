"""Codec decoder, length regulator and flow-matching DiT at nano size, with the names of the 2.5 checkpoints."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import weight_norm

MELS = 80


@dataclass
class Config:
    content: int = 128  # of the semantic encoder
    style: int = 96  # of CAMPPlus
    codes: int = 0
    code_dim: int = 8
    vocos: int = 192
    vocos_inner: int = 768
    vocos_layers: int = 4
    channels: int = 144
    width: int = 144
    heads: int = 4
    layers: int = 7
    wavenet: int = 3
    kernel: int = 5

    @property
    def inner(self) -> int:
        """As the official code sizes it: two thirds of four times the width, rounded up to a multiple of 256."""
        return -(-int(8 * self.width / 3) // 256) * 256


class ConvNext(nn.Module):
    def __init__(self, width, inner, layers):
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.gamma = nn.Parameter(torch.full((width,), 1 / layers))

    def forward(self, x):
        y = self.norm(self.dwconv(x).transpose(1, 2))
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).transpose(1, 2)


class Backbone(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.embed = nn.Conv1d(c.content, c.vocos, 7, padding=3)
        self.norm = nn.LayerNorm(c.vocos, eps=1e-6)
        self.convnext = nn.ModuleList([ConvNext(c.vocos, c.vocos_inner, c.vocos_layers) for _ in range(c.vocos_layers)])
        self.final_layer_norm = nn.LayerNorm(c.vocos, eps=1e-6)

    def forward(self, x):
        x = self.norm(self.embed(x).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class Codec(nn.Module):
    """Codes [batch, time] (25 Hz) to content features [batch, 2 time, content]."""

    def __init__(self, c: Config):
        super().__init__()
        row = nn.Module()
        row.codebook = nn.Embedding(c.codes, c.code_dim)
        row.out_project = weight_norm(nn.Conv1d(c.code_dim, c.content, 1))
        self.quantizer = nn.Module()
        self.quantizer.quantizers = nn.ModuleList([row])
        self.decoder = nn.ModuleList([Backbone(c), nn.Linear(c.vocos, c.content)])
        self.up = nn.Conv1d(c.content, c.content, 3, padding=1)

    def forward(self, codes):
        row = self.quantizer.quantizers[0]
        x = row.out_project(row.codebook(codes).transpose(1, 2))
        x = self.decoder[1](self.decoder[0](x)).transpose(1, 2)
        return self.up(x.repeat_interleave(2, 2)).transpose(1, 2)


class Regulator(nn.Module):
    """Content [batch, time, content] to [batch, frames, channels]."""

    def __init__(self, c: Config):
        super().__init__()
        self.content_in_proj = nn.Linear(c.content, c.channels)
        layers = []
        for _ in range(4):
            layers += [nn.Conv1d(c.channels, c.channels, 3, padding=1), nn.GroupNorm(1, c.channels), nn.Mish()]
        self.model = nn.Sequential(*layers, nn.Conv1d(c.channels, c.channels, 1))

    def forward(self, content, frames):
        x = self.content_in_proj(content).transpose(1, 2)
        return self.model(F.interpolate(x, size=frames, mode="nearest")).transpose(1, 2)


class Timestep(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.register_buffer("freqs", torch.exp(-math.log(10_000) * torch.arange(128) / 128), persistent=False)

    def forward(self, t):
        angles = 1000 * t[:, None] * self.freqs
        return self.mlp(torch.cat([angles.cos(), angles.sin()], 1))


class Norm(nn.Module):
    """Root-mean-square norm whose scale and shift come from the time."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.project_layer = nn.Module(), nn.Linear(width, 2 * width)
        self.norm.weight = nn.Parameter(torch.ones(width))
        nn.init.normal_(self.project_layer.weight, std=0.01)
        with torch.no_grad():
            self.project_layer.bias.copy_(torch.cat([torch.ones(width), torch.zeros(width)]))

    def forward(self, x, t):
        scale, shift = self.project_layer(t)[:, None].chunk(2, 2)
        x = x * torch.rsqrt(x.square().mean(2, keepdim=True) + 1e-5) * self.norm.weight
        return scale * x + shift


def rotate(x, table):
    """Interleaved pairs [batch, heads, time, size] turned by [time, size / 2, (cos, sin)]."""
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = table[..., 0], table[..., 1]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(3)


class Block(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.heads
        self.attention_norm, self.ffn_norm = Norm(c.width), Norm(c.width)
        self.attention, self.feed_forward = nn.Module(), nn.Module()
        self.attention.wqkv = nn.Linear(c.width, 3 * c.width, bias=False)
        self.attention.wo = nn.Linear(c.width, c.width, bias=False)
        self.feed_forward.w1, self.feed_forward.w3 = (nn.Linear(c.width, c.inner, bias=False) for _ in range(2))
        self.feed_forward.w2 = nn.Linear(c.inner, c.width, bias=False)
        self.skip_in_linear = nn.Linear(2 * c.width, c.width)

    def forward(self, x, t, table, mask):
        batch, time, width = x.shape
        q, k, v = (y.view(batch, time, self.heads, -1).transpose(1, 2) for y in self.attention.wqkv(self.attention_norm(x, t)).chunk(3, 2))
        y = F.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v, attn_mask=mask)
        x = x + self.attention.wo(y.transpose(1, 2).reshape(batch, time, width))
        y = self.ffn_norm(x, t)
        return x + self.feed_forward.w2(F.silu(self.feed_forward.w1(y)) * self.feed_forward.w3(y))


def inner(layer) -> nn.Module:
    """`conv.conv`, as the official wrapper names it."""
    outer = nn.Module()
    outer.conv = nn.Module()
    outer.conv.conv = weight_norm(layer)
    return outer


class WaveNet(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        w, self.width, self.pad = c.width, c.width, c.kernel // 2
        self.cond_layer = inner(nn.Conv1d(w, 2 * w * c.wavenet, 1))
        self.in_layers = nn.ModuleList([inner(nn.Conv1d(w, 2 * w, c.kernel)) for _ in range(c.wavenet)])
        self.res_skip_layers = nn.ModuleList([inner(nn.Conv1d(w, 2 * w if i + 1 < c.wavenet else w, 1)) for i in range(c.wavenet)])

    def forward(self, x, t):
        conditions = self.cond_layer.conv.conv(t[..., None]).chunk(len(self.in_layers), 1)
        out = 0
        for gate, last, g in zip(self.in_layers, self.res_skip_layers, conditions):
            a, b = (gate.conv.conv(F.pad(x, (self.pad, self.pad), mode="reflect")) + g).chunk(2, 1)
            y = last.conv.conv(a.tanh() * b.sigmoid())
            if y.shape[1] > self.width:
                x, y = x + y[:, :self.width], y[:, self.width:]
            out = out + y
        return out


class Estimator(nn.Module):
    """Velocity [batch, frames, mels] of the flow at `x`, with the prompt's mel and the regulated content."""

    def __init__(self, c: Config):
        super().__init__()
        w = c.width
        self.t_embedder, self.t_embedder2 = Timestep(w), Timestep(w)
        self.cond_projection = nn.Linear(c.channels, w)
        self.cond_x_merge_linear = nn.Linear(2 * MELS + w + c.style, w)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList([Block(c) for _ in range(c.layers)])
        self.transformer.norm = Norm(w)
        self.skip_linear = nn.Linear(w + MELS, w)
        self.conv1, self.res_projection, self.wavenet = nn.Linear(w, w), nn.Linear(w, w), WaveNet(c)
        self.final_layer = nn.Module()
        self.final_layer.linear = weight_norm(nn.Linear(w, w))
        self.final_layer.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(w, 2 * w))
        self.conv2 = nn.Conv1d(w, MELS, 1)
        nn.init.zeros_(self.final_layer.adaLN_modulation[1].weight)
        nn.init.zeros_(self.final_layer.adaLN_modulation[1].bias)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)
        size = w // c.heads
        angles = torch.arange(4096)[:, None] / 10_000 ** (torch.arange(0, size, 2) / size)
        self.register_buffer("table", torch.stack([angles.cos(), angles.sin()], -1), persistent=False)

    def forward(self, x, prompt, content, style, t, mask=None):
        t1, t2 = self.t_embedder(t), self.t_embedder2(t)
        frames = x.shape[1]
        noisy = x
        x = self.cond_x_merge_linear(torch.cat([x, prompt, self.cond_projection(content), style[:, None].expand(-1, frames, -1)], 2))
        table, kept = self.table[:frames], []
        half = len(self.transformer.layers) // 2
        for i, block in enumerate(self.transformer.layers):
            if i > half:
                x = block.skip_in_linear(torch.cat([x, kept.pop()], 2))
            x = block(x, t1, table, mask)
            if i < half:
                kept.append(x)
        x = self.skip_linear(torch.cat([self.transformer.norm(x, t1), noisy], 2))
        y = self.wavenet(self.conv1(x).transpose(1, 2), t2).transpose(1, 2) + self.res_projection(x)
        shift, scale = self.final_layer.adaLN_modulation(t1)[:, None].chunk(2, 2)
        y = F.layer_norm(y, (self.conv1.out_features,), eps=1e-6) * (1 + scale) + shift
        return self.conv2(self.final_layer.linear(y).transpose(1, 2)).transpose(1, 2)


class S2Mel(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        self.codec, self.regulator, self.estimator = Codec(c), Regulator(c), Estimator(c)

    @torch.no_grad()
    def solve(self, prompt, content, style, steps=16, guidance=0.7, noise=1.0, generator=None):
        """Mel [1, frames, mels] after the prompt; `content` [1, prompt + frames, channels]."""
        known = prompt.shape[1]
        x = noise * torch.randn(1, content.shape[1], MELS, generator=generator)
        given = torch.zeros_like(x)
        given[:, :known] = prompt
        x[:, :known] = 0
        for i in range(steps):
            if guidance:
                t = torch.full((2,), i / steps)
                pair = [torch.cat([y, torch.zeros_like(y)]) for y in (given, content, style)]
                wanted, free = self.estimator(torch.cat([x, x]), *pair, t).chunk(2)
                velocity = (1 + guidance) * wanted - guidance * free
            else:
                velocity = self.estimator(x, given, content, style, torch.full((1,), i / steps))
            x = x + velocity / steps
            x[:, :known] = 0
        return x[:, known:]
