"""Sound from the trained stages, for the gates on the way: what the vocoder, the DiT and the GPT each can do.

    python evaluate.py --data DIR --what copy|oracle|speech --out DIR [--set eval|held] [--count 20]

copy: vocoder on real mels. oracle: DiT on the true codes, then the vocoder. speech: everything, from the text.
Writes wavs and items.jsonl, which tests/quality/judge.py reads.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch

import corpus_tensors
import gpt.model
import gpt.text
import gpt.train
import labels
import s2mel.model
import s2mel.train
import vocoder.model
from audio import RATE
from corpus_tensors import average_model

PROMPT = 258  # mel frames, three seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--what", choices=["copy", "oracle", "speech"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", choices=["eval", "held"], default="eval")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--flow", choices=["distill", "s2mel"], default="distill", help="stage whose DiT speaks")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--guidance", type=float, default=0.0)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--prompt", type=int, default=PROMPT, help="mel frames")
    parser.add_argument("--noise", type=float, default=0.1, help="scale of the noise that the flow starts from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    wave = average_model(args.data, "vocoder", lambda: vocoder.model.Generator(vocoder.model.Config()))
    clips, statistics = corpus_tensors.build(args.data, {"train", "eval", "held"})
    wanted = [c for c in clips if c.kind == args.set][:args.count]
    pool = [c for c in clips if c.kind == ("train" if args.set == "eval" else "held")]
    if args.what != "copy":
        config = s2mel.model.Config(codes=labels.CODES)
        sound = average_model(args.data, args.flow, lambda: s2mel.model.S2Mel(config))
    if args.what == "speech":
        speaker = average_model(args.data, "gpt", lambda: gpt.model.Gpt(gpt.model.Config(codes=labels.CODES)))
        reader = gpt.text.Reader(args.data)
    generator = torch.Generator().manual_seed(args.seed)
    audio = args.data / "corpus" / "audio"
    voices = sorted({c.voice for c in wanted})
    sample = {v: next(c for c in pool if c.voice == v) for v in voices}
    with (args.out / "items.jsonl").open("w") as items, torch.no_grad():
        for clip in wanted:
            reference = next(c for c in pool if c.voice == clip.voice and c.id != clip.id and len(c.mel) > args.prompt)
            spectrum = torch.from_numpy(clip.mel.astype(np.float32))[None]
            if args.what != "copy":
                style = torch.from_numpy(reference.style)[None]
                codes = torch.from_numpy(clip.codes.astype(np.int64))[None]
                if args.what == "speech":
                    content = torch.from_numpy(reference.content[:gpt.train.REFERENCE].astype(np.float32))[None]
                    ids = torch.tensor(reader.ids(clip.text))
                    said = speaker.generate(style[0], speaker.emotion(content)[0], ids, args.temperature, generator=generator)
                    codes = torch.tensor(said or [0])[None]
                before, prompt = s2mel.train.part(reference, 0, args.prompt)
                prompt = torch.from_numpy(prompt.astype(np.float32))[None]
                content = torch.cat([sound.regulator(torch.from_numpy(before.astype(np.float32))[None], args.prompt),
                                     sound.regulator(sound.codec(codes), corpus_tensors.frames_of(codes.shape[1]))], 1)
                spectrum = sound.solve(prompt, content, style, args.steps, args.guidance, args.noise, generator)
            samples = wave((spectrum * statistics.mel_std + statistics.mel_mean).transpose(1, 2))[0].clamp(-1, 1)
            path = args.out / f"{clip.id}.wav"
            soundfile.write(path, samples.numpy(), RATE, subtype="PCM_16")
            items.write(json.dumps({
                "wav": str(path), "text": clip.text, "ref": str(audio / f"{reference.id}.flac"),
                "others": [str(audio / f"{sample[v].id}.flac") for v in voices if v != clip.voice][:7]}) + "\n")


if __name__ == "__main__":
    main()
