"""Runs every stage that is not finished, one after another; the same command goes on after any interruption.

    nice -n 19 setsid nohup python train/run_all.py --data DIR --tools DIR > DIR/run_all.log 2>&1 &

A stage is finished when DIR/stages/NAME/done exists. `--list` shows the stages and their commands; `--only NAME ...` runs some.
The corpus runs with the Python of --tools, everything else with the Python that runs this.
"""
import argparse
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def stages(data: Path, tools: Path) -> dict[str, list[list[str]]]:
    """Commands of each stage; those of one stage run at the same time."""
    speech, torch = str(tools / "venv/bin/python"), sys.executable
    corpus = [speech, "corpus/synthesize.py", "--tools", str(tools), "--data", str(data), "--hours", "3.6", "--parts", "2"]
    return {
        "corpus": [[*corpus, "--part", "0"], [*corpus, "--part", "1"]],
        "vocoder": [[torch, "-m", "vocoder.train", "--data", str(data), "--hours", "4"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    data, tools = args.data.absolute(), args.tools.absolute()
    table = stages(data, tools)
    if unknown := set(args.only or ()) - set(table):
        sys.exit(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    if not args.list:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "run_all.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another run_all.py works on {data}")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONWARNINGS": "ignore"}
    for name, commands in table.items():
        done = data / "stages" / name / "done"
        if args.list:
            print(f"{name} ({'finished' if done.exists() else 'open'})", *(" ".join(c) for c in commands), sep="\n  ")
        if args.list or done.exists() or (args.only and name not in args.only):
            continue
        print(f"{time.strftime('%F %T')} {name}", flush=True)
        done.parent.mkdir(parents=True, exist_ok=True)
        log = (done.parent / "output.log").open("a")
        running = [subprocess.Popen(c, cwd=HERE, env=environment, stdout=log, stderr=log) for c in commands]
        if any([process.wait() for process in running]):
            sys.exit(f"{name} failed: see {log.name}")
        if name == "corpus":
            done.touch()
        if not done.exists():
            sys.exit(f"{name} was stopped before its end")
    print(f"{time.strftime('%F %T')} all stages are finished" if not args.list else "", flush=True)


if __name__ == "__main__":
    main()
