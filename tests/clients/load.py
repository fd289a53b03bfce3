"""Keeps clients busy for a while: python tests/clients/load.py URL --clients N --minutes M [--pid PID].

Every client repeats a few requests (text, voice, seed), whole or streamed. Answers to equal requests must be equal bytes, so
a mixed-up or damaged answer shows. Prints Markdown; exits with 1 if an answer was wrong.
"""
import argparse
import asyncio
import hashlib
import random
import statistics
import time
from pathlib import Path

import httpx

TEXTS = ["HELLO WORLD.", "HELLO WORLD. HOW ARE YOU TODAY?", "THIS IS A LONGER TEXT. IT HAS SENTENCES. THREE OF THEM."]


class Load:
    def __init__(self, args, voices):
        self.args, self.voices = args, voices
        self.end = time.monotonic() + 60 * args.minutes
        self.first, self.whole = [], []
        self.digests, self.wrong, self.busy, self.failed = {}, 0, 0, []

    async def client(self, number, http):
        draw = random.Random(number)
        while time.monotonic() < self.end:
            case = (draw.choice(TEXTS), draw.choice(self.voices), draw.randrange(8))
            await self.request(case, draw.random() < 0.5, http)

    async def request(self, case, stream, http):
        text, voice, seed = case
        body = {"input": text, "voice": voice, "seed": seed, "response_format": "pcm", "stream": stream}
        body |= {"steps": self.args.steps, "beams": 1, "max_codes": self.args.codes, "segment_tokens": 20}
        start, first, digest = time.monotonic(), None, hashlib.sha256()
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
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return
        if stream:
            self.first.append(first)
        self.whole.append(time.monotonic() - start)
        # Flow matching in pieces is near that in one go, not equal to it.
        if self.digests.setdefault((case, stream), digest.digest()) != digest.digest():
            self.wrong += 1


def resident(pid):
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def watch(pid, end, samples):
    start = time.monotonic()
    while time.monotonic() < end:
        samples.append((time.monotonic() - start, resident(pid)))
        await asyncio.sleep(5)


def percentiles(name, values):
    if not values:
        return f"| {name} | 0 | | | | |"
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return f"| {name} | {len(values)} | {cuts[49]:.2f} | {cuts[89]:.2f} | {cuts[98]:.2f} | {max(values):.2f} |"


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pid", type=int, help="the server's process, for its memory")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--codes", type=int, default=24)
    args = parser.parse_args()
    limits = httpx.Limits(max_connections=args.clients + 1)
    async with httpx.AsyncClient(timeout=600, limits=limits, trust_env=False) as http:
        voices = (await http.get(f"{args.url}/v1/audio/voices")).raise_for_status().json()["data"]
        load = Load(args, [voice["id"] for voice in voices if voice["usable"]])
        memory = []
        jobs = [load.client(number, http) for number in range(args.clients)]
        jobs += [watch(args.pid, load.end, memory)] if args.pid else []
        await asyncio.gather(*jobs)
    print(f"{args.clients} clients, {args.minutes:g} minutes, {len(load.whole)} answers, {load.busy} told to come back, "
          f"{len(load.failed)} failed, {load.wrong} wrong\n")
    print("| seconds to | answers | median | 90 % | 99 % | largest |\n|---|---|---|---|---|---|")
    print(percentiles("first audio, streamed", load.first))
    print(percentiles("last audio", load.whole))
    if memory:
        print("\n| after s | resident MB |\n|---|---|")
        for at, megabytes in memory[:: max(1, len(memory) // 12)]:
            print(f"| {at:.0f} | {megabytes:.0f} |")
    for error in sorted(set(load.failed)):
        print(f"\n{error}")
    raise SystemExit(1 if load.wrong or load.failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
