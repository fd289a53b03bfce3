"""w2v-bert at nano size, with the names of Hugging Face's checkpoint, and the heads that train it."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

import labels


@dataclass
class Config:
    width: int = 128
    heads: int = 4
    layers: int = 4
    inner: int = 512
    left: int = 64
    right: int = 8
    kernel: int = 31

    def official(self) -> dict:
        """The fields of the checkpoint's own config.json."""
        return {
            "hidden_size": self.width, "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "intermediate_size": self.inner, "feature_projection_input_dim": 160, "hidden_act": "swish",
            "position_embeddings_type": "relative_key", "left_max_position_embeddings": self.left,
            "right_max_position_embeddings": self.right, "conv_depthwise_kernel_size": self.kernel, "layer_norm_eps": 1e-5,
        }


class FeedForward(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.intermediate_dense, self.output_dense = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.output_dense(F.silu(self.intermediate_dense(x)))


class Attention(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (nn.Linear(c.width, c.width) for _ in range(4))
        self.distance_embedding = nn.Embedding(c.left + c.right + 1, c.width // c.heads)
        nn.init.normal_(self.distance_embedding.weight, std=0.02)

    def forward(self, x):
        batch, time, _ = x.shape
        q, k, v = (f(x).view(batch, time, self.c.heads, -1).transpose(1, 2) for f in (self.linear_q, self.linear_k, self.linear_v))
        at = torch.arange(time)
        distance = (at[None] - at[:, None]).clamp(-self.c.left, self.c.right) + self.c.left
        by_distance = q @ self.distance_embedding.weight.T
        bias = by_distance.gather(3, distance.expand(batch, self.c.heads, time, time)) / math.sqrt(q.shape[-1])
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.linear_out(y.transpose(1, 2).flatten(2))


class Convolution(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.layer_norm = nn.LayerNorm(c.width)
        self.pointwise_conv1 = nn.Conv1d(c.width, 2 * c.width, 1, bias=False)
        self.depthwise_conv = nn.Conv1d(c.width, c.width, c.kernel, groups=c.width, bias=False)
        self.depthwise_layer_norm = nn.LayerNorm(c.width)
        self.pointwise_conv2 = nn.Conv1d(c.width, c.width, 1, bias=False)
        self.pad = c.kernel - 1

    def forward(self, x):
        x = F.glu(self.pointwise_conv1(self.layer_norm(x).transpose(1, 2)), 1)
        x = self.depthwise_conv(F.pad(x, (self.pad, 0))).transpose(1, 2)
        x = F.silu(self.depthwise_layer_norm(x)).transpose(1, 2)
        return self.pointwise_conv2(x).transpose(1, 2)


class Layer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.ffn1_layer_norm, self.ffn1 = nn.LayerNorm(c.width), FeedForward(c.width, c.inner)
        self.self_attn_layer_norm, self.self_attn = nn.LayerNorm(c.width), Attention(c)
        self.conv_module = Convolution(c)
        self.ffn2_layer_norm, self.ffn2 = nn.LayerNorm(c.width), FeedForward(c.width, c.inner)
        self.final_layer_norm = nn.LayerNorm(c.width)

    def forward(self, x):
        x = x + 0.5 * self.ffn1(self.ffn1_layer_norm(x))
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        x = x + self.conv_module(x)
        x = x + 0.5 * self.ffn2(self.ffn2_layer_norm(x))
        return self.final_layer_norm(x)


class Encoder(nn.Module):
    """Stacked filterbank frames [batch, time, 160] to content features [batch, time, width]."""

    def __init__(self, c: Config):
        super().__init__()
        self.feature_projection = nn.ModuleDict({"layer_norm": nn.LayerNorm(160), "projection": nn.Linear(160, c.width)})
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList([Layer(c) for _ in range(c.layers)])})

    def forward(self, x):
        x = self.feature_projection["projection"](self.feature_projection["layer_norm"](x))
        for layer in self.encoder["layers"]:
            x = layer(x)
        return x


class Heads(nn.Module):
    """For training only: phone, relative pitch, absolute log pitch and voicing of each frame."""

    def __init__(self, c: Config):
        super().__init__()
        self.phone, self.pitch = nn.Linear(c.width, len(labels.PHONES)), nn.Linear(c.width, 3)

    def forward(self, x):
        return self.phone(x), self.pitch(x)
