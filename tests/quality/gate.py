"""Speaks the evaluation sentences with the program and judges them.

    bash train/setup.sh speech-tools        # the judges, once
    speech-tools/venv/bin/python tests/quality/gate.py --judges speech-tools [--program target/release/indextts]
        [--model nano|DIR] [--voice NAME|FILE ..] [--seeds 3] [--options "--steps 8"] [--out benches/results/NAME.md]

Every voice and seed speaks every sentence, in one `batch` each; a paragraph of a hundred words comes behind them. Prints
and writes a table: WER (Whisper base), DNSMOS P808 and OVRL, similarity to the voice's own clip and how often no other voice's
clip is nearer, durations that cannot be (less than 0.12 s or more than 1.2 s a word), clicks at the ends (a step above 3 % of full
scale at the first or last sample), real-time factor and peak memory. The exit code is 1 if WER or P808 miss --wer and --p808.
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).parent
PARAGRAPH = """On Saturday morning my sister called and asked whether I had time to help her move. I had planned to stay in bed and
read, but she sounded tired, so I took the bus across the town. Her new flat is on the third floor, and there is no lift. We
carried boxes up the stairs until noon, then we sat on the floor and ate bread and cheese. In the afternoon a friend came with
his van and brought the sofa. It did not fit through the door. After an hour we gave up, laughed, and sold it to a neighbour
who lived below."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judges", type=Path, required=True)
    parser.add_argument("--program", default="target/release/indextts")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--voice", nargs="+", help="names or clips; the model's own voices if not given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, help="sentences; all if not given")
    parser.add_argument("--options", default="", help="more options of `batch`")
    parser.add_argument("--wer", type=float, default=0.10)
    parser.add_argument("--p808", type=float, default=3.2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sentences = (HERE / "sentences.txt").read_text().split("\n")[:-1][:args.count] + [" ".join(PARAGRAPH.split())]
    model = Path(__file__).parents[2] / "models/nano" if args.model == "nano" else Path(args.model)
    clips = {p.stem: p for p in sorted((model / "voices").glob("*.*"))}
    voices = args.voice or list(clips)
    if not voices:
        sys.exit(f"{model} brings no voices: name clips with --voice")
    with tempfile.TemporaryDirectory() as folder:
        rows, runs = [], []
        for voice in voices:
            for seed in range(args.seeds):
                spoken, run = speak(args, sentences, voice, seed, Path(folder) / f"{Path(voice).stem}-{seed}")
                runs.append(run)
                rows += [{**row, "voice": voice, "seed": seed} for row in spoken]
        judge(args, rows, {v: clips.get(v, Path(v)) for v in voices}, Path(folder))
    lines = table(args, rows, runs)
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")
    everyday = [r for r in rows if not r["paragraph"]]
    wer, p808 = (np.mean([r[k] for r in everyday]) for k in ("wer", "p808"))
    sys.exit(int(wer > args.wer or p808 < args.p808))


def speak(args, sentences: list[str], voice: str, seed: int, folder: Path) -> tuple[list[dict], dict]:
    """Wavs of all sentences, and what the run cost."""
    folder.mkdir()
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text, "seed": seed}) + "\n" for text in sentences))
    command = [args.program, "batch", str(rows), "--out", str(folder), "--model", args.model, "--voice", voice, "--quiet", *args.options.split()]
    start = time.time()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    wall, out = time.time() - start, []
    for i, text in enumerate(sentences):
        path = folder / f"{i + 1:04}.wav"
        samples, rate = soundfile.read(path)
        seconds, words = len(samples) / rate, len(text.split())
        out.append({
            "wav": str(path), "text": text, "seconds": seconds, "paragraph": i + 1 == len(sentences),
            "odd": not 0.12 * words <= seconds <= 1.2 * words + 1, "click": bool(max(abs(samples[0]), abs(samples[-1])) > 0.03)})
    return out, {"wall": wall, "seconds": sum(r["seconds"] for r in out), "megabytes": usage.ru_maxrss / 1024}


def judge(args, rows: list[dict], clips: dict[str, Path], folder: Path) -> None:
    """Adds what the judges say."""
    items, out = folder / "items.jsonl", folder / "judged.json"
    items.write_text("".join(json.dumps({
        "wav": r["wav"], "text": r["text"], "ref": str(clips[r["voice"]]),
        "others": [str(c) for v, c in clips.items() if v != r["voice"]]}) + "\n" for r in rows))
    subprocess.run([sys.executable, str(HERE / "judge.py"), str(args.judges), str(items), "--out", str(out)], check=True, stdout=sys.stderr)
    for row, judged in zip(rows, json.loads(out.read_text())["rows"]):
        row |= {k: judged[k] for k in ("wer", "heard", "p808", "ovrl", "similarity", "nearest") if k in judged}


def table(args, rows: list[dict], runs: list[dict]) -> list[str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    version = subprocess.run([args.program, "--version"], capture_output=True, text=True).stdout.strip()
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else "")
    lines = [
        "# Quality gate", "",
        f"{time.strftime('%F')}, {version}, commit {commit}, model {Path(args.model).name}, {os.cpu_count()} cores of {cpu[1] if cpu else platform.processor()}.",
        f"`python tests/quality/gate.py {' '.join(sys.argv[1:])}`".replace(str(args.judges), "speech-tools"), "",
        "| voice | seed | sentences | WER | P808 | OVRL | similarity | nearest | odd length | clicks | real-time factor | peak MB |", "|---|---|---|---|---|---|---|---|---|---|---|---|"]

    def row(name: str, seed: str, part: list[dict], run: dict | None) -> str:
        mean = lambda k: np.mean([r[k] for r in part if k in r]) if any(k in r for r in part) else float("nan")
        cost = f"{run['wall'] / run['seconds']:.2f} | {run['megabytes']:.0f}" if run else " | "
        return (f"| {name} | {seed} | {len(part)} | {mean('wer'):.3f} | {mean('p808'):.2f} | {mean('ovrl'):.2f} | {mean('similarity'):.2f} | "
                f"{mean('nearest'):.2f} | {sum(r['odd'] for r in part)} | {sum(r['click'] for r in part)} | {cost} |")

    keys = list(dict.fromkeys((r["voice"], r["seed"]) for r in rows))
    for (voice, seed), run in zip(keys, runs):
        part = [r for r in rows if (r["voice"], r["seed"]) == (voice, seed) and not r["paragraph"]]
        lines.append(row(Path(voice).stem, str(seed), part, run))
    everyday = [r for r in rows if not r["paragraph"]]
    total = {"wall": sum(r["wall"] for r in runs), "seconds": sum(r["seconds"] for r in runs), "megabytes": max(r["megabytes"] for r in runs)}
    lines.append(row("all", "", everyday, total))
    lines.append(row("paragraph", "", [r for r in rows if r["paragraph"]], None))
    worst = sorted(everyday, key=lambda r: -r["wer"])[:10]
    lines += ["", "The worst:", "", "| said | heard | WER |", "|---|---|---|"]
    lines += [f"| {r['text']} | {r['heard'].replace('|', '/')} | {r['wer']:.2f} |" for r in worst]
    return lines


if __name__ == "__main__":
    main()
