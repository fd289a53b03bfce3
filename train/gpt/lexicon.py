"""How words are said: CMUdict in one character a phone, with marks before stressed vowels.

    python -m gpt.lexicon --data DIR --tools DIR

A word that the lexicon knows reaches the GPT as phones, any other as letters. The program looks words up in the same file
(`lexicon.txt`, src/text/lexicon.rs); both are tested on the same words.
"""
import argparse
import os
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

# ARPABET to the lexicon's characters. Diphthongs have a macron, like the vowel's name in a school dictionary.
VOWELS = {"AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "ū", "AY": "ī", "EH": "ɛ", "ER": "ɜ", "EY": "ē", "IH": "ɪ", "IY": "i",
          "OW": "ō", "OY": "ȳ", "UH": "ʊ", "UW": "u"}
CONSONANTS = {"B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "ʤ", "K": "k", "L": "l", "M": "m",
              "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j",
              "Z": "z", "ZH": "ʒ"}
SCHWA = "ə"  # an unstressed AH
STRESS = {"0": "", "1": "ˈ", "2": "ˌ"}
ALPHABET = "".join([*VOWELS.values(), *CONSONANTS.values(), SCHWA, "ˈˌ"])
WORD = re.compile(r"[A-Z]+(?:'[A-Z]+)*")
# Kokoro's symbols that differ from ours.
KOKORO = str.maketrans({"A": "ē", "I": "ī", "O": "ō", "Q": "ō", "W": "ū", "Y": "ȳ", "ᵻ": "ɪ", "ᵊ": "ə", "ː": None})


def characters(arpabet: list[str]) -> str:
    out = []
    for phone in arpabet:
        if phone in CONSONANTS:
            out.append(CONSONANTS[phone])
        elif phone == "AH0":
            out.append(SCHWA)
        else:
            out.append(STRESS[phone[2]] + VOWELS[phone[:2]])
    return "".join(out)


def heard(data: Path) -> dict[str, str]:
    """What Kokoro mostly says for each word of the corpus, where words and groups of symbols can be told apart."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for path in sorted((data / "prosody").glob("*.npz")):
        with np.load(path) as file:
            for text, symbols in zip(file["text"], file["symbols"]):
                words, groups = str(text).upper().split(), str(symbols).translate(KOKORO).split()
                if len(words) == len(groups):
                    for word, group in zip(words, groups):
                        word = word.strip(".,!?;:\"-")
                        if WORD.fullmatch(word):
                            counts[word]["".join(c for c in group if c in ALPHABET)] += 1
    return {word: found.most_common(1)[0][0] for word, found in counts.items()}


def build(data: Path, tools: Path) -> None:
    from .train import distance
    variants: dict[str, list[str]] = defaultdict(list)
    for line in (tools / "cmudict" / "cmudict.dict").read_text().splitlines():
        word, *phones = line.split("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", word).upper()
        if WORD.fullmatch(word):
            variants[word].append(characters(phones))
    said = heard(data)
    folder = data / "stages" / "text"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lexicon.tmp").open("w") as out:
        out.write("# Pronunciations of English words, from the CMU Pronouncing Dictionary.\n")
        out.writelines(f"# {line}".rstrip() + "\n" for line in (tools / "cmudict" / "LICENSE").read_text().splitlines())
        for word, ways in sorted(variants.items()):
            best = min(ways, key=lambda way: distance(way, said[word])) if word in said else ways[0]
            out.write(f"{word}\t{best}\n")
    os.replace(folder / "lexicon.tmp", folder / "lexicon.txt")


class Lexicon:
    def __init__(self, path: Path):
        if not path.exists():
            raise SystemExit(f"{path} is missing: run python -m gpt.lexicon")
        rows = (line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#"))
        self.ways = dict(rows)

    def word(self, word: str) -> str:
        """The phones of an upper-case word, or the word."""
        if word in self.ways:
            return self.ways[word]
        # Plurals and possessives that are not listed.
        stem = word.removesuffix("S").removesuffix("'")
        if stem != word and len(stem) > 2 and (way := self.ways.get(stem)):
            return way + ("ɪz" if way[-1] in "szʃʒʧʤ" else "s" if way[-1] in "ptkfθ" else "z")
        return word

    def read(self, text: str, spell=lambda word: False) -> str:
        """An upper-case text with its words as phones, but for those that are to be spelt."""
        return WORD.sub(lambda match: match[0] if spell(match[0]) else self.word(match[0]), text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    args = parser.parse_args()
    build(args.data, args.tools)
