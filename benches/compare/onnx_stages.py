"""Seconds of each stage in ONNX Runtime; prints a JSON object.

    python onnx_stages.py export DIR [--codes 100] [--steps 25] [--only STAGE ..]    # with torch and onnx
    python onnx_stages.py run DIR [--threads 2] [--codes 100] [--beams 3] [--steps 25] [--only STAGE ..]

Exports the networks of networks.py, f32, and runs them on the CPU with all graph optimisations. Every part runs once before it
is timed.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np

LAYERS, HEADS, SIZE = 24, 20, 64


def export(args) -> None:
    import torch

    import networks

    args.dir.mkdir(parents=True, exist_ok=True)
    for name in args.only or networks.STAGES:
        for i, part in enumerate(networks.parts(name, args)):
            decoder = isinstance(part, networks.Decoder)
            path = args.dir / name / f"{i}.onnx"
            path.parent.mkdir(exist_ok=True)
            options = {"opset_version": 17, "dynamo": False}
            with torch.inference_mode():
                if decoder:
                    cache = torch.randn(LAYERS, args.beams, HEADS, networks.PREFIX + 1, SIZE)
                    names = ["x", "keys", "values"]
                    axes = {"x": {0: "beams"}} | {n: {1: "beams", 3: "time"} for n in ("keys", "values")} | {n: {3: "all"} for n in ("all_keys", "all_values")}
                    torch.onnx.export(part.module, (torch.randn(args.beams, 1, 1280), cache, cache), str(path), input_names=names,
                                      output_names=["logits", "all_keys", "all_values"], dynamic_axes=axes, **options)
                    torch.onnx.export(part.module, (torch.randn(1, networks.PREFIX + 1, 1280),), str(path.with_name("prefill.onnx")),
                                      input_names=["x"], output_names=["logits", "all_keys", "all_values"], **options)
                else:
                    names = [f"x{i}" for i in range(len(part.inputs))]
                    torch.onnx.export(part.module, part.inputs, str(path), input_names=names, **options)
            shapes = [] if decoder else [list(x.shape) for x in part.inputs]
            path.with_suffix(".json").write_text(json.dumps({"shapes": shapes, "times": getattr(part, "times", 1)}))
            print(path)


def run(args) -> None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    options.log_severity_level = 3
    found, random = {}, np.random.default_rng(0)

    def session(path: Path):
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def noise(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    def decode(path: Path) -> None:
        prefill = session(path.with_name("prefill.onnx"))
        rows = prefill.get_inputs()[0].shape[1]
        x = noise(1, rows, HEADS * SIZE)
        prefill.run(None, {"x": x})
        start = time.perf_counter()
        _, keys, values = prefill.run(None, {"x": x})
        found["prefill"] = time.perf_counter() - start
        del prefill
        step = session(path)
        for steps in (2, args.codes):
            # Caches go from output to input without a copy on the host.
            kept = [ort.OrtValue.ortvalue_from_numpy(np.repeat(k, args.beams, 1)) for k in (keys, values)]
            start = time.perf_counter()
            for _ in range(steps):
                binding = step.io_binding()
                binding.bind_cpu_input("x", noise(args.beams, 1, HEADS * SIZE))
                for n, value in zip(("keys", "values"), kept):
                    binding.bind_ortvalue_input(n, value)
                for n in ("logits", "all_keys", "all_values"):
                    binding.bind_output(n)
                step.run_with_iobinding(binding)
                kept = binding.get_outputs()[1:]
            found["gpt"] = time.perf_counter() - start

    for folder in sorted(args.dir.iterdir()):
        if not folder.is_dir() or (args.only and folder.name not in args.only):
            continue
        for path in sorted(folder.glob("[0-9].onnx")):
            if folder.name == "gpt":
                decode(path)
                continue
            about = json.loads(path.with_suffix(".json").read_text())
            model = session(path)
            inputs = {x.name: noise(*shape) for x, shape in zip(model.get_inputs(), about["shapes"])}
            model.run(None, inputs)
            start = time.perf_counter()
            for _ in range(args.steps if folder.name == "mel" else about["times"]):
                model.run(None, inputs)
            found[folder.name] = found.get(folder.name, 0) + time.perf_counter() - start
            del model
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["export", "run"])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--codes", type=int, default=100)
    parser.add_argument("--beams", type=int, default=3)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    {"export": export, "run": run}[args.what](args)


if __name__ == "__main__":
    main()
