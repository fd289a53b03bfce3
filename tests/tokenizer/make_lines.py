"""Makes ranks.tiktoken, a small rank file in the style of the official one (single bytes, then merges), and lines.jsonl: 10,000
lines of text of every kind, each with a hash of the ids that the PyPI package sentencepiece gives it with bpe.model and of
those that the PyPI package tiktoken gives it with ranks.tiktoken and the special tokens of 2.5 behind its ranks.

    python make_lines.py
"""
import base64
import json
import random
import re
from collections import Counter
from pathlib import Path

import sentencepiece
import tiktoken

HERE = Path(__file__).parent
PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
MERGES = 1500
rng = random.Random(11)

# The languages of the table that have a token, and the other special tokens in their order.
LANGUAGES = re.search(r"CODES: \[&str; 106\] = \[(.*?)\];", (HERE / "../../src/text/language.rs").read_text(), re.S)[1]
LANGUAGES = re.findall(r'"([^"]+)"', LANGUAGES)[:99]
SPECIALS = ["endoftext", "startoftranscript", *LANGUAGES]
SPECIALS += "ASR AED SER Speech /Speech BGM /BGM Laughter /Laughter Applause /Applause HAPPY SAD ANGRY NEUTRAL".split()
SPECIALS += "translate transcribe startoflm startofprev nospeech notimestamps".split()
SPECIALS += [f"SPECIAL_TOKEN_{n}" for n in range(1, 31)]
SPECIALS += [f"TTS/{name}" for name in "B O Q A CO CL H".split()] + [f"TTS/SP{n:02d}" for n in range(1, 14)]
SPECIALS += [f"{n * 0.02:.2f}" for n in range(1501)]
SPECIALS = [f"<|{name}|>" for name in SPECIALS]
assert len(SPECIALS) == 1673

WORDS = (HERE / "make.py").read_text()
ENGLISH = re.search(r'ENGLISH = """(.*?)"""', WORDS, re.S)[1].split()
CHINESE = re.search(r'CHINESE = """(.*?)"""', WORDS, re.S)[1].replace("\n", "")
ODD = ["ＡＢＣ１２３", "ﬁne", "①②", "café", "naïve", "ÅNGSTRÖM", "Straße", "½", "…", "—", "“”", "😀", "👍🏽", "👩‍👩‍👧", "\u200b", "\u00a0",
       "かな", "カナ", "한국어", "العربية", "Привет", "𝒳", "ﷺ", "㎏", "№", "™", "\ufffd", "é", "e\u0301", "ｶﾞ", "\u3000", "\u2028",
       "<|en|>", "<|zh|>", "<|SPECIAL_TOKEN_1|>", "<|nothing|>", "<|", "|>", "<s>", "\u2581", "'s", "'LL", "can't", "we'll"]


def word(odd: float) -> str:
    kind = rng.random()
    if kind < odd:
        return rng.choice(ODD)
    if kind < odd + 0.02:
        block = rng.choice([0x20, 0xA0, 0x100, 0x370, 0x400, 0x590, 0x600, 0x900, 0xE00, 0x1100, 0x2000, 0x2100, 0x3000, 0x4E00,
                            0xAC00, 0xF900, 0xFE30, 0xFF00, 0x1F300, 0x20000])
        return "".join(chr(block + rng.randrange(0xFF)) for _ in range(rng.randint(1, 4)))
    if kind < 0.5:
        return rng.choice([str.upper, str.lower, str.title])(rng.choice(ENGLISH))
    if kind < 0.85:
        return "".join(rng.choice(CHINESE) for _ in range(rng.randint(1, 4)))
    return str(rng.randint(0, 99999))


def line(odd: float) -> str:
    gaps = ["", " ", " ", " ", "  ", "   ", "\t", "\n"] if odd else [" "]
    ends = ["", "", "", ",", ".", "?", "!", "-", "'"]
    return "".join(word(odd) + rng.choice(gaps) + rng.choice(ends) for _ in range(rng.randint(1, 6)))


def train(texts: list[str]) -> list[bytes]:
    """Single bytes, then the most frequent pair of neighbours, again and again."""
    import regex

    words = Counter(w for text in texts for w in regex.findall(PATTERN, text))
    parts = {w: [bytes([b]) for b in w.encode()] for w in words}
    tokens = [bytes([b]) for b in range(256)]
    # As in GPT-2's order, the exclamation mark and the quotation mark come first: ids 0 and 1.
    tokens = [b"!", b'"'] + [t for t in tokens if t not in (b"!", b'"')]
    for _ in range(MERGES):
        pairs = Counter()
        for w, p in parts.items():
            for pair in zip(p, p[1:]):
                pairs[pair] += words[w]
        (a, b), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        tokens.append(a + b)
        for w, p in parts.items():
            i, joined = 0, []
            while i < len(p):
                if p[i:i + 2] == [a, b]:
                    joined.append(a + b)
                    i += 2
                else:
                    joined.append(p[i])
                    i += 1
            parts[w] = joined
    return tokens


def fnv(ids: list[int]) -> str:
    """FNV-1a over the ids as four bytes each, little-endian."""
    h = 0x811C9DC5
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{h:08x}"


tokens = train([line(0) for _ in range(3000)])
with open(HERE / "ranks.tiktoken", "w") as out:
    for rank, token in enumerate(tokens):
        out.write(f"{base64.b64encode(token).decode()} {rank}\n")
pieces = sentencepiece.SentencePieceProcessor(model_file=str(HERE / "bpe.model"))
ranks = tiktoken.Encoding(
    "ranks", pat_str=PATTERN, mergeable_ranks={t: i for i, t in enumerate(tokens)},
    special_tokens={s: len(tokens) + i for i, s in enumerate(SPECIALS)},
)
edge = ["", " ", "  ", "\t", "\n", "A", "你", " A ", "A  B", "A\tB", "A\nB", "\u2581", "A\u2581B", "<s>", "</s>", "<unk>", "😀😀", "X😀Y",
        "!", '"', "!!", "a   b", "a \n b", "   ", " \n", "1234567890" * 4, "a" * 60, "<|en|> hello", "x<|30.00|>y", "<|0.001|>"]
lines = edge + [line(0) for _ in range(4000)] + [line(0.25) for _ in range(10_000 - 4000 - len(edge))]
with open(HERE / "lines.jsonl", "w") as out:
    for text in lines:
        row = [text, fnv(pieces.encode(text)), fnv(ranks.encode(text, allowed_special="all"))]
        out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
print(len(tokens), len(lines))
