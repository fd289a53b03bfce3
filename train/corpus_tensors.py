"""Everything that the later stages want to know of each clip: codes, content features, style vector and mel."""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import campplus.model
import encoder.model
import features
import labels
from audio import HOP, RATE, Corpus, mel

FRAMES_PER_CODE = RATE / HOP * labels.CODE


@dataclass
class Clip:
    id: str
    voice: str
    kind: str  # the set
    text: str
    codes: np.ndarray  # [n]
    content: np.ndarray  # [2 n or a few more, width], normalised
    style: np.ndarray  # [size]
    mel: np.ndarray  # [frames, mels], normalised
    on_codes: np.ndarray  # the same, each phone stretched to its codes: [frames_of(n), mels]


def frames_of(codes: int) -> int:
    """Mel frames of generated codes, as the pipeline counts them."""
    return int(2 * codes * 1.72)


def stretched(spectrum: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The mel as it would be if every code lasted equally long, by linear interpolation.

    Codes tell the time to 40 ms only. Left as they are, sounds begin up to half of that early or late, which no network
    can know: it blurs what it learns, consonants first."""
    codes = len(edges) - 1
    frames = frames_of(codes)
    times = np.interp((np.arange(frames) + 0.5) * codes / frames, np.arange(codes + 1), edges)
    at = (times * RATE / HOP - 0.5).clip(0, len(spectrum) - 1)
    low = at.astype(int)
    high, share = np.minimum(low + 1, len(spectrum) - 1), (at - low)[:, None]
    return ((1 - share) * spectrum[low] + share * spectrum[high]).astype(np.float16)


@dataclass
class Statistics:
    """What normalises content features (per channel) and mels (two numbers)."""

    content_mean: np.ndarray
    content_std: np.ndarray
    mel_mean: float
    mel_std: float


def average_model(data: Path, stage: str, make):
    """The averaged weights of a finished or running stage."""
    model = make()
    model.load_state_dict(torch.load(data / "stages" / stage / "state.pt", map_location="cpu", weights_only=True)["modules"]["ema"])
    return model.eval()


@torch.no_grad()
def build(data: Path, sets: set[str]) -> tuple[list[Clip], Statistics]:
    """Clips of `sets`. The networks run once: their outputs are kept in DATA/tensors until the networks change."""
    corpus = Corpus(data, sets)
    corpus.scan()
    utterances = labels.corpus(data)
    corpus.clips = [c for c in corpus.clips if c["id"] in utterances]
    seamless, kaldi = features.cache(corpus, data / "features")
    folder = data / "tensors"
    folder.mkdir(exist_ok=True)
    semantic = average_model(data, "encoder", lambda: encoder.model.Encoder(encoder.model.Config()))
    speaker = average_model(data, "campplus", lambda: campplus.model.CamPlus(campplus.model.Config()))
    newest = max((data / "stages" / s / "state.pt").stat().st_mtime_ns for s in ("encoder", "campplus"))
    rows = []
    for clip in corpus.clips:
        path = folder / f"{clip['id']}.npz"
        if not path.exists() or path.stat().st_mtime_ns < newest:
            hidden = semantic(torch.from_numpy(seamless[clip["id"]].astype(np.float32))[None])[0]
            style = speaker(torch.from_numpy(kaldi[clip["id"]].astype(np.float32))[None])[0]
            spectrum = mel(torch.from_numpy(clip["audio"].astype(np.float32) / 32768)[None])[0].T
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, hidden=hidden.half().numpy(), style=style.numpy(), mel=spectrum.half().numpy())
            temporary.replace(path)
        with np.load(path) as file:
            rows.append((clip, file["hidden"], file["style"], file["mel"]))
    statistics = load_statistics(data, rows)
    clips = []
    for clip, hidden, style, spectrum in rows:
        said = utterances[clip["id"]]
        codes = said.codes()
        spectrum = (spectrum.astype(np.float32) - statistics.mel_mean) / statistics.mel_std
        clips.append(Clip(
            clip["id"], clip["voice"], clip["set"], clip["text"], codes,
            ((hidden.astype(np.float32) - statistics.content_mean) / statistics.content_std).astype(np.float16), style,
            spectrum.astype(np.float16), stretched(spectrum, said.edges(len(codes)))))
    return clips, statistics


def load_statistics(data: Path, rows: list) -> Statistics:
    path = data / "tensors" / "statistics.json"
    if not path.exists():
        hidden = np.concatenate([r[1] for r in rows if r[0]["set"] == "train"]).astype(np.float64)
        mels = np.concatenate([r[3] for r in rows if r[0]["set"] == "train"]).astype(np.float64)
        path.write_text(json.dumps({
            "content_mean": hidden.mean(0).tolist(), "content_std": hidden.std(0).tolist(),
            "mel_mean": round(float(mels.mean()), 3), "mel_std": round(float(mels.std()), 3)}))
    values = json.loads(path.read_text())
    return Statistics(*(np.array(values[k], np.float32) for k in ("content_mean", "content_std")), values["mel_mean"], values["mel_std"])
