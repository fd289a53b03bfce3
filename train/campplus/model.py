"""CAMPPlus at nano size, with the names of the official checkpoint."""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    head: int = 8
    blocks: tuple = (2, 2)
    initial: int = 48
    growth: int = 12
    bottleneck: int = 48
    squeeze: int = 24
    layers: tuple = (4, 6, 4)
    size: int = 96


class Residual(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, (stride, 1), 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, channels, 1, (stride, 1), bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Head(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, c.head, 3, 1, 1, bias=False), nn.BatchNorm2d(c.head)
        self.layer1, self.layer2 = (nn.Sequential(*(Residual(c.head, 2 if i == 0 else 1) for i in range(n))) for n in c.blocks)
        self.conv2, self.bn2 = nn.Conv2d(c.head, c.head, 3, (2, 1), 1, bias=False), nn.BatchNorm2d(c.head)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x[:, None])))))
        return F.relu(self.bn2(self.conv2(x))).flatten(1, 2)


class Normalised(nn.Module):
    """`batchnorm`, then a ReLU."""

    def __init__(self, channels, affine=True, relu=True):
        super().__init__()
        self.batchnorm, self.relu = nn.BatchNorm1d(channels, affine=affine), relu

    def forward(self, x):
        x = self.batchnorm(x)
        return F.relu(x) if self.relu else x


class Mask(nn.Module):
    def __init__(self, c: Config, dilation):
        super().__init__()
        self.linear_local = nn.Conv1d(c.bottleneck, c.growth, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(c.bottleneck, c.squeeze, 1)
        self.linear2 = nn.Conv1d(c.squeeze, c.growth, 1)

    def forward(self, x):
        segments = F.avg_pool1d(x, 100, 100, ceil_mode=True).repeat_interleave(100, 2)[..., :x.shape[2]]
        context = x.mean(2, keepdim=True) + segments
        return self.linear_local(x) * torch.sigmoid(self.linear2(F.relu(self.linear1(context))))


class Dense(nn.Module):
    def __init__(self, channels, c: Config, dilation):
        super().__init__()
        self.nonlinear1, self.linear1 = Normalised(channels), nn.Conv1d(channels, c.bottleneck, 1, bias=False)
        self.nonlinear2, self.cam_layer = Normalised(c.bottleneck), Mask(c, dilation)

    def forward(self, x):
        return torch.cat([x, self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))], 1)


class Unit(nn.Module):
    """A normalisation and a linear layer, in either order."""

    def __init__(self, linear, nonlinear, linear_first):
        super().__init__()
        self.linear, self.nonlinear, self.linear_first = linear, nonlinear, linear_first

    def forward(self, x):
        return self.nonlinear(self.linear(x)) if self.linear_first else self.linear(self.nonlinear(x))


class CamPlus(nn.Module):
    """Filterbank [batch, frames, 80] to a style vector [batch, size]."""

    def __init__(self, c: Config):
        super().__init__()
        self.head = Head(c)
        x = {"tdnn": Unit(nn.Conv1d(c.head * 10, c.initial, 5, 2, 2, bias=False), Normalised(c.initial), True)}
        channels = c.initial
        for n, (layers, dilation) in enumerate(zip(c.layers, (1, 2, 2)), 1):
            x[f"block{n}"] = nn.Sequential()
            for i in range(1, layers + 1):
                x[f"block{n}"].add_module(f"tdnnd{i}", Dense(channels, c, dilation))
                channels += c.growth
            x[f"transit{n}"] = Unit(nn.Conv1d(channels, channels // 2, 1, bias=False), Normalised(channels), False)
            channels //= 2
        x["out_nonlinear"] = Normalised(channels)
        x["dense"] = Unit(nn.Conv1d(2 * channels, c.size, 1, bias=False), Normalised(c.size, affine=False, relu=False), True)
        self.xvector = nn.ModuleDict(x)

    def forward(self, fbank):
        x = self.head(fbank.transpose(1, 2))
        for name, module in self.xvector.items():
            if name == "dense":
                x = torch.cat([x.mean(2), x.std(2)], 1)[..., None]
            x = module(x)
        return x[..., 0]
