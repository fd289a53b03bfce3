"""What the emotions do to a voice: pace, pitch and melody of the same sentences, measured.

    bash train/setup.sh speech-tools        # librosa, once
    speech-tools/venv/bin/python tests/quality/emotions.py [--program target/release/indextts] [--model nano|DIR]
        [--voice NAME|FILE] [--count 8] [--out benches/results/NAME.md]

Prints a table: time, mean pitch and spread of pitch of every emotion of the vector against the same without an emotion, and of an
emotion reference (`--emotion-audio`, a clip spoken with an emotion by another voice of the model) where clips are given.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np

EMOTIONS = ["happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm"]
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/indextts")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--voice", default="bella")
    parser.add_argument("--count", type=int, default=8, help="sentences")
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="emotion references")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sentences = (HERE / "sentences.txt").read_text().splitlines()[:args.count]
    ways = {"none": {}}
    ways |= {name: {"emotion_vector": [float(i == j) for j in range(8)]} for i, name in enumerate(EMOTIONS)}
    ways |= {clip.name: {"emotion_audio": str(clip.absolute())} for clip in args.clips}
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, fields in ways.items():
            out = Path(folder) / name
            out.mkdir()
            (out / "rows.jsonl").write_text("".join(json.dumps({"text": t, **fields}) + "\n" for t in sentences))
            subprocess.run([args.program, "batch", out / "rows.jsonl", "--out", out, "--model", args.model, "--voice", args.voice, "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)
            found[name] = np.array([measure(out / f"{i + 1:04}.wav") for i in range(len(sentences))])
    lines = [
        "# What emotions do", "", f"`python tests/quality/emotions.py {' '.join(sys.argv[1:])}`, {len(sentences)} sentences, voice {Path(args.voice).stem}; "
        "all against no emotion, medians.", "", "| emotion | time | pitch, semitones | spread of pitch |", "|---|---|---|---|"]
    for name, rows in found.items():
        time, pitch, spread = np.nanmedian(rows - found["none"], axis=0)
        lines.append(f"| {name} | × {np.exp(time):.2f} | {pitch:+.1f} | × {np.exp(spread):.2f} |")
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


def measure(path: Path) -> tuple[float, float, float]:
    """Logarithm of the seconds of sound, mean pitch in semitones, logarithm of its spread in semitones."""
    samples, rate = librosa.load(path, sr=None)
    trimmed, _ = librosa.effects.trim(samples, top_db=35)
    pitch, _, _ = librosa.pyin(trimmed, fmin=60, fmax=500, sr=rate, frame_length=1024)
    semitones = 12 * np.log2(pitch[~np.isnan(pitch)] / 100)
    return np.log(len(trimmed) / rate), semitones.mean(), np.log(np.percentile(semitones, 85) - np.percentile(semitones, 15) + 1e-3)


if __name__ == "__main__":
    main()
