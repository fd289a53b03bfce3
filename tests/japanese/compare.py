"""How MeCab sets the words of a text apart with UniDic, as the reference does it, for the test that compares:

    pip install fugashi unidic-lite
    python compare.py TEXT lines.tsv
    UNIDIC=$(python -c "import unidic_lite; print(unidic_lite.DICDIR)") UNIDIC_LINES=$PWD/lines.tsv \\
        cargo test --lib -- --ignored words_are_set_apart_with_unidic

TEXT is any Japanese text in UTF-8; runs of spaces are kept, and what is between them is set apart piece by piece.
"""
import re
import sys
from pathlib import Path

import fugashi

tagger = fugashi.Tagger()


def words(line: str) -> str:
    parts = re.split("( +)", line)
    return "".join(p if not p or p[0] == " " else " ".join(w.surface for w in tagger(p)) for p in parts)


lines = [line.replace("\t", " ") for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line]
Path(sys.argv[2]).write_text("".join(f"{line}\t{words(line)}\n" for line in lines), encoding="utf-8")
