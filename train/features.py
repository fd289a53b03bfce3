"""The two 16 kHz filterbanks of the architecture, in numpy: of w2v-bert and of CAMPPlus."""
import numpy as np
import soxr

RATE = 16_000
FLOOR = 1.192092955078125e-07


def _bank() -> np.ndarray:
    def scale(f):
        return 1127 * np.log(1 + f / 700)

    at, edges = scale(np.arange(257) * RATE / 512), np.linspace(scale(20), scale(8000), 82)
    rising = (at - edges[:-2, None]) / (edges[1:-1, None] - edges[:-2, None])
    falling = (edges[2:, None] - at) / (edges[2:, None] - edges[1:-1, None])
    return np.maximum(0, np.minimum(rising, falling)).T


BANK, POVEY = _bank(), np.hanning(400) ** 0.85


def resample(samples: np.ndarray) -> np.ndarray:
    """22.05 kHz to 16 kHz."""
    return soxr.resample(samples, 22_050, RATE, "HQ")


def fbank(samples: np.ndarray, first: float) -> np.ndarray:
    """Log filterbank [frames, 80]. `first` is what pre-emphasis leaves of a frame's first sample."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160].astype(np.float64)
    frames = frames - frames.mean(1, keepdims=True)
    frames = np.concatenate([frames[:, :1] * first, frames[:, 1:] - 0.97 * frames[:, :-1]], 1) * POVEY
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    return np.log(np.maximum(power @ BANK, FLOOR)).astype(np.float32)


def seamless(samples: np.ndarray) -> np.ndarray:
    """Input of w2v-bert, [frames, 160], 50 a second. An odd last frame is left out: at inference it is masked."""
    x = fbank(samples * 32768, 0.03)
    x = (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + 1e-7)
    return x[:len(x) // 2 * 2].reshape(-1, 160)


def kaldi(samples: np.ndarray) -> np.ndarray:
    """Input of CAMPPlus, [frames, 80], 100 a second."""
    x = fbank(samples, 0.03)
    return x - x.mean(0)


def cache(corpus, folder):
    """Both features of every clip of `corpus`, as half precision, computed once: {id: array} twice."""
    folder.mkdir(parents=True, exist_ok=True)
    content, style = {}, {}
    for clip in corpus.clips:
        path = folder / f"{clip['id']}.npz"
        if not path.exists():
            samples = resample(clip["audio"].astype(np.float32) / 32768)
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, seamless=seamless(samples).astype(np.float16), kaldi=kaldi(samples).astype(np.float16))
            temporary.replace(path)
        with np.load(path) as file:
            content[clip["id"]], style[clip["id"]] = file["seamless"], file["kaldi"]
    return content, style
