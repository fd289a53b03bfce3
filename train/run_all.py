"""Runs every stage that is not finished, two at a time where they do not wait for each other; the same command goes on
after any interruption.

    nice -n 19 setsid nohup python train/run_all.py --data DIR --tools DIR > DIR/run_all.log 2>&1 &

A stage is finished when DIR/stages/NAME/done exists. `--list` shows the stages and their commands; `--only NAME ...` runs some.
The corpus runs with the Python of --tools, everything else with the Python that runs this.
"""
import argparse
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


@dataclasses.dataclass
class Stage:
    """Commands that run at the same time, once the stages they need are finished."""
    after: tuple[str, ...]
    commands: list[list[str]]
    # Training stages say themselves when they are finished; others are when their commands end well.
    marks_itself: bool = True


def stages(data: Path, tools: Path) -> dict[str, Stage]:
    """In the order in which they start where several could."""
    speech, torch = str(tools / "venv/bin/python"), sys.executable
    corpus = [speech, "corpus/synthesize.py", "--tools", str(tools), "--data", str(data)]
    prosody = [speech, "corpus/prosody.py", "--tools", str(tools), "--data", str(data)]
    spoken = [*corpus, "--hours", "3.6", "--parts", "2"]

    def train(name: str, hours: float) -> list[list[str]]:
        return [[torch, "-m", f"{name}.train", "--data", str(data), "--hours", str(hours)]]

    return {
        "corpus": Stage((), [[*spoken, "--part", "0"], [*spoken, "--part", "1"]], False),
        "varied": Stage(("corpus",), [[*corpus, "--varied", "--hours", "0.5"]], False),
        "prosody": Stage(("varied",), [prosody], False),
        "campplus": Stage(("prosody",), train("campplus", 0.16)),
        "encoder": Stage(("prosody",), train("encoder", 0.36)),
        "s2mel": Stage(("campplus", "encoder"), train("s2mel", 4.5)),
        "distill": Stage(("s2mel",), [[torch, "-m", "s2mel.distill", "--data", str(data), "--hours", "1.4"]]),
        "texts": Stage(("prosody",), [[*prosody, "--sentences", "36000"]], False),
        "gpt": Stage(("texts", "campplus", "encoder"), train("gpt", 3.0)),
        "vocoder": Stage(("corpus",), train("vocoder", 2.5)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time; each uses one core")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    data, tools = args.data.absolute(), args.tools.absolute()
    table = stages(data, tools)
    if unknown := set(args.only or ()) - set(table):
        sys.exit(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    done = {name: data / "stages" / name / "done" for name in table}
    if args.list:
        for name, stage in table.items():
            state = "finished" if done[name].exists() else "open"
            print(f"{name} ({state})", *(" ".join(c) for c in stage.commands), sep="\n  ")
        return
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / "run_all.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another run_all.py works on {data}")
    run(table, done, [n for n in table if not args.only or n in args.only], args.jobs)


def give_way() -> None:
    """Linux shares the processors among sessions first, and `nice` only counts within one: this session gives way as a whole."""
    group = Path("/proc/self/autogroup")
    if os.nice(0) > 0 and group.exists():
        group.write_text(str(os.nice(0)))


def run(table: dict[str, Stage], done: dict[str, Path], names: list[str], jobs: int) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONWARNINGS": "ignore"}
    running: dict[str, list[subprocess.Popen]] = {}
    give_way()

    def stop(why: str) -> None:
        for process in (p for group in running.values() for p in group):
            process.terminate()  # they save, and go on from there another time
        sys.exit(why)

    signal.signal(signal.SIGTERM, lambda *_: stop("stopped"))
    while waiting := [n for n in names if not done[n].exists()]:
        busy = sum(process.poll() is None for group in running.values() for process in group)
        for name in waiting:
            stage = table[name]
            ready = name not in running and all(done[n].exists() for n in stage.after)
            if ready and (busy == 0 or busy + len(stage.commands) <= jobs):
                print(f"{time.strftime('%F %T')} {name} starts", flush=True)
                done[name].parent.mkdir(parents=True, exist_ok=True)
                log = (done[name].parent / "output.log").open("a")
                running[name] = [subprocess.Popen(c, cwd=HERE, env=environment, stdout=log, stderr=log) for c in stage.commands]
                busy += len(stage.commands)
        if not running:
            needed = {n for name in waiting for n in table[name].after if not done[n].exists()}
            sys.exit(f"unfinished stages are needed first: {', '.join(sorted(needed))}")
        time.sleep(1)
        for name, group in list(running.items()):
            if any(process.poll() is None for process in group):
                continue
            del running[name]
            if any(process.returncode for process in group):
                stop(f"{name} failed: see {done[name].parent / 'output.log'}")
            if not table[name].marks_itself:
                done[name].touch()
            elif not done[name].exists():
                sys.exit(f"{name} was stopped before its end")
            print(f"{time.strftime('%F %T')} {name} is finished", flush=True)
    print(f"{time.strftime('%F %T')} all stages are finished", flush=True)


if __name__ == "__main__":
    main()
