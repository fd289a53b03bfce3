"""Takes the stages' weights from a model directory of the program: to train on from a shipped model.

    python resume.py --data DIR --model ../models/nano [--fresh gpt:emo_]

Writes DATA/stages/NAME/state.pt of the encoder, CAMPPlus, s2mel and its distillation (the shipped DiT for both), the GPT and
the vocoder, the statistics of features and mels, and the lexicon. The import's key tables are read backwards, so every tensor of
the model must have a place, and every tensor of a network a source. `--fresh STAGE:PREFIX` leaves the tensors of a stage that begin with the prefix as they are initialised.
What only training has (optimizers, discriminators, heads) starts anew. A stage that exists is not touched.
"""
import argparse
import json
import re
import shutil
import struct
import sys
import tomllib
from pathlib import Path

import cbor2
import numpy as np
import torch

import campplus.model
import encoder.model
import gpt.model
import labels
import s2mel.model
import vocoder.model

TABLES = Path(__file__).parents[1] / "import" / "tables"
# Constants and places without effect, which no file of the program holds.
UNUSED = re.compile(r"num_batches_tracked$|\.filter$|emo_conditioning_encoder\.embed\.pos_enc|layers\.[0-3]\.skip_in_linear")


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a burnpack file."""
    data = path.read_bytes()
    magic, version, size = struct.unpack("<IHI", data[:10])
    if (magic, version) != (0x4255524E, 1):
        sys.exit(f"{path} is not a burnpack file of version 1")
    start, kinds = -(-(10 + size) // 256) * 256, {"F16": np.float16, "F32": np.float32}
    out = {}
    for name, row in cbor2.loads(data[10:10 + size])["tensors"].items():
        a, b = row["data_offsets"]
        out[name] = torch.from_numpy(np.frombuffer(data[start + a:start + b], kinds[row["dtype"]]).astype(np.float32).reshape(row["shape"]))
    return out


def official_name(layer: dict, name: str) -> tuple[str, str] | None:
    """The official name of the layer that the tensor `name` belongs to, and the tensor's own name in it; None if another's."""
    own = "" if layer["kind"] == "tensor" else name.rsplit(".", 1)[-1]
    pattern = re.sub(r"\\{([ijk])(\\-1)?\\}", lambda m: f"(?P<{m[1]}{'_less' if m[2] else ''}>[0-9]+)", re.escape(layer["to"]))
    found = re.fullmatch(pattern, name.removesuffix(f".{own}") if own else name)
    if found is None:
        return None
    official = layer["from"]
    for index, value in found.groupdict().items():  # `{i-1}` stands for one less than the official index
        official = official.replace(f"{{{index[0]}}}", str(int(value) + index.endswith("_less")))
    return official, own


def official(table: dict, found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The official tensors that the table would import as `found`."""
    out, norms = {}, {}
    for name, x in found.items():
        places = [(layer, *place) for layer in table["layer"] if (place := official_name(layer, name))]
        if len(places) != 1:
            sys.exit(f"{name} has {len(places)} places in {table['file']}")
        layer, to, part = places[0]
        kind = layer["kind"]
        if kind == "tensor":
            out[to] = x.square() if layer.get("op") == "sqrt" else x
        elif kind == "batch_norm":
            norms.setdefault(to, (layer, {}))[1][part] = x
        elif part in ("gamma", "beta"):
            out[f"{to}.{'weight' if part == 'gamma' else 'bias'}"] = x
        elif part == "bias":
            out[f"{to}.bias"] = x
        else:
            if kind in ("linear", "weight_norm_linear"):
                x = x.T.contiguous()
            elif kind in ("conv1", "weight_norm_conv1"):
                x = x.T.contiguous()[..., None]
            if kind.startswith("weight_norm"):
                out[f"{to}.weight_v"] = x
                out[f"{to}.weight_g"] = x.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
            else:
                out[f"{to}.weight"] = x
    for to, (layer, parts) in norms.items():
        scale, shift, eps = parts["scale"], parts["shift"], layer.get("eps", 1e-5)
        if layer.get("affine", True):
            out |= {f"{to}.weight": scale, f"{to}.bias": shift, f"{to}.running_mean": torch.zeros_like(scale),
                    f"{to}.running_var": torch.full_like(scale, 1 - eps)}
        else:
            out |= {f"{to}.running_mean": -shift / scale, f"{to}.running_var": scale**-2 - eps}
    return out


def fill(module: torch.nn.Module, found: dict[str, torch.Tensor], fresh: list[str]) -> None:
    state, problems = module.state_dict(), []
    for name, x in found.items():
        if name not in state:
            problems.append(f"{name} has no place")
        elif state[name].numel() != x.numel():
            problems.append(f"{name} is {list(x.shape)}, expected {list(state[name].shape)}")
        elif not name.startswith(tuple(fresh)):
            state[name] = x.reshape(state[name].shape)
    problems += [f"{name} is missing" for name in state if name not in found and not UNUSED.search(name)]
    if problems:
        sys.exit("\n".join(problems))
    module.load_state_dict(state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--fresh", nargs="*", default=[], metavar="STAGE:PREFIX")
    args = parser.parse_args()
    torch.manual_seed(0)

    def read(table: str, file: str) -> dict[str, torch.Tensor]:
        return official(tomllib.loads((TABLES / f"{table}.toml").read_text()), tensors(args.model / file))

    sound = {re.sub("^cfm.", "", k).replace("length_regulator.", "regulator."): v for k, v in read("s2mel_v2_5", "s2mel.bpk").items()}
    sound |= {f"codec.{k}": v for k, v in read("codec_v2_5", "codec.bpk").items()}
    wave = vocoder.model.Generator(vocoder.model.Config())
    networks = {
        "encoder": (encoder.model.Encoder(encoder.model.Config()), read("w2v_bert", "w2v_bert.bpk"), "model"),
        "campplus": (campplus.model.CamPlus(campplus.model.Config()), read("campplus", "campplus.bpk"), "model"),
        "s2mel": (s2mel.model.S2Mel(s2mel.model.Config(codes=labels.CODES)), sound, "model"),
        "distill": (s2mel.model.S2Mel(s2mel.model.Config(codes=labels.CODES)), sound, "model"),
        "gpt": (gpt.model.Gpt(gpt.model.Config(codes=labels.CODES)), read("gpt_v2_5", "gpt.bpk"), "model"),
        "vocoder": (wave, read("bigvgan", "bigvgan.bpk"), "generator"),
    }
    for stage, (module, found, name) in networks.items():
        path = args.data / "stages" / stage / "state.pt"
        if path.exists():
            print(f"{path} exists")
            continue
        fill(module, found, [f.split(":")[1] for f in args.fresh if f.startswith(f"{stage}:")])
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"step": 0, "spent": 0.0, "modules": {name: module.state_dict(), "ema": module.state_dict()}}, path)
        if stage in ("encoder", "campplus"):
            (path.parent / "done").touch()
        print(path)
    stats, scale = tensors(args.model / "w2v_stats.bpk"), json.loads((args.model / "config.json").read_text())["s2mel"]["mel_scale"]
    for folder in ("tensors", "stages/text"):
        (args.data / folder).mkdir(parents=True, exist_ok=True)
    (args.data / "tensors" / "statistics.json").write_text(json.dumps({
        "content_mean": stats["mean"].tolist(), "content_std": stats["deviation"].tolist(),
        "mel_mean": scale["mean"], "mel_std": scale["deviation"]}))
    shutil.copyfile(args.model / "lexicon.txt", args.data / "stages" / "text" / "lexicon.txt")


if __name__ == "__main__":
    main()
