"""Makes tiny.model: a SentencePiece model small enough for the golden GPT's vocabulary of 100 (ids 0 and 1 are start and
stop, as in the official bpe.model). Needs the PyPI package sentencepiece.

    python make_tiny.py
"""
import random
from pathlib import Path

import sentencepiece

HERE = Path(__file__).parent
WORDS = (
    "HELLO WORLD THE QUICK BROWN FOX JUMPS OVER A LAZY DOG PLEASE SAY THIS AGAIN TODAY WE WALK TO RIVER AND BACK ONE TWO "
    "THREE FOUR FIVE SIX SEVEN EIGHT NINE TEN QUIZ VEX JUMBO ZERO"
).split()

random.seed(0)
lines = [" ".join(random.choices(WORDS, k=random.randint(3, 12))) + random.choice(".?!,'-") for _ in range(2000)]
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines), model_prefix=str(HERE / "tiny"), vocab_size=96, model_type="bpe",
    bos_id=0, eos_id=1, unk_id=2, pad_id=-1, character_coverage=1.0,
)
(HERE / "tiny.vocab").unlink()
