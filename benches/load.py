"""How a server holds up: latency, memory and right answers with 1, 8 and 50 clients at a time.

    python benches/load.py --indextts target/release/indextts [--model nano|DIR] [--clients 1,8,50] [--minutes 3]
    python benches/load.py --clients 50 --minutes 10
    python benches/load.py --url http://127.0.0.1:8080 --pid PID        # a server that runs already

Every client repeats a few requests (text, voice, seed), whole or streamed. Before the load each of them
is asked once, alone; every later answer must have the same bytes, so a mixed-up, damaged or cut answer shows. The server has
fewer places than there are clients, so that some are told to come back (429) and do, after the time they are told; the time they
wait counts. Some clients hang up in the middle of a stream, as people do. Prints Markdown; exits with 1 if an answer was wrong or
failed.
"""
import argparse
import contextlib
import hashlib
import http.client
import itertools
import json
import random
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

TEXTS = ["The train to the coast leaves at nine.", "Could you open the window? It is rather warm in here.",
         "She read the letter twice. Then she put it back. Nobody asked what it said, and the evening went on."]
SEEDS = (1, 2)
# Shares of a run whose memory is compared; what comes before the first is warming up.
PARTS = {"start": (0.1, 0.3), "middle": (0.45, 0.65), "end": (0.8, 1.0)}


class Load:
    def __init__(self, args, url, voices):
        self.args, self.address = args, urllib.parse.urlsplit(url).netloc
        self.cases = list(itertools.product(TEXTS, voices, SEEDS, (False, True)))
        self.right, self.lock = {}, threading.Lock()
        self.reset()

    def reset(self):
        self.first, self.last, self.audio = [], [], 0.0
        self.wrong, self.failed = [], []
        self.busy = self.came_back = self.left = 0

    def client(self, number, end):
        draw = random.Random(number)
        while time.monotonic() < end:
            case = draw.choice(self.cases)
            self.request(case, case[3] and draw.random() < self.args.leave)

    def request(self, case, leaves=False):
        """Asks until there is a place, and keeps what came of it."""
        try:
            self.ask(case, leaves)
        except (OSError, http.client.HTTPException, ValueError) as error:
            with self.lock:
                self.failed.append(repr(error))

    def ask(self, case, leaves):
        text, voice, seed, stream = case
        body = {"input": text, "voice": voice, "seed": seed, "response_format": "pcm", "stream": stream} | self.args.fields
        start, first, refused = time.monotonic(), None, 0
        while True:
            with contextlib.closing(http.client.HTTPConnection(self.address, timeout=3600)) as connection:
                connection.request("POST", "/v1/audio/speech", json.dumps(body), {"content-type": "application/json"})
                answer = connection.getresponse()
                if answer.status == 200:
                    digest, size = hashlib.sha256(), 0
                    while piece := answer.read1(1 << 16):
                        first = first or time.monotonic() - start
                        digest.update(piece)
                        size += len(piece)
                        if leaves:
                            with self.lock:
                                self.left += 1
                            return
                    break
                if answer.status != 429:
                    raise ValueError(f"{answer.status}: {answer.read().decode(errors='replace')}")
                seconds = int(answer.headers["retry-after"])
            refused += 1
            with self.lock:
                self.busy += 1
            time.sleep(seconds)
        took = time.monotonic() - start
        with self.lock:
            self.came_back += refused > 0
            self.first += [first] if stream else []
            self.last.append(took)
            self.audio += size / 2 / self.args.rate
            if self.right.setdefault(case, digest.digest()) != digest.digest():
                owner = next((other for other, right in self.right.items() if right == digest.digest()), "nobody")
                self.wrong.append(f"the answer to {case} is that to {owner}")

    def alone(self):
        """The answers that all later ones must equal; the speed with one client, in seconds of speech a second."""
        start = time.monotonic()
        for case in self.cases:
            self.request(case)
        if len(self.right) < len(self.cases):
            raise SystemExit(f"alone, some requests failed: {self.failed}")
        # Whole or streamed may be the same; text, voice and seed may not.
        if len(set(self.right.values())) < len(self.cases) // 2:
            raise SystemExit("alone, unlike requests were answered alike: nothing can be told apart")
        return self.audio / (time.monotonic() - start)

    def run(self, clients, minutes, pid):
        """Keeps `clients` busy; true if all was right."""
        self.reset()
        start, memory = time.monotonic(), []
        end = start + 60 * minutes
        threads = [threading.Thread(target=self.client, args=(number, end)) for number in range(clients)]
        threads += [threading.Thread(target=watch, args=(pid, end, memory))] if pid else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - start
        print(f"\n### {clients} client{'s' * (clients > 1)}, {minutes:g} minutes\n")
        print(f"{len(self.last)} answers, each compared with the one of {len(self.cases)} that were asked alone before: "
              f"{len(self.wrong)} wrong, {len(self.failed)} failed; {self.busy} refusals with 429, after which {self.came_back} "
              f"requests were answered; {self.left} hung up; {self.audio / took:.2f} s of speech a second.\n")
        print("| seconds to | answers | p50 | p95 | p99 | largest |\n|---|---|---|---|---|---|")
        print(percentiles("first audio, streamed", self.first))
        print(percentiles("last audio", self.last))
        print_memory(memory)
        for error in sorted(set(self.wrong + self.failed)):
            print(f"\n{error}")
        sys.stdout.flush()
        return bool(self.last) and not self.wrong and not self.failed


def resident(pid):
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def watch(pid, end, samples):
    start = time.monotonic()
    while time.monotonic() < end:
        samples.append((time.monotonic() - start, resident(pid)))
        time.sleep(0.5)


def percentiles(name, values):
    if not values:
        return f"| {name} | 0 | | | | |"
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return f"| {name} | {len(values)} | {cuts[49]:.2f} | {cuts[94]:.2f} | {cuts[98]:.2f} | {max(values):.2f} |"


def print_memory(samples):
    """The curve, and what the end takes more than the start."""
    if len(samples) < 20:
        return
    part = lambda a, b: statistics.mean(mb for _, mb in samples[int(a * len(samples)):int(b * len(samples))])
    means = {name: part(*bounds) for name, bounds in PARTS.items()}
    print("\nResident, MB, means: " + ", ".join(f"{name} {mb:.0f}" for name, mb in means.items()) +
          f"; growth {100 * (means['end'] / means['start'] - 1):+.1f} %.")
    curve = samples[:: max(1, len(samples) // 12)]
    print("\n| after s | " + " | ".join(f"{at:.0f}" for at, _ in curve) + " |\n" + "|---" * (len(curve) + 1) + "|")
    print("| MB | " + " | ".join(f"{mb:.0f}" for _, mb in curve) + " |")


@contextlib.contextmanager
def server(args):
    """Address and process of a server, ours unless one is named."""
    if args.url:
        yield args.url.rstrip("/"), args.pid
        return
    command = [args.indextts, "--quiet", "serve", "--port", "0", "--model", args.model, *args.options.split()]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = child.stdout.readline().strip()
        if not url:
            raise SystemExit("the server ended")
        yield url, child.pid
    finally:
        child.terminate()
        child.wait()


def get(url, path):
    with contextlib.closing(http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--indextts", default="target/release/indextts")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--options", default="--max-requests 40", help="more options of `serve`")
    parser.add_argument("--url", help="a running server in place of one that is started")
    parser.add_argument("--pid", type=int, help="the process of that server, for its memory")
    parser.add_argument("--clients", default="1,8,50")
    parser.add_argument("--minutes", type=float, default=3, help="for each number of clients")
    parser.add_argument("--leave", type=float, default=0.05, help="share of streams that are hung up on")
    parser.add_argument("--voices", type=int, default=3)
    parser.add_argument("--fields", type=json.loads, default={}, help="more fields of the requests, JSON")
    parser.add_argument("--rate", type=int, default=22050)
    args = parser.parse_args()
    counts = [int(count) for count in args.clients.split(",")]
    with server(args) as (url, pid):
        voices = [voice["id"] for voice in get(url, "/v1/audio/voices")["data"] if voice["usable"]]
        load = Load(args, url, voices[:args.voices])
        alone = load.alone()
        print(f"`{args.model}` {args.options}: {alone:.2f} s of speech a second alone, "
              f"{resident(pid) if pid else 0:.0f} MB resident after that", flush=True)
        right = [load.run(count, args.minutes, pid) for count in counts]
        print(f"\nafterwards: {get(url, '/health')}")
    raise SystemExit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
