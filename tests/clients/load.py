"""Keeps clients busy for a while: python tests/clients/load.py URL --clients N --minutes M [--pid PID].

Every client repeats a few requests (text, voice, seed), whole or streamed. Before the load each of them is asked once, alone;
every later answer must have the same bytes, so a mixed-up, damaged or cut answer shows. Some clients hang up in the middle of a
stream, as people do. Prints Markdown; exits with 1 if an answer was wrong or failed.
"""
import argparse
import asyncio
import hashlib
import itertools
import json
import random
import statistics
import time
from pathlib import Path

import httpx

TEXTS = ["The train to the coast leaves at nine.", "Could you open the window? It is rather warm in here.",
         "She read the letter twice. Then she put it back. Nobody asked what it said, and the evening went on."]
SEEDS = (1, 2)


class Load:
    def __init__(self, args, voices):
        self.args = args
        self.cases = list(itertools.product(TEXTS, voices, SEEDS, (False, True)))
        self.first, self.whole, self.audio = [], [], 0.0
        self.right, self.wrong, self.busy, self.left, self.failed = {}, 0, 0, 0, []

    async def client(self, number, http):
        draw = random.Random(number)
        while time.monotonic() < self.end:
            case = draw.choice(self.cases)
            await self.request(case, http, case[3] and draw.random() < self.args.leave)

    async def request(self, case, http, leaves=False):
        text, voice, seed, stream = case
        body = {"input": text, "voice": voice, "seed": seed, "response_format": "pcm", "stream": stream} | self.args.fields
        start, first, digest, size = time.monotonic(), None, hashlib.sha256(), 0
        try:
            async with http.stream("POST", f"{self.args.url}/v1/audio/speech", json=body) as answer:
                if answer.status_code == 429:
                    self.busy += 1
                    await asyncio.sleep(int(answer.headers["retry-after"]))
                    return
                answer.raise_for_status()
                async for piece in answer.aiter_bytes():
                    first = first or time.monotonic() - start
                    digest.update(piece)
                    size += len(piece)
                    if leaves:
                        self.left += 1
                        return
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return
        if stream:
            self.first.append(first)
        self.whole.append(time.monotonic() - start)
        self.audio += size / 2 / self.args.rate
        if self.right.setdefault(case, digest.digest()) != digest.digest():
            self.wrong += 1


def resident(pid):
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def watch(pid, end, samples):
    start = time.monotonic()
    while time.monotonic() < end:
        samples.append((time.monotonic() - start, resident(pid)))
        await asyncio.sleep(2)


def percentiles(name, values):
    if not values:
        return f"| {name} | 0 | | | | |"
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return f"| {name} | {len(values)} | {cuts[49]:.2f} | {cuts[89]:.2f} | {cuts[98]:.2f} | {max(values):.2f} |"


def print_memory(samples):
    """The curve, and how much more the second half takes than the first, its beginning left out."""
    print("\n| after s | resident MB |\n|---|---|")
    for at, megabytes in samples[:: max(1, len(samples) // 12)]:
        print(f"| {at:.0f} | {megabytes:.0f} |")
    warm = [megabytes for _, megabytes in samples[len(samples) // 10:]]
    early, late = (statistics.mean(half) for half in (warm[:len(warm) // 2], warm[len(warm) // 2:]))
    print(f"\nmean of the first half {early:.1f} MB, of the second {late:.1f} MB: {100 * (late / early - 1):+.1f} %")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pid", type=int, help="the server's process, for its memory")
    parser.add_argument("--leave", type=float, default=0.05, help="share of streams that are hung up on")
    parser.add_argument("--fields", type=json.loads, default={}, help="more fields of the requests, JSON")
    parser.add_argument("--rate", type=int, default=22050)
    args = parser.parse_args()
    limits = httpx.Limits(max_connections=args.clients + 1)
    async with httpx.AsyncClient(timeout=3600, limits=limits, trust_env=False) as http:
        voices = (await http.get(f"{args.url}/v1/audio/voices")).raise_for_status().json()["data"]
        load = Load(args, [voice["id"] for voice in voices if voice["usable"]][:3])
        for case in load.cases:
            await load.request(case, http)
        if len(load.right) < len(load.cases) or len(set(load.right.values())) < len(load.cases):
            raise SystemExit(f"alone, two requests were answered alike, or some not at all: {load.failed}")
        alone = load.audio / sum(load.whole)
        load.first, load.whole, load.audio = [], [], 0.0
        load.end, memory = time.monotonic() + 60 * args.minutes, []
        jobs = [load.client(number, http) for number in range(args.clients)]
        jobs += [watch(args.pid, load.end, memory)] if args.pid else []
        start = time.monotonic()
        await asyncio.gather(*jobs)
    print(f"{args.clients} clients, {args.minutes:g} minutes: {len(load.whole)} answers, each compared with the one of {len(load.cases)} "
          f"that were asked alone before; {load.wrong} wrong, {len(load.failed)} failed, {load.busy} told to come back, "
          f"{load.left} hung up; {load.audio / (time.monotonic() - start):.1f} s of speech a second (alone {alone:.1f})\n")
    print("| seconds to | answers | median | 90 % | 99 % | largest |\n|---|---|---|---|---|---|")
    print(percentiles("first audio, streamed", load.first))
    print(percentiles("last audio", load.whole))
    if memory:
        print_memory(memory)
    for error in sorted(set(load.failed)):
        print(f"\n{error}")
    raise SystemExit(1 if load.wrong or load.failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
