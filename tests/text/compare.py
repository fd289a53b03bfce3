"""How many lines of the corpora the WeText grammars read as they are written down there: the reference uses these grammars.

    python -m venv venv && venv/bin/pip install wetext==0.1.8
    venv/bin/python tests/text/compare.py [--show]

The grammars are those of the PyPI package wetext, with the reference's settings, its contractions and its character map
(text specification A.1, A.3, A.5). Case, spaces, commas and hyphens make no difference here, and lines with pinyin, which the
reference keeps from the grammars, do not count; `--show` prints the lines that differ.
"""
import re
import sys
from pathlib import Path

from wetext import Normalizer

HERE = Path(__file__).parent
IS = re.compile(r"(what|where|who|which|how|t?here|it|s?he|that|this)'s", re.I)
# In the order of the reference's table; the first that matches counts.
MARKS = [(c, ",") for c in "：；;，"] + [("。", "."), ("！", "!"), ("？", "?"), ("\n", " "), ("·", "-"), ("、", ","), ("...", "…"),
         (",,,", "…"), ("……", "…")] + [(c, "'") for c in "“”\"‘’（）()《》【】[]"] + [("—", "-"), ("～", "-"), ("~", "-"),
         ("「", "'"), ("」", "'"), (":", ",")]


def mapped(text: str, chinese: bool) -> str:
    marks = dict(([("$", ".")] if chinese else []) + MARKS)
    return re.sub("|".join(map(re.escape, marks)), lambda found: marks[found[0]], text)


def letters(text: str) -> str:
    return re.sub(r"[-,\s]", "", text.lower())


def main() -> None:
    settings = {"zh": {"remove_erhua": False}, "en": {}}
    for language, more in settings.items():
        normalizer = Normalizer(lang=language, operator="tn", **more)
        lines = equal = failed = 0
        for line in (HERE / f"{language}.tsv").read_text(encoding="utf-8").splitlines():
            if line.startswith("##"):
                continue
            written, want = line.split("\t")
            if re.search("[0-9]", want):
                continue
            lines += 1
            try:
                got = mapped(normalizer.normalize(IS.sub(r"\1 is", written)), language == "zh")
            except Exception as error:
                got = f"({type(error).__name__})"
                failed += 1
            if letters(got) == letters(want):
                equal += 1
            elif "--show" in sys.argv:
                print(f"{written}\n  ours   {want}\n  wetext {got}")
        print(f"{language}: {equal} of {lines} lines equal, {failed} stopped with an error")


main()
