"""The corpus in memory, and the log-mel of S2M and BigVGAN."""
import json
import math
import random
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from torch.nn import functional as F

RATE, HOP, SIZE, MELS = 22_050, 256, 1024, 80


def mel_filters(size: int, mels: int) -> torch.Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=size, n_mels=mels, fmin=0, fmax=RATE / 2))


FILTERS, WINDOW = mel_filters(SIZE, MELS), torch.hann_window(SIZE)


def mel_of_frames(samples: torch.Tensor) -> torch.Tensor:
    """Log-mel [batch, mels, frames] of samples that already hold the 384 samples of context at both sides."""
    spectrum = torch.stft(samples, SIZE, HOP, SIZE, WINDOW, center=False, return_complex=True)
    magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    return torch.log(torch.clamp(FILTERS @ magnitude, min=1e-5))


def mel(samples: torch.Tensor) -> torch.Tensor:
    """Log-mel of whole clips [batch, samples]."""
    edge = (SIZE - HOP) // 2
    return mel_of_frames(F.pad(samples[:, None], (edge, edge), mode="reflect")[:, 0])


class Corpus:
    """Clips of the sets asked for, as 16-bit samples. `scan` adds those that were made since the last one."""

    def __init__(self, data: Path, sets: set[str]):
        self.folder, self.sets, self.read, self.clips = data / "corpus", sets, {}, []

    def scan(self) -> int:
        for index in sorted(self.folder.glob("*.jsonl")):
            with index.open("rb") as lines:
                lines.seek(self.read.get(index, 0))
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self.read[index] = self.read.get(index, 0) + len(line)
                    clip = json.loads(line)
                    if clip["set"] in self.sets:
                        clip["audio"], _ = soundfile.read(self.folder / "audio" / f"{clip['id']}.flac", dtype="int16")
                        self.clips.append(clip)
        return len(self.clips)

    def crops(self, rng: random.Random, count: int, frames: int, gain: tuple[float, float]):
        """Random crops: log-mel [count, mels, frames] and samples [count, frames * hop], with a random gain (log)."""
        edge, rows = (SIZE - HOP) // 2, []
        length = frames * HOP + 2 * edge
        while len(rows) < count:
            audio = rng.choice(self.clips)["audio"]
            if len(audio) < length:
                continue
            start = rng.randrange(len(audio) - length + 1)
            rows.append(audio[start:start + length] * np.float32(math.exp(rng.uniform(*gain)) / 32768))
        samples = torch.from_numpy(np.stack(rows).astype(np.float32)).clamp(-1, 1)
        return mel_of_frames(samples), samples[:, edge:-edge]
