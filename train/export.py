"""Writes the trained stages as an official model directory, which `indextts models import` reads.

    python export.py --data DIR --out DIR [--voices DIR] [--draft]

`--voices` takes the clips of the model's own voices from a folder (those of a shipped model, say) instead of the corpus. `--draft` takes untrained weights for stages that have no checkpoint yet: to test the way, never to ship.
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import yaml

import campplus.model
import corpus_tensors
import encoder.model
import gpt.model
import gpt.train
import labels
import s2mel.model
import vocoder.model

EMOTIONS = ["happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm"]
# Speed, power of the pitch range and pitch shift in semitones that stand for each. They say how such speech differs
# in pace and melody; nothing in the corpus is acted.
MANNERS = {
    "happy": (1.12, 1.45, 1.5), "angry": (1.22, 1.3, -1.0), "sad": (0.84, 0.6, -1.5), "afraid": (1.25, 0.9, 3.0),
    "disgusted": (0.86, 0.9, -2.5), "melancholic": (0.78, 0.5, -2.5), "surprised": (1.0, 1.7, 2.5), "calm": (0.9, 0.75, 0.0),
}
FIRMLY = 2.0  # how far beyond them the vectors point: the GPT follows them about half of the way
ROWS = 8  # of the bank for each emotion: clips of different voices
VOICES = {"bella": "af_bella", "george": "bm_george", "michael": "am_michael"}  # that the model brings along
LONG = 6.0  # seconds that a clip of theirs should last


def official(state: dict, prefix: str = "") -> dict:
    return {prefix + k: v.detach().clone().contiguous() for k, v in state.items()}


@torch.no_grad()
def bank(data: Path, speaker: gpt.model.Gpt) -> tuple[torch.Tensor, torch.Tensor]:
    """Style vectors of the clips whose manner comes nearest to each emotion, with the emotion vector of that manner.

    The vector is a linear function of the manner, fitted to all clips: a single clip's has its sentence in it too."""
    clips, _ = corpus_tensors.build(data, {"train", "varied"})
    manner = gpt.train.manners(data)
    points = np.array([gpt.train.point(*manner[c.id]) for c in clips])
    heard = np.stack([speaker.emotion(torch.from_numpy(c.content.astype(np.float32))[None, :750])[0].numpy() for c in clips])
    known = np.concatenate([points, np.ones((len(points), 1))], 1)
    fitted, *_ = np.linalg.lstsq(known, heard, rcond=None)
    styles, vectors = [], []
    for name in EMOTIONS:
        wanted = gpt.train.point(*MANNERS[name])
        vector = np.append(wanted * FIRMLY, 1.0) @ fitted
        for i in np.linalg.norm(points - wanted, axis=1).argsort()[:ROWS]:
            styles.append(torch.from_numpy(clips[i].style))
            vectors.append(torch.from_numpy(vector))
    return torch.stack(styles).float(), torch.stack(vectors).float()


def voices(data: Path, out: Path, shipped: Path | None) -> None:
    """A clip of each of VOICES: a shipped one, or the one that is nearest to LONG."""
    out.mkdir(parents=True, exist_ok=True)
    if shipped:
        for name in VOICES:
            shutil.copyfile(shipped / f"{name}.flac", out / f"{name}.flac")
        return
    clips, _ = corpus_tensors.build(data, {"train"})
    for name, voice in VOICES.items():
        best = min((c for c in clips if c.voice == voice), key=lambda c: abs(len(c.codes) * labels.CODE - LONG))
        shutil.copyfile(data / "corpus" / "audio" / f"{best.id}.flac", out / f"{name}.flac")


def configuration(g: gpt.model.Config, s: s2mel.model.Config, statistics, layers: int) -> dict:
    module = {"output_size": g.emotion, "linear_units": g.emotion_inner, "attention_heads": g.emotion_heads,
              "num_blocks": g.emotion_layers, "input_layer": "conv2d2", "perceiver_mult": 2}
    return {
        "version": 2.5, "w2v_layer": layers,
        "gpt": {
            "model_dim": g.width, "layers": g.layers, "heads": g.heads, "max_mel_tokens": g.max_codes, "max_text_tokens": g.max_text,
            "number_text_tokens": g.text, "number_mel_codes": g.codes + 2, "start_mel_token": g.start, "stop_mel_token": g.stop,
            "start_text_token": 0, "stop_text_token": 1, "condition_type": "conformer_perceiver", "emo_condition_module": module,
            "alignment": {"layers": list(gpt.model.GUIDED_LAYERS), "heads": gpt.model.GUIDED_HEADS},
        },
        "semantic_codec": {"codebook_size": s.codes, "hidden_size": s.content, "codebook_dim": s.code_dim, "vocos_dim": s.vocos,
                           "vocos_intermediate_dim": s.vocos_inner, "vocos_num_layers": s.vocos_layers},
        "s2mel": {
            "preprocess_params": {"sr": 22050, "spect_params": {
                "n_fft": 1024, "win_length": 1024, "hop_length": 256, "n_mels": 80, "fmin": 0, "fmax": "None",
                "mean": statistics.mel_mean, "std": statistics.mel_std}},
            "dit_type": "DiT", "style_encoder": {"dim": s.style},
            "length_regulator": {"channels": s.channels, "is_discrete": False, "in_channels": s.content, "sampling_ratios": [1, 1, 1, 1],
                                 "vector_quantize": False, "n_codebooks": 1, "f0_condition": False},
            "DiT": {"hidden_dim": s.width, "num_heads": s.heads, "depth": s.layers, "in_channels": 80, "style_condition": True,
                    "final_layer_type": "wavenet", "content_dim": s.channels, "f0_condition": False, "is_causal": False,
                    "long_skip_connection": True, "uvit_skip_connection": True, "time_as_token": False, "style_as_token": False,
                    "zero_prompt_speech_token": False, "add_resblock_in_transformer": False},
            "wavenet": {"hidden_dim": s.width, "num_layers": s.wavenet, "kernel_size": s.kernel, "dilation_rate": 1, "style_condition": True},
        },
        "emo_num": [ROWS] * len(EMOTIONS), "vocoder": {"name": "bigvgan_generator.pt"},
        "defaults": {"beams": 1, "temperature": 0.7, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.0, "max_codes": 600,
                     "steps": 4, "guidance": 0.0, "noise": 0.1, "prompt_seconds": 2.0, "max_segment_tokens": 90, "interval_silence": 100},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--voices", type=Path)
    parser.add_argument("--draft", action="store_true")
    args = parser.parse_args()
    g, s = gpt.model.Config(codes=labels.CODES), s2mel.model.Config(codes=labels.CODES)
    e, w = encoder.model.Config(), vocoder.model.Config()

    def take(stage, make):
        if args.draft and not (args.data / "stages" / stage / "state.pt").exists():
            print(f"untrained: {stage}")
            return make().eval()
        return corpus_tensors.average_model(args.data, stage, make)

    speaker, sound = take("gpt", lambda: gpt.model.Gpt(g)), take("distill", lambda: s2mel.model.S2Mel(s))
    content, style = take("encoder", lambda: encoder.model.Encoder(e)), take("campplus", lambda: campplus.model.CamPlus(campplus.model.Config()))
    wave = take("vocoder", lambda: vocoder.model.Generator(w))
    styles, vectors = bank(args.data, speaker)
    _, statistics = corpus_tensors.build(args.data, {"eval"})

    cache = args.out / "hf_cache"
    for folder in (cache / "bigvgan", cache / "w2v-bert-2.0"):
        folder.mkdir(parents=True, exist_ok=True)
    torch.save(official(speaker.state_dict()), args.out / "gpt.pth")
    torch.save({"net": {"cfm": official(sound.estimator.state_dict(), "estimator."),
                        "length_regulator": official(sound.regulator.state_dict())}}, args.out / "s2mel.pth")
    torch.save({"model": official(sound.codec.state_dict())}, args.out / "codec.pth")
    torch.save({"mean": torch.from_numpy(statistics.content_mean), "var": torch.from_numpy(statistics.content_std) ** 2},
               args.out / "wav2vec2bert_stats.pt")
    torch.save(styles, args.out / "feat1.pt")
    torch.save(vectors, args.out / "feat2.pt")
    torch.save(official(style.state_dict()), cache / "campplus_cn_common.bin")
    torch.save({"generator": wave.official()}, cache / "bigvgan" / "bigvgan_generator.pt")
    safetensors.torch.save_file(official(content.state_dict()), cache / "w2v-bert-2.0" / "model.safetensors")
    (cache / "bigvgan" / "config.json").write_text(json.dumps(w.official(), indent=1))
    (cache / "w2v-bert-2.0" / "config.json").write_text(json.dumps(e.official(), indent=1))
    for name in ("bpe.model", "lexicon.txt"):
        shutil.copyfile(args.data / "stages" / "text" / name, args.out / name)
    shutil.copyfile(Path(__file__).parent / "MODEL_CARD.md", args.out / "MODEL_CARD.md")
    (args.out / "config.yaml").write_text(yaml.safe_dump(configuration(g, s, statistics, e.layers), sort_keys=False))
    voices(args.data, args.out / "voices", args.voices)
    print(args.out)


if __name__ == "__main__":
    main()
