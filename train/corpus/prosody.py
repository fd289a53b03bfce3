"""Phonemes, durations and pitch without sound: of the corpus's clips, and of many more sentences for the GPT.

    python prosody.py --tools DIR --data DIR [--sentences 36000]

Writes DATA/prosody/corpus.npz, DATA/prosody/pitch.json (mean log pitch of each voice) and, a thousand sentences each,
DATA/prosody/text_NNN.npz. Finished files of sentences are not made again; the corpus's is when the corpus has grown.
Arrays: id, text, mix (JSON, voice -> weight), symbols; and end to end, with their lengths, durations (frames of 25 ms)
and pitch (Hz, every 12.5 ms, after bending).
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import kokoro  # noqa: E402
import sentences  # noqa: E402
from synthesize import HELD_OUT, SENTENCES, SPEEDS, mean_pitch, training_voices  # noqa: E402

SHARD = 1000


def write(path: Path, rows: list[dict]) -> None:
    columns = {k: np.array([r[k] for r in rows]) for k in ("id", "text", "mix", "symbols")}
    for name, kind in (("durations", np.uint16), ("pitch", np.float16)):
        columns[name] = np.concatenate([r[name] for r in rows]).astype(kind)
        columns[f"{name}_lengths"] = np.array([len(r[name]) for r in rows])
    temporary = path.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, **columns)
    os.replace(temporary, path)


def plan(speaker: kokoro.Kokoro, name: str, text: str, mix: dict, speed: float, power=1.0, factor=1.0) -> dict:
    symbols, durations, pitch = speaker.plan(text, mix, speed)
    pitch = np.where(pitch > kokoro.VOICED, np.maximum(pitch, 1) ** power * factor, 0)
    return {"id": name, "text": text, "mix": json.dumps(mix), "symbols": "".join(symbols), "durations": durations, "pitch": pitch}


def corpus(speaker: kokoro.Kokoro, data: Path) -> None:
    clips = [json.loads(line) for index in sorted((data / "corpus").glob("*.jsonl")) for line in index.open()]
    path = data / "prosody" / "corpus.npz"
    if path.exists() and len(np.load(path)["id"]) == len(clips):
        return
    rows = []
    for clip in clips:
        mix = clip.get("mix") or {clip["voice"]: 1.0}
        row = plan(speaker, clip["id"], clip["text"], mix, clip["speed"], clip.get("power", 1.0), clip.get("factor", 1.0))
        assert row["symbols"] == clip["phonemes"] and len(row["durations"]) == len(clip["ends"]), clip["id"]
        rows.append(row)
    write(path, rows)
    if not mean_pitch(data):
        voices = {}
        for clip, row in zip(clips, rows):
            if "mix" not in clip:
                voices.setdefault(clip["voice"], []).append(row["pitch"][row["pitch"] > 0])
        means = {v: float(np.mean(np.log(np.concatenate(p)))) for v, p in voices.items()}
        (data / "prosody" / "pitch.json").write_text(json.dumps(means, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=0)
    args = parser.parse_args()
    (args.data / "prosody").mkdir(parents=True, exist_ok=True)
    speaker = kokoro.Kokoro(args.tools, threads=1)
    corpus(speaker, args.data)
    voices = training_voices(speaker.voices)
    assert not set(voices) & set(HELD_OUT)
    texts = sentences.training(SENTENCES + args.sentences, seed=0)[SENTENCES:]
    start = time.process_time()
    for number in range(len(texts) // SHARD):
        path = args.data / "prosody" / f"text_{number:03d}.npz"
        if path.exists():
            continue
        rng, rows = np.random.default_rng([2, number]), []
        for i, text in enumerate(texts[number * SHARD:(number + 1) * SHARD]):
            voice, speed = str(rng.choice(voices)), float(rng.choice(SPEEDS))
            rows.append(plan(speaker, f"text_{number * SHARD + i:05d}", text, {voice: 1.0}, speed))
        write(path, rows)
        print(f"{path.name}, {time.process_time() - start:.0f} core-s", flush=True)


if __name__ == "__main__":
    main()
