"""Trains the vocoder: spectral losses first, discriminators in the second half of the budget.

    python -m vocoder.train --data DIR [--hours 4] [--gan 0.5] [--threads 1]

The budget is in core-hours over all runs. Stop it at any time (SIGTERM saves); the same command goes on.
"""
import argparse
import random
from pathlib import Path

import torch

from audio import Corpus, mel, mel_filters
from training import Run, average

from .model import Config, Generator, discriminators

SCALES = [(2048, 512, 160), (1024, 256, 80), (512, 128, 40), (256, 64, 20)]
RESCAN = 200


class SpectralLoss:
    """Linear and mel spectra at four resolutions."""

    def __init__(self):
        self.scales = [(n, hop, torch.hann_window(n), mel_filters(n, m)) for n, hop, m in SCALES]

    def __call__(self, made, real):
        linear, perceived = 0, 0
        for n, hop, window, filters in self.scales:
            a, b = (torch.sqrt(torch.clamp(s.real**2 + s.imag**2, min=1e-7))
                    for s in (torch.stft(y, n, hop, n, window, return_complex=True) for y in (made, real)))
            linear += 0.5 * (a.log() - b.log()).abs().mean() + 0.5 * (a - b).norm() / (b.norm() + 1e-4)
            a, b = (torch.log(torch.clamp(filters @ s, min=1e-5)) for s in (a, b))
            perceived += (a - b).abs().mean()
        return linear / len(SCALES), perceived / len(SCALES)


@torch.no_grad()
def validate(ema: Generator, clips: list, loss: SpectralLoss) -> float:
    """Multi-scale log-mel distance of copy synthesis, over the first two seconds of each clip."""
    total = 0.0
    for clip in clips:
        real = torch.from_numpy(clip["audio"][:172 * 256] / 32768).float()[None]
        made = ema(mel(real))
        total += loss(made, real[:, :made.shape[1]])[1].item()
    return total / len(clips)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=4.0, help="core-hours over all runs")
    parser.add_argument("--gan", type=float, default=0.5, help="share of the budget after which discriminators start")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--name", default="vocoder")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = Run(args.data / "stages" / args.name, args.hours)
    generator, critics, loss = Generator(Config()), discriminators(), SpectralLoss()
    ema = Generator(Config())
    ema.load_state_dict(generator.state_dict())
    learn = torch.optim.AdamW(generator.parameters(), 1e-3, betas=(0.8, 0.99), weight_decay=0.01)
    judge = torch.optim.AdamW(critics.parameters(), 4e-4, betas=(0.5, 0.9), weight_decay=0.01)
    modules = {"generator": generator, "ema": ema, "critics": critics, "learn": learn, "judge": judge}
    if (state := run.load()) is not None:
        for name, module in modules.items():
            module.load_state_dict(state[name])
    rng = random.Random(f"{args.seed} {run.step}")
    corpus, checks = Corpus(args.data, {"train"}), Corpus(args.data, {"eval", "held"})
    checks.scan()
    seen = [c for c in checks.clips if c["set"] == "eval"][:8]
    held = [c for c in checks.clips if c["set"] == "held"][:8]
    sums, counted = {}, 0
    while run.progress < 1 and not run.stop:
        if run.step % RESCAN == 0 or not corpus.clips:
            corpus.scan()
        for optimizer, peak in ((learn, 1e-3), (judge, 4e-4)):
            for group in optimizer.param_groups:
                group["lr"] = peak * run.rate()
        mels, real = corpus.crops(rng, args.batch, args.frames, gain=(-1.0, 0.1))
        made = generator(mels)
        values, adversarial = {}, run.progress >= args.gan
        if adversarial:
            judgement = 0
            for critic in critics:
                judgement = judgement + ((1 - critic(real)[0]) ** 2).mean() + (critic(made.detach())[0] ** 2).mean()
            judge.zero_grad()
            judgement.backward()
            torch.nn.utils.clip_grad_norm_(critics.parameters(), 10.0)
            judge.step()
            values["critics"] = judgement.item() / len(critics)
        linear, perceived = loss(made, real)
        total = 5 * linear + 15 * perceived
        values |= {"linear": linear.item(), "mel": perceived.item()}
        if adversarial:
            critics.requires_grad_(False)
            fooled, alike = 0, 0
            for critic in critics:
                with torch.no_grad():
                    _, wanted = critic(real)
                score, features = critic(made)
                fooled = fooled + ((1 - score) ** 2).mean()
                alike = alike + sum((a - b).abs().mean() for a, b in zip(wanted, features))
            critics.requires_grad_(True)
            total = total + fooled + 2 * alike
            values |= {"fooled": fooled.item() / len(critics), "features": alike.item() / len(critics)}
        learn.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 50.0)
        learn.step()
        run.step += 1
        average(ema, generator, run.step, 0.998)
        counted += 1
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value
        if run.step % 50 == 0:
            run.log(**{k: v / counted for k, v in sums.items()}, clips=len(corpus.clips))
            sums, counted = {}, 0
        if run.due():
            run.save({name: module.state_dict() for name, module in modules.items()})
            run.log(seen=validate(ema, seen, loss), held=validate(ema, held, loss))
    if run.progress >= 1:
        (run.folder / "done").touch()


if __name__ == "__main__":
    main()
