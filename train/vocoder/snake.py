"""The alias-free SnakeBeta activation of BigVGAN as one C operation, compiled on first use."""
import ctypes
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HALF = [0.002028966, 0.009389464, -0.025543464, -0.057657375, 0.128572609, 0.443209800]
FILTER = torch.tensor(HALF + HALF[::-1])


def library() -> ctypes.CDLL:
    """Compiles snake.c, once per source text, into the user's cache."""
    source = Path(__file__).with_name("snake.c")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nano-voice"
    target = cache / f"snake-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.so"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            built = Path(folder) / "snake.so"
            subprocess.run(["gcc", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC", str(source),
                            "-o", str(built), "-lm"], check=True)
            os.replace(built, target)
    loaded = ctypes.CDLL(str(target))
    taps = FILTER.numpy().astype(np.float32)
    loaded.snake_filter(ctypes.c_void_p(taps.ctypes.data))
    return loaded


C = library()


def pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha, beta):
        x = x.contiguous()
        batch, channels, n = x.shape
        out = torch.empty_like(x)
        C.snake_forward(pointer(x), pointer(out), pointer(alpha), pointer(beta), batch * channels, channels, n)
        ctx.save_for_backward(x, alpha, beta)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, alpha, beta = ctx.saved_tensors
        batch, channels, n = x.shape
        grad, grad_x = grad.contiguous(), torch.empty_like(x)
        grad_alpha, grad_beta = torch.empty(batch, channels), torch.empty(batch, channels)
        C.snake_backward(pointer(x), pointer(grad), pointer(grad_x), pointer(grad_alpha), pointer(grad_beta),
                         pointer(alpha), pointer(beta), batch * channels, channels, n)
        return grad_x, grad_alpha.sum(0), grad_beta.sum(0)


def composed(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """The same in torch operations: the reference of the check."""
    channels = x.shape[1]
    taps = FILTER.to(x.dtype)[None, None].expand(channels, 1, 12)
    y = 2 * F.conv_transpose1d(F.pad(x, (5, 5), mode="replicate"), taps, stride=2, groups=channels)[..., 15:-15]
    y = y + torch.sin(y * alpha.exp()[:, None]) ** 2 / (beta.exp()[:, None] + 1e-9)
    return F.conv1d(F.pad(y, (5, 6), mode="replicate"), taps, stride=2, groups=channels)


class Parameters(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))


class Snake(nn.Module):
    """`act.alpha` and `act.beta`, as in the official checkpoint."""

    def __init__(self, channels: int):
        super().__init__()
        self.act = Parameters(channels)

    def forward(self, x):
        return Fused.apply(x, self.act.alpha, self.act.beta)
