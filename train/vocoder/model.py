"""BigVGAN with the names of the official checkpoint, and small discriminators for its training."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import weight_norm

from .snake import FILTER, Snake


@dataclass
class Config:
    mels: int = 80
    channels: int = 256
    rates: tuple = (4, 4, 2, 2, 2, 2)
    up_kernels: tuple = (8, 8, 4, 4, 4, 4)
    kernels: tuple = (3, 7)
    dilations: tuple = (1, 3)

    def official(self) -> dict:
        """The fields of BigVGAN's own config.json."""
        return {
            "resblock": "1", "upsample_rates": self.rates, "upsample_kernel_sizes": self.up_kernels,
            "upsample_initial_channel": self.channels, "resblock_kernel_sizes": self.kernels,
            "resblock_dilation_sizes": [self.dilations] * len(self.kernels), "activation": "snakebeta",
            "snake_logscale": True, "use_tanh_at_final": False, "use_bias_at_final": False, "num_mels": self.mels,
            "n_fft": 1024, "hop_size": 256, "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": None,
        }


def normed(layer: nn.Module, std: float) -> nn.Module:
    nn.init.normal_(layer.weight, 0, std)
    return weight_norm(layer)


class Block(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: tuple):
        super().__init__()
        std = 0.5 / math.sqrt(channels * kernel)

        def conv(d):
            return normed(nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2), std)

        self.convs1 = nn.ModuleList([conv(d) for d in dilations])
        self.convs2 = nn.ModuleList([conv(1) for _ in dilations])
        self.activations = nn.ModuleList([Snake(channels) for _ in range(2 * len(dilations))])

    def forward(self, x):
        for j, (dilated, plain) in enumerate(zip(self.convs1, self.convs2)):
            x = x + plain(self.activations[2 * j + 1](dilated(self.activations[2 * j](x))))
        return x


class Generator(nn.Module):
    """Log-mel [batch, mels, frames] to samples [batch, frames * hop], not clamped."""

    def __init__(self, config: Config):
        super().__init__()
        self.config, channels = config, config.channels
        self.conv_pre = normed(nn.Conv1d(config.mels, channels, 7, padding=3), 0.02)
        ups, blocks = [], []
        for rate, kernel in zip(config.rates, config.up_kernels):
            up = nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2)
            ups.append(nn.ModuleList([normed(up, 1 / math.sqrt(2 * channels))]))
            channels //= 2
            blocks += [Block(channels, k, config.dilations) for k in config.kernels]
        self.ups, self.resblocks = nn.ModuleList(ups), nn.ModuleList(blocks)
        self.activation_post = Snake(channels)
        self.conv_post = normed(nn.Conv1d(channels, 1, 7, padding=3, bias=False), 0.05)

    def forward(self, mel):
        x, per_stage = self.conv_pre(mel), len(self.config.kernels)
        for i, up in enumerate(self.ups):
            x = up[0](x)
            x = sum(block(x) for block in self.resblocks[i * per_stage:(i + 1) * per_stage]) / per_stage
        return self.conv_post(self.activation_post(x))[:, 0]

    def official(self) -> dict:
        """The state under the official names, filters included."""
        state = {k: v.detach().clone() for k, v in self.state_dict().items()}
        for name in [k.removesuffix(".act.alpha") for k in state if k.endswith(".act.alpha")]:
            state[f"{name}.upsample.filter"] = FILTER[None, None].clone()
            state[f"{name}.downsample.lowpass.filter"] = FILTER[None, None].clone()
        return state


def run(layers, last, x):
    """Each layer with a leaky ReLU; the features of all, then the scores."""
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), 0.1)
        features.append(x)
    return last(x), features


class PeriodDiscriminator(nn.Module):
    def __init__(self, period: int, sizes=(1, 16, 32, 64, 64)):
        super().__init__()
        self.period = period
        self.layers = nn.ModuleList(
            [weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in zip(sizes, sizes[1:])]
            + [weight_norm(nn.Conv2d(sizes[-1], sizes[-1], (3, 1), 1, (1, 0)))])
        self.last = weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, x):
        x = F.pad(x[:, None], (0, -x.shape[1] % self.period), mode="reflect")
        return run(self.layers, self.last, x.view(len(x), 1, -1, self.period))


class SpectrumDiscriminator(nn.Module):
    def __init__(self, size: int, hop: int, channels: int = 16):
        super().__init__()
        self.size, self.hop = size, hop
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        sizes = (1, channels, channels, 2 * channels)
        self.layers = nn.ModuleList(
            [weight_norm(nn.Conv2d(a, b, (3, 5), (1, 2), (1, 2))) for a, b in zip(sizes, sizes[1:])]
            + [weight_norm(nn.Conv2d(sizes[-1], sizes[-1], 3, 1, 1))])
        self.last = weight_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1))

    def forward(self, x):
        spectrum = torch.stft(x, self.size, self.hop, self.size, self.window, return_complex=True)
        magnitude = torch.sqrt(torch.clamp(spectrum.real**2 + spectrum.imag**2, min=1e-7))
        return run(self.layers, self.last, magnitude[:, None].transpose(2, 3))


def discriminators() -> nn.ModuleList:
    return nn.ModuleList([*(PeriodDiscriminator(p) for p in (2, 3, 5, 7)), SpectrumDiscriminator(1024, 256),
                          SpectrumDiscriminator(512, 128)])
