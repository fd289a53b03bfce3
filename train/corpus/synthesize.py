"""Speech with phoneme timing for the corpus, from Kokoro-82M (Apache-2.0).

    python synthesize.py --tools DIR --data DIR --hours 3.6 [--part 0 --parts 2] [--varied]

Writes DATA/corpus/audio/ID.flac (22.05 kHz, 16 bit, mono) and DATA/corpus/PART.jsonl with a line per clip: id, set (train,
eval or held), voice, text, speed, samples, phonemes and the samples (at 22.05 kHz) at which each of them ends. Clips whose
line exists are not made again, so an interrupted run goes on where it stopped.

`--varied` makes another set: voices between two others, pitch ranges and levels beyond the natural ones (what emotions
differ in), more speeds. It needs DATA/prosody/pitch.json, which prosody.py writes from the first set.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import librosa
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent))
import kokoro  # noqa: E402
import sentences  # noqa: E402

RATE = 22_050
WHISPERED = {"af_nicole"}
HELD_OUT = ["af_sky", "am_puck", "bf_lily", "bm_lewis"]
SPEEDS = [0.85, 0.95, 1.0, 1.0, 1.1, 1.2]
SENTENCES = 6000  # of the list; those after them are for text without sound


def training_voices(voices: list[str]) -> list[str]:
    return [v for v in voices if v[0] in "ab" and v not in WHISPERED and v not in HELD_OUT]


def mean_pitch(data: Path) -> dict[str, float]:
    path = data / "prosody" / "pitch.json"
    return json.loads(path.read_text()) if path.exists() else {}


def jobs(training: list[str], count: int):
    """id, set, voice, speed, text of every clip, always in the same order."""
    for i, text in enumerate(sentences.EVALUATION):
        yield {"id": f"eval_{i:03d}", "set": "eval", "voice": training[i % len(training)], "speed": 1.0, "text": text}
    for i, text in enumerate(sentences.EVALUATION[:24]):
        yield {"id": f"held_{i:03d}", "set": "held", "voice": HELD_OUT[i % len(HELD_OUT)], "speed": 1.0, "text": text}
    rng = np.random.default_rng(1)
    for i, text in enumerate(sentences.training(count, seed=0)):
        voice, speed = training[i % len(training)], float(rng.choice(SPEEDS))
        yield {"id": f"train_{i:05d}", "set": "train", "voice": voice, "speed": speed, "text": text}


def varied_jobs(training: list[str], count: int, pitch: dict[str, float]):
    """As `jobs`, with a mixture of voices and the power and factor that bend its pitch."""
    rng = np.random.default_rng(3)
    for i, text in enumerate(reversed(sentences.training(count, seed=0))):
        first, second = (str(v) for v in rng.choice(training, 2, replace=False))
        share = float(rng.uniform(0.2, 0.8)) if rng.random() < 0.7 else 1.0
        mix = {first: round(share, 3)} | ({second: round(1 - share, 3)} if share < 1 else {})
        power, shift = float(np.exp(rng.uniform(-0.8, 0.6))), float(rng.uniform(-3.5, 3.5))
        mean = sum(w * pitch[v] for v, w in mix.items())
        factor = float(np.exp((1 - power) * mean + shift * np.log(2) / 12))
        yield {"id": f"varied_{i:05d}", "set": "varied", "voice": max(mix, key=mix.get), "speed": round(float(rng.uniform(0.75, 1.35)), 3),
               "text": text, "mix": mix, "power": power, "factor": factor}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True, help="directory made by setup.sh")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=3.6, help="stop after this much training speech, over all parts")
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--varied", action="store_true")
    args = parser.parse_args()
    folder = args.data / "corpus"
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    index = folder / f"{'varied_' if args.varied else ''}{args.part}.jsonl"
    known = {json.loads(line)["id"] for line in index.open()} if index.exists() else set()
    done = sum(json.loads(line)["samples"] for line in index.open()) / RATE if index.exists() else 0.0
    speaker = kokoro.Kokoro(args.tools, threads=1)
    voices, pitch = training_voices(speaker.voices), mean_pitch(args.data)
    if args.varied and not pitch:
        sys.exit(f"{args.data}/prosody/pitch.json is missing: run prosody.py first")
    start = time.process_time()
    with index.open("a") as lines:
        for number, clip in enumerate(varied_jobs(voices, SENTENCES, pitch) if args.varied else jobs(voices, SENTENCES)):
            if number % args.parts != args.part or clip["id"] in known:
                continue
            if done > args.hours * 3600 / args.parts:
                break
            mix = clip.get("mix") or {clip["voice"]: 1.0}
            wav, phonemes, durations, _ = speaker.say(clip["text"], mix, clip["speed"], clip.get("power", 1.0), clip.get("factor", 1.0))
            audio = librosa.resample(wav.astype(np.float32), orig_sr=kokoro.RATE, target_sr=RATE, res_type="soxr_hq")
            ends = (np.cumsum(durations) * kokoro.FRAME * RATE / kokoro.RATE).astype(int)
            soundfile.write(folder / "audio" / f"{clip['id']}.flac", np.clip(audio, -1, 1), RATE, subtype="PCM_16")
            clip |= {"samples": len(audio), "phonemes": "".join(phonemes), "ends": ends.tolist()}
            lines.write(json.dumps(clip, ensure_ascii=False) + "\n")
            lines.flush()
            done += len(audio) / RATE
            if number % 50 < args.parts:
                print(f"{clip['id']} {done / 60:.1f} min of speech, {time.process_time() - start:.0f} core-s", flush=True)


if __name__ == "__main__":
    main()
