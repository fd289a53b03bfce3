"""Makes a small dictionary as MeCab compiles it (sys.dic, unk.dic, char.bin, matrix.bin), and lines.tsv: texts, and what
MeCab makes of them with it. Needs the PyPI package fugashi (which holds MeCab).

    python make.py
"""
import random
import subprocess
import tempfile
from pathlib import Path

import fugashi

HERE = Path(__file__).parent
rng = random.Random(5)
# Word, its class (0 none, 1 noun, 2 particle, 3 verb), its cost.
WORDS = [
    ("すもも", 1, 7000), ("もも", 1, 7200), ("も", 2, 4600), ("の", 2, 4800), ("うち", 1, 5800), ("今日", 1, 5000), ("今", 1, 6000),
    ("日", 1, 6500), ("は", 2, 3800), ("が", 2, 3900), ("を", 2, 3900), ("に", 2, 4100), ("いい", 3, 5200), ("天気", 1, 5100),
    ("東京", 1, 5000), ("京都", 1, 5000), ("東", 1, 6400), ("都", 1, 6300), ("に行く", 3, 9000), ("行く", 3, 4700), ("見る", 3, 4900),
    ("食べる", 3, 4900), ("べる", 3, 9500), ("私", 1, 4200), ("猫", 1, 5300), ('"', 0, 6000), (",", 0, 6000), ("🍣", 1, 5000),
]
# The cost of a class (row) in front of another (column).
COSTS = [[0, -300, 400, 200], [500, 900, -1200, 300], [-200, -700, 600, -900], [-500, 400, 300, 1500]]
CHARACTERS = """DEFAULT 0 1 0
SPACE 0 1 0
KANJI 0 0 2
SYMBOL 1 1 0
NUMERIC 1 1 0
ALPHA 1 1 0
HIRAGANA 0 1 2
KATAKANA 1 1 2
KANJINUMERIC 1 1 0
0x0020 SPACE
0x0021..0x002F SYMBOL
0x0030..0x0039 NUMERIC
0x0041..0x005A ALPHA
0x0061..0x007A ALPHA
0x3041..0x309F HIRAGANA
0x30A1..0x30FF KATAKANA
0x30FC KATAKANA HIRAGANA
0x4E00..0x9FA5 KANJI
0x4E00 KANJINUMERIC KANJI
0x4E8C KANJINUMERIC KANJI
0x4E09 KANJINUMERIC KANJI
"""
UNKNOWN = [("DEFAULT", 0, 9000), ("SPACE", 0, 8000), ("KANJI", 1, 11000), ("SYMBOL", 0, 7000), ("NUMERIC", 1, 6000),
           ("ALPHA", 1, 8000), ("HIRAGANA", 1, 13000), ("KATAKANA", 1, 8500), ("KANJINUMERIC", 1, 7800)]

with tempfile.TemporaryDirectory() as folder:
    sources = Path(folder)
    quoted = [(f'"{w.replace(chr(34), chr(34) * 2)}"' if w in '",' else w, c, cost) for w, c, cost in WORDS]
    (sources / "words.csv").write_text("".join(f"{w},{c},{c},{cost},*\n" for w, c, cost in quoted))
    rows = [f"{a} {b} {cost}\n" for a, row in enumerate(COSTS) for b, cost in enumerate(row)]
    (sources / "matrix.def").write_text("4 4\n" + "".join(rows))
    (sources / "char.def").write_text(CHARACTERS)
    (sources / "unk.def").write_text("".join(f"{name},{c},{c},{cost},*\n" for name, c, cost in UNKNOWN))
    (sources / "dicrc").write_text("cost-factor = 700\nbos-feature = *\n")
    for name, text in [("left-id.def", "0 *\n1 *\n2 *\n3 *\n"), ("right-id.def", "0 *\n1 *\n2 *\n3 *\n"), ("pos-id.def", "* 0\n"),
                       ("rewrite.def", "[unigram rewrite]\n* *\n[left rewrite]\n* *\n[right rewrite]\n* *\n"), ("feature.def", "")]:
        (sources / name).write_text(text)
    subprocess.run(["fugashi-build-dict", "-d", sources, "-o", HERE, "-f", "utf-8", "-t", "utf-8"], check=True)

(HERE / "dicrc").write_text("cost-factor = 700\nbos-feature = *\n")
tagger = fugashi.GenericTagger(f"-r /dev/null -d {HERE}")
ENDS = ["", "", "", "アイウエオ", "カー", "ー", "abc", "X1", "2026", "一二三四", "一本", "鮨", "寿司屋", "ぬるぽ", "!?", "…", "𠮷野", "🍣🍣", "é",
        "カタカナ" * 8, "a" * 30, "ふ" * 30, '"', ",", "、", "。"]
lines = ["すもももももももものうち", "今日はいい天気", "東京都に行く", "私が猫を見る"]
while len(lines) < 400:
    lines.append("".join(rng.choice(WORDS)[0] + rng.choice(ENDS) for _ in range(rng.randint(1, 9))))
(HERE / "lines.tsv").write_text("".join(f"{line}\t{' '.join(w.surface for w in tagger(line))}\n" for line in lines))
(HERE / "dicrc").unlink()
