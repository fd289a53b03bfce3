"""Stage by stage against PyTorch, in turns on the same machine, medians and ratios.

    python run.py --indextts target/release/indextts --model DIR --voice 5s.wav [--rounds 3] [--out results.md]

The model is a real-size one with random weights (import/examples/random_checkpoint), which never stops by itself.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

# `content` (latents and regulator) is not in PyTorch's figures and counts against us.
STAGES = ["voice", "gpt", "content", "mel", "wave"]
TEXT = "The weather was cold but the sun was shining today."


def ours(args) -> dict:
    command = [args.indextts, "say", TEXT, "--voice", args.voice, "--model", args.model, "--seed", "1", "--max-codes", "100",
               "--segment-tokens", "600", "-o", "/dev/null"]
    summary = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)(?:,|$)", summary.split(" s: ")[-1], re.M)}


def theirs() -> dict:
    command = [sys.executable, str(Path(__file__).with_name("torch_stages.py"))]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--indextts", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--voice", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for _ in range(args.rounds):
        rows.append((ours(args), theirs()))
        print(rows[-1], file=sys.stderr)
    lines = ["| stage | ours, s | PyTorch, s | ratio |", "|---|---|---|---|"]
    totals = [0.0, 0.0]
    for name in STAGES:
        a, b = (statistics.median(row[i].get(name, 0.0) for row in rows) for i in range(2))
        totals = [totals[0] + a, totals[1] + b]
        lines.append(f"| {name} | {a:.2f} | {b:.2f} | {a / b:.2f} |" if b else f"| {name} | {a:.2f} | - | |")
    lines.append(f"| total | {totals[0]:.2f} | {totals[1]:.2f} | {totals[0] / totals[1]:.2f} |")
    lines += ["", "Raw rows (ours, PyTorch):", "", *(f"    {json.dumps(a)} {json.dumps(b)}" for a, b in rows)]
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
