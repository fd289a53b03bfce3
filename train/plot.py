"""Draws the losses of the training.

    python plot.py --data DIR [--out losses.png] [--smooth 20]

A panel for each stage with a log (`DIR/stages/NAME/log.jsonl`), a line for each number in it, by the step; thin as logged,
thick as the mean of the last `--smooth` entries. Needs matplotlib.
"""
import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

AXES = {"step", "core_s", "time", "sentences"}


def read(path: Path) -> list[dict]:
    """The entries of a log; the last line may be cut off by a kill."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def smooth(values: np.ndarray, count: int) -> np.ndarray:
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - count)
    return (sums[ends] - sums[starts]) / (ends - starts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("losses.png"))
    parser.add_argument("--smooth", type=int, default=20)
    args = parser.parse_args()
    logs = {path.parent.name: read(path) for path in sorted(args.data.glob("stages/*/log.jsonl"))}
    logs = {name: rows for name, rows in logs.items() if rows}
    if not logs:
        raise SystemExit(f"no stages/*/log.jsonl with entries in {args.data}: train first, with run_all.py")
    figure, panels = plt.subplots(len(logs), 1, figsize=(9, 3.2 * len(logs)), squeeze=False, layout="constrained")
    for (name, rows), panel in zip(logs.items(), panels[:, 0]):
        keys = dict.fromkeys(k for row in rows for k, v in row.items() if k not in AXES and isinstance(v, (int, float)))
        for key in keys:
            points = [(row.get("step", i), row[key]) for i, row in enumerate(rows) if key in row]
            steps, values = np.array(points, dtype=float).T
            line, = panel.plot(steps, values, linewidth=0.5, alpha=0.4)
            panel.plot(steps, smooth(values, args.smooth), color=line.get_color(), label=key)
        panel.set(title=name, xlabel="step", yscale="log")
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", ncols=3)
    figure.savefig(args.out, dpi=120)
    print(args.out)


if __name__ == "__main__":
    main()
