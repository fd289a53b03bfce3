"""How long a user waits: until the server is ready, for the first samples of a stream, and for a whole sentence of `say`.

    python benches/latency.py --indextts target/release/indextts [--model nano|DIR] [--rounds 7] [--options "--weights bf16"]

Prints medians and all times, in seconds. The page cache is warm from the second round on.
"""
import argparse
import http.client
import json
import re
import socket
import statistics
import subprocess
import time

SENTENCE = "The weather was cold but the sun was shining today."


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def server(args) -> dict:
    """From the start of the process until it answers, and from a request to its first and last samples."""
    port, found = free_port(), {}
    start = time.perf_counter()
    child = subprocess.Popen([args.indextts, "--quiet", "serve", "--port", str(port), "--model", args.model, *args.options.split()],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
                connection.request("GET", "/health")
                if connection.getresponse().read():
                    break
            except OSError:
                if child.poll() is not None:
                    raise SystemExit("the server ended") from None
                time.sleep(0.002)
        found["ready"] = time.perf_counter() - start
        # Twice: the first request makes the voice.
        for name in ("first request", "request"):
            body = json.dumps({"input": SENTENCE, "response_format": "pcm", "stream": True, "seed": 1, "voice": args.voice})
            start = time.perf_counter()
            connection.request("POST", "/v1/audio/speech", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise SystemExit(answer.read().decode())
            answer.read(2)
            found[f"{name}, first samples"] = time.perf_counter() - start
            answer.read()
            found[f"{name}, last samples"] = time.perf_counter() - start
    finally:
        child.terminate()
        child.wait()
    return found


def say(args) -> dict:
    """A process from start to end."""
    start = time.perf_counter()
    command = [args.indextts, "say", SENTENCE, "--model", args.model, "-o", "/dev/null", *args.options.split()]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    wall = time.perf_counter() - start
    seconds = float(re.search(r"([\d.]+) s of speech", said)[1])
    return {"say": wall, "say, real-time factor": wall / seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--indextts", default="target/release/indextts")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--voice", default="bella")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--options", default="", help="more options of `serve` and `say`")
    args = parser.parse_args()
    rows = [server(args) | say(args) for _ in range(args.rounds)]
    print("| | median, s | all |\n|---|---|---|")
    for name in rows[0]:
        times = [row[name] for row in rows]
        print(f"| {name} | {statistics.median(times):.3f} | {' '.join(f'{t:.3f}' for t in times)} |")


if __name__ == "__main__":
    main()
