"""The text side: a small SentencePiece vocabulary, upper-case as the pipeline makes it.

    python -m gpt.text --data DIR
"""
import argparse
import os
from pathlib import Path

import sentencepiece

from corpus import sentences

PIECES, SENTENCES = 400, 42_000


def prepared(text: str) -> str:
    return text.upper()


def train(data: Path) -> None:
    folder = data / "stages" / "text"
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prepared(t) for t in sentences.training(SENTENCES, seed=0)), model_prefix=str(folder / "tmp"), model_type="bpe",
        vocab_size=PIECES, character_coverage=1.0, bos_id=0, eos_id=1, unk_id=2, normalization_rule_name="nmt_nfkc",
        max_sentence_length=1000, minloglevel=2)
    os.replace(folder / "tmp.model", folder / "bpe.model")
    (folder / "tmp.vocab").unlink()


def load(data: Path) -> sentencepiece.SentencePieceProcessor:
    path = data / "stages" / "text" / "bpe.model"
    if not path.exists():
        raise SystemExit(f"{path} is missing: run python -m gpt.text --data {data}")
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    train(parser.parse_args().data)
