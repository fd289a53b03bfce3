"""The text side: a SentencePiece vocabulary of single characters, the lexicon's phones and the letters of other words.

Characters rather than longer pieces: the attention can follow the text sound by sound, and what a letter sounds like in
a word that the lexicon lacks is learnt from far fewer sentences than a vocabulary's worth of spellings.

    python -m gpt.text --data DIR
"""
import argparse
import os
import random
from pathlib import Path

import sentencepiece

from corpus import sentences

from . import lexicon

SENTENCES = 42_000
SPELT = 0.3  # share of the words that the vocabulary is counted on as letters


class Reader:
    """Texts to what the program makes of them."""

    def __init__(self, data: Path):
        self.lexicon = lexicon.Lexicon(data / "stages" / "text" / "lexicon.txt")
        self.pieces = load(data)

    def prepared(self, text: str, spell=lambda word: False) -> str:
        return self.lexicon.read(text.upper(), spell)

    def ids(self, text: str) -> list[int]:
        return self.pieces.encode(self.prepared(text))


def train(data: Path) -> None:
    folder = data / "stages" / "text"
    words, rng = lexicon.Lexicon(folder / "lexicon.txt"), random.Random(0)
    texts = [words.read(t.upper(), lambda _: rng.random() < SPELT) for t in sentences.training(SENTENCES, seed=0)]
    characters = set("".join(texts)) - {" "}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(folder / "tmp"), model_type="bpe",
        # Start, stop, unknown, the space; room for nothing else, so that no pieces are joined.
        vocab_size=4 + len(characters), character_coverage=1.0, bos_id=0, eos_id=1, unk_id=2, normalization_rule_name="nmt_nfkc",
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
