"""Which characters of the GPT's text each phone stands at, by the cheapest monotonic path."""
import numpy as np

import labels

from . import lexicon

# Letters that a phone is commonly written with; a vowel may be written with any vowel letter.
SPELT = {
    "p": "p", "t": "td", "k": "kcqx", "f": "fpg", "θ": "t", "s": "scxz", "ʃ": "sctx", "ʧ": "ct", "h": "hw", "b": "b", "d": "dt", "ɡ": "gx",
    "v": "vf", "ð": "t", "z": "szx", "ʒ": "szg", "ʤ": "jgd", "m": "m", "n": "nk", "ŋ": "n", "ɹ": "rw", "l": "l", "j": "yiue", "w": "wuo", "ɾ": "td",
}
# Phones of the lexicon that Kokoro's stand for, beside the same.
ALIKE = {"ɾ": "td", "ᵻ": "ɪəi", "ᵊ": "ə", "ɹ": "ɜ", "ə": "ɜʌɪ", "ɜ": "ə", "ɑ": "ɔ", "ɔ": "ɑō", "o": "ɔō", "a": "æɑ", "ɒ": "ɑɔ", "i": "ɪ", "s": "z", "z": "s", "n": "ŋ",
         "A": "ē", "I": "ī", "O": "ō", "Q": "ō", "W": "ū", "Y": "ȳ"}
VOWELS = "AEIOUY"
# A character for two phones; characters without a phone: marks of stress, vowel letters and what is no letter, other letters, phones.
STAY, MARK, SKIP, SKIP_SOUNDED, SKIP_PHONE = 0.2, 0.02, 0.15, 0.5, 0.6


def costs() -> dict[str, np.ndarray]:
    """Cost [phones] of each character standing for a phone."""
    letters = [chr(c) for c in range(ord("A"), ord("Z") + 1)]
    sounds = set(lexicon.ALPHABET) - set("ˈˌ")
    vowels = {*lexicon.VOWELS.values(), lexicon.SCHWA}
    out = {}
    for character in [*letters, *sounds, "ˈ", "ˌ", " "]:
        column = np.full(len(labels.PHONES), 1.0)
        for i, phone in enumerate(labels.PHONES):
            base = phone[0]
            if phone == labels.SILENCE:
                column[i] = 0.0 if character == " " else 1.5
            elif character in sounds:
                if base == character or character in ALIKE.get(base, ""):
                    column[i] = 0.0 if base == character or base in labels.GLIDES else 0.1
                elif character in vowels and phone in labels.VOWELS:
                    column[i] = 0.4
            elif base in SPELT:
                column[i] = 0.0 if character.lower() in SPELT[base] else 1.0
            elif character in VOWELS:
                column[i] = 0.1
            elif character in "WRHL":
                column[i] = 0.5
        out[character] = column
    return out


COSTS = costs()


def skipped(character: str) -> float:
    if character in "ˈˌ":
        return MARK
    if character in lexicon.ALPHABET:
        return SKIP_PHONE
    return SKIP if character in VOWELS or not character.isalnum() else SKIP_SOUNDED


def letters(text: str, phones: np.ndarray) -> np.ndarray:
    """The character of the prepared `text` that each phone stands at, never going back."""
    # Whatever is no letter and no phone is a place to pause.
    fit = np.stack([COSTS.get(c, COSTS[" "]) for c in text], 1)[phones]  # [phones, characters]
    before = np.concatenate(([0.0], np.cumsum([skipped(c) for c in text])))
    # From character i to j > i, what lies between goes without a phone.
    move = before[None, :-1] - before[1:, None]
    move[np.tril_indices(len(text), -1)] = np.inf
    np.fill_diagonal(move, STAY)
    total, came = before[:-1] + fit[0], []
    for row in fit[1:]:
        through = total[:, None] + move
        came.append(through.argmin(0))
        total = through.min(0) + row
    at = int((total + before[-1] - before[1:]).argmin())
    path = [at]
    for step in reversed(came):
        at = int(step[at])
        path.append(at)
    return np.array(path[::-1])
