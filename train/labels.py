"""What the corpus says about each moment: phones and relative pitch, and the speech codes made of both.

A speech code of the nano model stands for 40 ms and has a meaning: a phone (long glides in two halves) and, where it is
voiced, how far its pitch lies from the voice's mean. So the GPT can learn pronunciation from sentences without sound.
"""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FRAME, PITCH_FRAME, CODE = 0.025, 0.0125, 0.04  # seconds
SILENCE = "_"
GLIDES = "AIOWYQ"  # eɪ aɪ oʊ aʊ ɔɪ əʊ
VOWELS = ["ɑ", "æ", "ʌ", "ɔ", "ə", "ɛ", "ɜ", "i", "ɪ", "ᵻ", "ᵊ", "ʊ", "u", "a", "o", "ɒ"] + [g + h for g in GLIDES for h in "12"]
VOICED = VOWELS + list("bdɡvðzʒʤmnŋlɹjwɾ")
UNVOICED = list("ptkfθsʃʧh")
PHONES = [SILENCE, *UNVOICED, *VOICED]
INDEX = {p: i for i, p in enumerate(PHONES)}
EDGES = np.array([-6.5, -3.5, -1.2, 1.2, 3.5, 6.5])  # semitones from the voice's mean
BINS = len(EDGES) + 1
FIRST_VOICED = 1 + len(UNVOICED)
CODES = FIRST_VOICED + len(VOICED) * BINS
SHORT_SPACE = 4  # frames; a shorter gap between words is shared by its neighbours


def code_of(phone: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Phone indices and pitch bins to codes."""
    return np.where(phone < FIRST_VOICED, phone, FIRST_VOICED + (phone - FIRST_VOICED) * BINS + level)


def phone_of(code: np.ndarray) -> np.ndarray:
    return np.where(code < FIRST_VOICED, code, FIRST_VOICED + (code - FIRST_VOICED) // BINS)


@dataclass
class Utterance:
    id: str
    text: str
    voice: str
    phones: np.ndarray  # indices, in order
    starts: np.ndarray  # seconds
    ends: np.ndarray
    semitones: np.ndarray  # from the voice's mean, every 12.5 ms; NaN where unvoiced

    @property
    def seconds(self) -> float:
        return float(self.ends[-1])

    def at(self, times: np.ndarray) -> np.ndarray:
        """Phone index at each time."""
        return self.phones[np.minimum(np.searchsorted(self.ends, times, side="right"), len(self.phones) - 1)]

    def pitch_at(self, times: np.ndarray) -> np.ndarray:
        """Relative pitch at each time; NaN where unvoiced."""
        return self.semitones[np.minimum((times / PITCH_FRAME).astype(int), len(self.semitones) - 1)]

    def codes(self, rate: float = 1.0, power: float = 1.0, shift: float = 0.0) -> np.ndarray:
        """Speech codes, 25 a second; spoken `rate` times faster, with its pitch range scaled and shifted (semitones)."""
        count = max(1, int(self.seconds / rate / CODE))
        index = self.align(count, rate)
        centres = (np.arange(count) + 0.5) * CODE * rate
        filled = self.filled_pitch()
        # A displaced frame takes the pitch of the phone that it stands for.
        times = np.clip(centres, self.starts[index], np.maximum(self.starts[index], self.ends[index] - 1e-4))
        pitch = filled[np.minimum((times / PITCH_FRAME).astype(int), len(filled) - 1)] * power + shift
        return code_of(self.phones[index], np.searchsorted(EDGES, pitch))

    def edges(self, count: int) -> np.ndarray:
        """When each of `count` codes begins, and the last ends: the codes of a phone share its time evenly. [count + 1]"""
        index, out = self.align(count), np.zeros(count + 1)
        firsts = np.flatnonzero(np.diff(index, prepend=-1))
        for a, b in zip(firsts, [*firsts[1:], count]):
            out[a:b + 1] = np.linspace(self.starts[index[a]], self.ends[index[a]], b - a + 1)
        return out

    def filled_pitch(self) -> np.ndarray:
        """Relative pitch with the unvoiced stretches bridged."""
        known = ~np.isnan(self.semitones)
        if not known.any():
            return np.zeros_like(self.semitones)
        where = np.arange(len(known))
        return np.interp(where, where[known], self.semitones[known])

    def align(self, count: int, rate: float = 1.0) -> np.ndarray:
        """Which phone each code stands for: in order, the nearest, and none left out as long as there are codes enough."""
        phones = len(self.phones)
        centres = (np.arange(count) + 0.5) * CODE * rate
        if count < phones:
            return np.minimum(np.searchsorted(self.ends, centres, side="right"), phones - 1)
        away = np.maximum(self.starts[None] - centres[:, None], centres[:, None] - self.ends[None]).clip(0) / CODE
        total = np.full(phones, np.inf)
        total[0] = away[0, 0]
        moved = np.zeros((count, phones), bool)
        for k in range(1, count):
            before = np.concatenate(([np.inf], total[:-1]))
            moved[k] = before < total
            total = np.minimum(total, before) + away[k]
        index, at = np.zeros(count, int), phones - 1
        for k in range(count - 1, -1, -1):
            index[k] = at
            at -= moved[k, at]
        return index


def phones(symbols: str, durations: np.ndarray) -> list[tuple[str, float]]:
    """Phones and their seconds from Kokoro's symbols: marks joined to what they mark, short gaps shared."""
    out: list[list] = []
    held = 0.0
    for symbol, frames in zip(symbols, durations):
        seconds = float(frames) * FRAME
        if symbol in "ˈˌ":
            held += seconds
        elif symbol == "ː" and out:
            out[-1][1] += seconds
        elif symbol == " " and out and frames < SHORT_SPACE and out[-1][0] != SILENCE:
            out[-1][1] += seconds / 2
            held += seconds / 2
        elif symbol in GLIDES:
            out += [[symbol + half, (seconds + held) / 2] for half in "12"]
            held = 0.0
        else:
            name = symbol if symbol in INDEX else SILENCE
            if name == SILENCE and out and out[-1][0] == SILENCE:
                out[-1][1] += seconds + held
            else:
                out.append([name, seconds + held])
            held = 0.0
    if held and out:
        out[-1][1] += held
    return [(name, seconds) for name, seconds in out if seconds > 0]


def load(path: Path, means: dict[str, float]) -> list[Utterance]:
    """The utterances of a file of prosody.py."""
    with np.load(path) as file:
        rows = {k: file[k] for k in file.files}
    spans = {k: np.concatenate(([0], np.cumsum(rows[f"{k}_lengths"]))) for k in ("durations", "pitch")}
    out = []
    for i, name in enumerate(rows["id"]):
        durations = rows["durations"][spans["durations"][i]:spans["durations"][i + 1]]
        pitch = rows["pitch"][spans["pitch"][i]:spans["pitch"][i + 1]].astype(np.float32)
        mix = json.loads(str(rows["mix"][i]))
        mean = sum(w * means[v] for v, w in mix.items())
        names, seconds = zip(*phones(str(rows["symbols"][i]), durations))
        ends = np.cumsum(seconds)
        with np.errstate(divide="ignore"):
            semitones = np.where(pitch > 0, (np.log(np.maximum(pitch, 1)) - mean) * 12 / np.log(2), np.nan)
        out.append(Utterance(str(name), str(rows["text"][i]), max(mix, key=mix.get), np.array([INDEX[n] for n in names]),
                             np.concatenate(([0.0], ends[:-1])), ends, semitones))
    return out


def means(data: Path) -> dict[str, float]:
    return json.loads((data / "prosody" / "pitch.json").read_text())


def corpus(data: Path) -> dict[str, Utterance]:
    return {u.id: u for u in load(data / "prosody" / "corpus.npz", means(data))}
