"""The GPT at nano size with 2.5's conditioning, with the names of the official checkpoint."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


# Where training shows the attention how text and codes run along each other.
GUIDED_LAYERS, GUIDED_HEADS = (2, 3), 2


@dataclass
class Config:
    codes: int = 0  # without start and stop
    text: int = 78  # pieces
    width: int = 192
    layers: int = 6
    heads: int = 4
    max_codes: int = 620
    max_text: int = 240
    content: int = 128
    style: int = 96
    languages: int = 1
    emotion: int = 64
    emotion_inner: int = 128
    emotion_heads: int = 4
    emotion_layers: int = 2
    latent: int = 128
    latent_heads: int = 4  # as many as the conformer's: the checkpoint's configuration has one number for both
    latent_head: int = 16
    kernel: int = 15
    positions: int = 512

    @property
    def start(self) -> int:
        return self.codes

    @property
    def stop(self) -> int:
        return self.codes + 1


class Linear1D(nn.Module):
    """GPT-2's linear layer, weight [in, out]."""

    def __init__(self, inputs, outputs, std=0.02):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, outputs) * std), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class Block(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.heads = c.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(c.width), nn.LayerNorm(c.width)
        self.attn, self.mlp = nn.Module(), nn.Module()
        last = 0.02 / math.sqrt(2 * c.layers)
        self.attn.c_attn, self.attn.c_proj = Linear1D(c.width, 3 * c.width), Linear1D(c.width, c.width, last)
        self.mlp.c_fc, self.mlp.c_proj = Linear1D(c.width, 4 * c.width), Linear1D(4 * c.width, c.width, last)

    def forward(self, x, drop, cache=None, watched=None):
        """`watched` receives the attention [batch, GUIDED_HEADS, time, time] of the first heads."""
        batch, time, width = x.shape
        q, k, v = (y.view(batch, time, self.heads, -1).transpose(1, 2) for y in self.attn.c_attn(self.ln_1(x)).chunk(3, 2))
        causal = True
        if cache is not None:
            causal = not cache
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        if watched is not None:
            odds = q[:, :GUIDED_HEADS] @ k[:, :GUIDED_HEADS].transpose(2, 3) / math.sqrt(width // self.heads)
            watched.append(odds.masked_fill(torch.ones(time, time, dtype=torch.bool).triu(1), -torch.inf).softmax(3))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + F.dropout(self.attn.c_proj(y.transpose(1, 2).reshape(batch, time, width)), drop, self.training)
        y = self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x)), approximate="tanh"))
        return x + F.dropout(y, drop, self.training)


class RelativeAttention(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        d = c.emotion
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (nn.Linear(d, d) for _ in range(4))
        self.linear_pos = nn.Linear(d, d, bias=False)
        self.pos_bias_u, self.pos_bias_v = (nn.Parameter(torch.randn(c.emotion_heads, d // c.emotion_heads) * 0.02) for _ in range(2))

    def forward(self, x, positions):
        heads, size = self.pos_bias_u.shape

        def split(y):
            return y.view(*y.shape[:2], heads, size).transpose(1, 2)

        q, k, v, p = (split(f(y)) for f, y in ((self.linear_q, x), (self.linear_k, x), (self.linear_v, x), (self.linear_pos, positions)))
        q = torch.cat([q + self.pos_bias_u[:, None], q + self.pos_bias_v[:, None]], 3)
        k = torch.cat([k, p.expand_as(k)], 3)
        y = F.scaled_dot_product_attention(q, k, v, scale=size**-0.5)
        return self.linear_out(y.transpose(1, 2).flatten(2))


class ConvModule(nn.Module):
    def __init__(self, d, kernel):
        super().__init__()
        self.pointwise_conv1, self.pointwise_conv2 = nn.Conv1d(d, 2 * d, 1), nn.Conv1d(d, d, 1)
        self.depthwise_conv, self.norm = nn.Conv1d(d, d, kernel, padding=kernel // 2, groups=d), nn.LayerNorm(d)

    def forward(self, x):
        x = self.depthwise_conv(F.glu(self.pointwise_conv1(x.transpose(1, 2)), 1)).transpose(1, 2)
        return self.pointwise_conv2(F.silu(self.norm(x)).transpose(1, 2)).transpose(1, 2)


class ConformerLayer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        d = c.emotion
        self.norm_mha, self.norm_conv, self.norm_ff, self.norm_final = (nn.LayerNorm(d) for _ in range(4))
        self.self_attn, self.conv_module = RelativeAttention(c), ConvModule(d, c.kernel)
        self.feed_forward = nn.Module()
        self.feed_forward.w_1, self.feed_forward.w_2 = nn.Linear(d, c.emotion_inner), nn.Linear(c.emotion_inner, d)

    def forward(self, x, positions):
        x = x + self.self_attn(self.norm_mha(x), positions)
        x = x + self.conv_module(self.norm_conv(x))
        x = x + self.feed_forward.w_2(F.silu(self.feed_forward.w_1(self.norm_ff(x))))
        return self.norm_final(x)


class Conformer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        d = c.emotion
        self.embed = nn.Module()
        self.embed.conv = nn.Sequential(nn.Conv2d(1, d, 3, 2), nn.ReLU())
        self.embed.out = nn.Sequential(nn.Linear(d * ((c.content - 1) // 2), d))
        self.embed.pos_enc = nn.Module()
        angles = torch.arange(c.positions)[:, None] * torch.exp(torch.arange(0, d, 2) * -(math.log(10_000) / d))
        self.embed.pos_enc.register_buffer("pe", torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[None])
        self.encoders = nn.ModuleList([ConformerLayer(c) for _ in range(c.emotion_layers)])
        self.after_norm = nn.LayerNorm(d)

    def forward(self, x):
        x = self.embed.conv(x[:, None])  # [batch, d, time, columns]
        x = self.embed.out(x.transpose(1, 2).flatten(2))
        x = x * math.sqrt(x.shape[2])
        positions = self.embed.pos_enc.pe[:, :x.shape[1]]
        for layer in self.encoders:
            x = layer(x, positions)
        return self.after_norm(x)


class Cross(nn.Module):
    def __init__(self, dim, heads, head):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_kv = nn.Linear(dim, heads * head, bias=False), nn.Linear(dim, 2 * heads * head, bias=False)
        self.to_out = nn.Linear(heads * head, dim, bias=False)

    def forward(self, latents, context):
        def split(y):
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)

        k, v = self.to_kv(torch.cat([latents, context], 1)).chunk(2, 2)
        y = F.scaled_dot_product_attention(split(self.to_q(latents)), split(k), split(v))
        return self.to_out(y.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def forward(self, x):
        value, gate = x.chunk(2, 2)
        return value * F.gelu(gate)


class Perceiver(nn.Module):
    def __init__(self, c: Config, layers=2):
        super().__init__()
        d = c.latent
        inner = d * 2 * 2 // 3
        self.latents = nn.Parameter(torch.randn(1, d) * 0.02)
        self.proj_context = nn.Linear(c.emotion, d)
        # As in the official file, the gate of the feed-forward takes no place of its own.
        self.layers = nn.ModuleList([nn.ModuleList([
            Cross(d, c.latent_heads, c.latent_head), nn.ModuleDict({"0": nn.Linear(d, 2 * inner), "2": nn.Linear(inner, d)})]) for _ in range(layers)])
        self.norm = nn.Module()
        self.norm.gamma = nn.Parameter(torch.ones(d))

    def forward(self, x):
        context = self.proj_context(x)
        latents = self.latents[None].expand(len(x), -1, -1)
        for cross, inner in self.layers:
            latents = latents + cross(latents, context)
            latents = latents + inner["2"](Gated()(inner["0"](latents)))
        return F.normalize(latents, dim=2) * math.sqrt(latents.shape[2]) * self.norm.gamma


class Gpt(nn.Module):
    def __init__(self, c: Config, drop=0.1):
        super().__init__()
        self.config, self.drop = c, drop
        w = c.width

        def table(rows):
            made = nn.Embedding(rows, w)
            nn.init.normal_(made.weight, std=0.02)
            return made

        def positions(rows):
            made = nn.Module()
            made.emb = table(rows)
            return made

        self.spk_emb_proj, self.lang_embedding = nn.Linear(c.style, w), table(c.languages)
        self.emo_conditioning_encoder, self.emo_perceiver_encoder = Conformer(c), Perceiver(c)
        self.emovec_layer, self.emo_layer = nn.Linear(c.latent, w), nn.Linear(w, w)
        self.text_embedding, self.text_pos_embedding = table(c.text + 1), positions(c.max_text + 2)
        self.mel_embedding, self.mel_pos_embedding = table(c.codes + 2), positions(c.max_codes + 3)
        self.gpt = nn.Module()
        self.gpt.h, self.gpt.ln_f = nn.ModuleList([Block(c) for _ in range(c.layers)]), nn.LayerNorm(w)
        self.final_norm, self.mel_head = nn.LayerNorm(w), nn.Linear(w, c.codes + 2)

    def emotion(self, content):
        """Content features [batch, time, content] to [batch, width]."""
        return self.emo_layer(self.emovec_layer(self.emo_perceiver_encoder(self.emo_conditioning_encoder(content))))[:, 0]

    def prefix(self, style, emotion, text):
        """Rows before the start code, [1, 3 + text + 2, width], for one text."""
        w = self.config.width
        speaker = (self.spk_emb_proj(style) + emotion)[None, None]
        ids = torch.cat([torch.tensor([0]), text, torch.tensor([1])])
        rows = self.text_embedding(ids) + self.text_pos_embedding.emb.weight[:len(ids)] + self.lang_embedding.weight[0]
        return torch.cat([speaker, torch.zeros(1, 2, w), rows[None]], 1)

    def code_rows(self, codes):
        """Start and codes of one utterance; decoding skips the second position, so training does."""
        at = torch.arange(len(codes) + 1)
        at[1:] += 1
        ids = torch.cat([torch.tensor([self.config.start]), codes])
        return (self.mel_embedding(ids) + self.mel_pos_embedding.emb.weight[at])[None]

    def logits(self, x, caches=None, watched=None):
        x = F.dropout(x, self.drop, self.training)
        for i, block in enumerate(self.gpt.h):
            x = block(x, self.drop, None if caches is None else caches[i], watched if i in GUIDED_LAYERS else None)
        return self.mel_head(self.final_norm(self.gpt.ln_f(x)))

    @torch.no_grad()
    def generate(self, style, emotion, text, temperature=0.8, top_p=0.9, generator=None, limit=600):
        caches = [[] for _ in self.gpt.h]
        x = torch.cat([self.prefix(style, emotion, text), self.code_rows(torch.zeros(0, dtype=torch.long))], 1)
        codes = []
        while len(codes) < limit:
            logits = self.logits(x, caches)[0, -1] / max(temperature, 1e-4)
            odds, order = logits.softmax(0).sort(descending=True)
            odds = odds * (odds.cumsum(0) - odds < top_p)
            code = order[torch.multinomial(odds, 1, generator=generator)].item()
            if code == self.config.stop:
                break
            codes.append(code)
            row = self.mel_embedding(torch.tensor([code])) + self.mel_pos_embedding.emb.weight[len(codes) + 1]
            x = row[None]
        return codes
