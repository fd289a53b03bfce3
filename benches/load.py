"""How a server holds up: latency, memory and right answers with 1, 8 and 50 clients at a time.

    python benches/load.py --indextts target/release/indextts [--model nano|DIR] [--clients 1,8,50] [--minutes 3]
    python benches/load.py --clients 50 --minutes 10
    python benches/load.py --url http://127.0.0.1:8080 --pid PID        # a server that runs already

Needs the package httpx. Every client repeats a few requests (text, voice, seed), whole or streamed. Before the load each of them
is asked once, alone; every later answer must have the same bytes, so a mixed-up, damaged or cut answer shows. The server has
fewer places than there are clients, so that some are told to come back (429) and do, after the time they are told; the time they
wait counts. Some clients hang up in the middle of a stream, as people do. Prints Markdown; exits with 1 if an answer was wrong or
failed.
"""
import argparse
import asyncio
import contextlib
import hashlib
import itertools
import json
import random
import statistics
import subprocess
import time
from pathlib import Path

import httpx

TEXTS = ["The train to the coast leaves at nine.", "Could you open the window? It is rather warm in here.",
         "She read the letter twice. Then she put it back. Nobody asked what it said, and the evening went on."]
SEEDS = (1, 2)
# Shares of a run whose memory is compared; what comes before the first is warming up.
PARTS = {"start": (0.1, 0.3), "middle": (0.45, 0.65), "end": (0.8, 1.0)}


class Load:
    def __init__(self, args, http, url, voices):
        self.args, self.http, self.url = args, http, url
        self.cases = list(itertools.product(TEXTS, voices, SEEDS, (False, True)))
        self.right = {}
        self.reset()

    def reset(self):
        self.first, self.last, self.audio = [], [], 0.0
        self.wrong, self.busy, self.came_back, self.left, self.failed = [], 0, 0, 0, []

    async def client(self, number, end):
        draw = random.Random(number)
        while time.monotonic() < end:
            case = draw.choice(self.cases)
            await self.request(case, case[3] and draw.random() < self.args.leave)

    async def request(self, case, leaves=False):
        """Asks until there is a place, and keeps what came of it."""
        text, voice, seed, stream = case
        body = {"input": text, "voice": voice, "seed": seed, "response_format": "pcm", "stream": stream} | self.args.fields
        start, first, refused = time.monotonic(), None, 0
        try:
            while True:
                digest, size = hashlib.sha256(), 0
                async with self.http.stream("POST", f"{self.url}/v1/audio/speech", json=body) as answer:
                    if answer.status_code != 429:
                        answer.raise_for_status()
                        async for piece in answer.aiter_bytes():
                            first = first or time.monotonic() - start
                            digest.update(piece)
                            size += len(piece)
                            if leaves:
                                self.left += 1
                                return
                        break
                    seconds = int(answer.headers["retry-after"])
                refused += 1
                self.busy += 1
                await asyncio.sleep(seconds)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            self.failed.append(repr(error))
            return
        self.came_back += refused > 0
        if stream:
            self.first.append(first)
        self.last.append(time.monotonic() - start)
        self.audio += size / 2 / self.args.rate
        if self.right.setdefault(case, digest.digest()) != digest.digest():
            owner = next((other for other, right in self.right.items() if right == digest.digest()), "nobody")
            self.wrong.append(f"the answer to {case} is that to {owner}")

    async def alone(self):
        """The answers that all later ones must equal; the speed with one client, in seconds of speech a second."""
        start = time.monotonic()
        for case in self.cases:
            await self.request(case)
        if len(self.right) < len(self.cases):
            raise SystemExit(f"alone, some requests failed: {self.failed}")
        if len(set(self.right.values())) < len(self.cases) - len(self.cases) // 2:
            raise SystemExit("alone, requests with unlike texts, voices or seeds were answered alike: nothing can be told apart")
        return self.audio / (time.monotonic() - start)

    async def run(self, clients, minutes, pid):
        """Keeps `clients` busy; true if all was right."""
        self.reset()
        start, memory = time.monotonic(), []
        end = start + 60 * minutes
        jobs = [self.client(number, end) for number in range(clients)]
        jobs += [watch(pid, end, memory)] if pid else []
        await asyncio.gather(*jobs)
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
        return bool(self.last) and not self.wrong and not self.failed


def resident(pid):
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def watch(pid, end, samples):
    start = time.monotonic()
    while time.monotonic() < end:
        samples.append((time.monotonic() - start, resident(pid)))
        await asyncio.sleep(0.5)


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


async def main():
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
    limits = httpx.Limits(max_connections=max(counts) + 1)
    with server(args) as (url, pid):
        async with httpx.AsyncClient(timeout=3600, limits=limits, trust_env=False) as http:
            voices = (await http.get(f"{url}/v1/audio/voices")).raise_for_status().json()["data"]
            load = Load(args, http, url, [voice["id"] for voice in voices if voice["usable"]][:args.voices])
            alone = await load.alone()
            print(f"`{args.model}` {args.options}: {alone:.2f} s of speech a second alone, "
                  f"{resident(pid) if pid else 0:.0f} MB resident after that", flush=True)
            right = [await load.run(count, args.minutes, pid) for count in counts]
            health = (await http.get(f"{url}/health")).status_code
    if health != 200:
        raise SystemExit(f"afterwards /health says {health}")
    raise SystemExit(0 if all(right) else 1)


if __name__ == "__main__":
    asyncio.run(main())
