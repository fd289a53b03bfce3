"""The program, PyTorch and ONNX Runtime in turns on the same machine: medians and ratios of every stage.

    python run.py --indextts target/release/indextts --model DIR --voice 5s.wav [--onnx DIR] [--rounds 3]
        [--options "--profile fast"] [--rows rows.jsonl] [--out results.md]

The model is a real-size one with random weights (import/examples/random_checkpoint), which never stops by itself. --onnx is a
folder of `onnx_stages.py export`, which is left out without it. --reuse takes the other programs' figures from an earlier --rows.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
# Of `indextts bench`; what happens outside the networks (text, features) is in our total only.
STAGES = ["w2v-bert", "style", "latents", "prompt", "prefill", "gpt", "content", "mel", "wave"]
TEXT = "The weather was cold but the sun was shining today."


def ours(args) -> dict:
    command = [args.indextts, "bench", "--json", "--runs", "1", "--text", TEXT, "--voice", args.voice, "--model", args.model,
               "--max-codes", "100", "--segment-tokens", "600", *args.options.split()]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def stages_of(row: dict) -> dict:
    found = {stage["stage"]: stage["wall_s"][0] for stage in row["stages"]}
    return found | {"load": row["load_s"]}


def torch() -> dict:
    return json.loads(subprocess.run([sys.executable, str(HERE / "torch_stages.py")], capture_output=True, text=True, check=True).stdout)


def onnx(folder: str) -> dict:
    command = [sys.executable, str(HERE / "onnx_stages.py"), "run", folder]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--indextts", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--voice", required=True)
    parser.add_argument("--onnx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--options", default="", help="more options of `bench`")
    parser.add_argument("--rows", type=Path, help="where the raw rows go")
    parser.add_argument("--reuse", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for _ in range(args.rounds):
        bench = ours(args)
        row = {"time": time.strftime("%FT%TZ", time.gmtime()), "bench": bench, "ours": stages_of(bench)}
        if not args.reuse:
            row["torch"] = torch()
            if args.onnx:
                row["onnx"] = onnx(args.onnx)
        rows.append(row)
        print(json.dumps({k: v for k, v in row.items() if k != "bench"}), file=sys.stderr)
        if args.rows:
            with args.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
    others = [json.loads(line) for line in args.reuse.read_text().splitlines()] if args.reuse else rows
    text = "\n".join(table(rows, others)) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text)


def table(rows: list[dict], others: list[dict]) -> list[str]:
    names = [n for n in ("torch", "onnx") if any(n in row for row in others)]
    titles = {"torch": "PyTorch", "onnx": "ONNX Runtime"}
    lines = ["| stage | ours, s |" + "".join(f" {titles[n]}, s | ratio |" for n in names), "|---|---|" + "---|---|" * len(names)]
    totals = dict.fromkeys(["ours", *names], 0.0)
    for stage in STAGES:
        medians = {"ours": statistics.median(row["ours"].get(stage, 0.0) for row in rows)}
        medians |= {n: statistics.median(row[n].get(stage, 0.0) for row in others if n in row) for n in names}
        totals = {n: totals[n] + medians[n] for n in totals}
        lines.append(f"| {stage} | {medians['ours']:.3f} |" + "".join(
            f" {medians[n]:.3f} | {medians['ours'] / medians[n]:.2f} |" if medians[n] else " | |" for n in names))
    lines.append(f"| total | {totals['ours']:.2f} |" + "".join(f" {totals[n]:.2f} | {totals['ours'] / totals[n]:.2f} |" for n in names))
    return lines


if __name__ == "__main__":
    main()
