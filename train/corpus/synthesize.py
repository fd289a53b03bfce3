"""Speech with phoneme timing for the corpus, from Kokoro-82M (Apache-2.0).

    python synthesize.py --tools DIR --data DIR --hours 3.6 [--part 0 --parts 2]

Writes DATA/corpus/audio/ID.flac (22.05 kHz, 16 bit, mono) and DATA/corpus/PART.jsonl with a line per clip: id, set (train,
eval or held), voice, text, speed, samples, phonemes and the samples (at 22.05 kHz) at which each of them ends. Clips whose
line exists are not made again, so an interrupted run goes on where it stopped.
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


def jobs(voices: list[str], count: int):
    """(id, set, voice, speed, text) of every clip, always in the same order."""
    training = [v for v in voices if v not in HELD_OUT]
    for i, text in enumerate(sentences.EVALUATION):
        yield f"eval_{i:03d}", "eval", training[i % len(training)], 1.0, text
    for i, text in enumerate(sentences.EVALUATION[:24]):
        yield f"held_{i:03d}", "held", HELD_OUT[i % len(HELD_OUT)], 1.0, text
    rng = np.random.default_rng(1)
    for i, text in enumerate(sentences.training(count, seed=0)):
        yield f"train_{i:05d}", "train", training[i % len(training)], float(rng.choice(SPEEDS)), text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True, help="directory made by setup.sh")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=3.6, help="stop after this much training speech, over all parts")
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    args = parser.parse_args()
    folder = args.data / "corpus"
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    index = folder / f"{args.part}.jsonl"
    known = {json.loads(line)["id"] for line in index.open()} if index.exists() else set()
    done = sum(json.loads(line)["samples"] for line in index.open()) / RATE if index.exists() else 0.0
    speaker = kokoro.Kokoro(args.tools, threads=1)
    voices = [v for v in speaker.voices if v[0] in "ab" and v not in WHISPERED]
    start = time.process_time()
    with index.open("a") as lines:
        for number, (name, part, voice, speed, text) in enumerate(jobs(voices, count=6000)):
            if number % args.parts != args.part or name in known:
                continue
            if done > args.hours * 3600 / args.parts:
                break
            wav, durations, phonemes = speaker.say(text, voice, speed)
            audio = librosa.resample(wav.astype(np.float32), orig_sr=kokoro.RATE, target_sr=RATE, res_type="soxr_hq")
            ends = (np.cumsum(durations) * RATE / kokoro.RATE).astype(int)
            soundfile.write(folder / "audio" / f"{name}.flac", np.clip(audio, -1, 1), RATE, subtype="PCM_16")
            lines.write(json.dumps({
                "id": name, "set": part, "voice": voice, "speed": speed, "text": text, "samples": len(audio),
                "phonemes": "".join(phonemes), "ends": ends.tolist(),
            }, ensure_ascii=False) + "\n")
            lines.flush()
            done += len(audio) / RATE
            if number % 50 < args.parts:
                print(f"{name} {done / 60:.1f} min of speech, {time.process_time() - start:.0f} core-s", flush=True)


if __name__ == "__main__":
    main()
