"""Everyday English sentences for the corpus: templates over word lists of our own, and example sentences of WordNet.

`training(n, seed)` and `EVALUATION` share no sentence: the evaluation sentences (`tests/quality`) are written by hand and removed from the
training set should one occur there.
"""
import random
import re
from pathlib import Path

EVALUATION = (Path(__file__).parents[2] / "tests/quality/sentences.txt").read_text().splitlines()

SUBJECTS = """I|you|we|they|my brother|her mother|the teacher|our neighbor|the old man|a young woman|your friend|everyone|nobody|the
boy|my uncle|the new manager|the baker|a tall stranger|the girl next door|Anna|Peter|Maria|Doctor Brown|Mister Clark|Sophie|
Thomas|the driver|our cousin|the waiter|the captain|an engineer|the twins""".replace("\n", "").split("|")
PAST = """bought|found|lost|forgot|brought|sold|wanted|needed|carried|painted|cleaned|ordered|described|showed me|talked about|
looked for|dreamed of|asked about|paid for|waited for|threw away|picked up|fixed|borrowed|hid|noticed|remembered|
measured|photographed|returned""".replace("\n", "").split("|")
OBJECTS = """the red car|a new phone|some fresh bread|the last train|three tickets|a cup of tea|the blue chair|an old house|a better
 job|the garden|the keys|the next bus|a warm jacket|this picture|the answer|a large pizza|two bottles of milk|the yellow
 umbrella|a pair of shoes|the broken window|a box of chocolates|the heavy suitcase|a strange letter|six white plates|the morning
 paper|a bowl of soup|the wooden table|an expensive watch|the green bicycle|a quiet place|the wrong address|fifteen
 candles|a bag of rice|the music|the smallest kitten|a piece of cheese|the city map""".replace("\n", "").split("|")
WHERE = """in the morning|at the market|before dinner|after work|near the station|every day|last week|with a friend|at home|on
 Monday|in the evening|for an hour|without a reason|yesterday|in front of the school|at the end of the street|during the
 winter|on the way home|behind the church|at three o'clock|in the middle of the night|by the river|last Saturday|at the
 airport|under the bridge|in June""".replace("\n", "").split("|")
QUESTIONS = """Do you know where|Can you tell me when|I wonder why|Please tell her that|He said that|I think that|We hope that|It
 is true that|Did you hear that|Are you sure that|Who told you that|She explained why""".replace("\n", "").split("|")
EXCLAMATIONS = """What a|Look at the|Watch out for the|I love this|How nice, a|Give me the|Stop the|Here comes the""".split("|")
THINGS = """beautiful day|wonderful song|funny hat|big dog|terrible noise|delicious cake|lovely garden|fast horse|clever
 idea|huge wave|tiny bird|bright star|great surprise""".replace("\n", "").split("|")
SMALL = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
UNITS = "minutes|hours|days|weeks|miles|dollars|people|pages|steps|degrees|kilograms|years|meters|questions|students".split("|")
BAD = re.compile(r"\b(sex|kill|rape|nazi|negro|jew|drug|murder|whore|bitch|damn|naked|gun|bomb|slave|savage|fuck|shit)", re.I)


def number(rng: random.Random) -> str:
    """A whole number below a thousand, in words."""
    n = rng.random()
    low = rng.choice(SMALL) if n < 0.5 else f"{rng.choice(TENS)} {rng.choice(SMALL[:9])}"
    return f"{rng.choice(SMALL[:9])} hundred and {low}" if n > 0.85 else low


def template(rng: random.Random) -> str:
    """One sentence from the word lists."""
    kind = rng.random()
    subject, verb, thing, where = (rng.choice(x) for x in (SUBJECTS, PAST, OBJECTS, WHERE))
    clause = f"{subject} {verb} {thing}"
    if kind < 0.3:
        text = f"{clause} {where}."
    elif kind < 0.5:
        opening = rng.choice(QUESTIONS)
        text = f"{opening} {clause}" + ("?" if opening.split()[0] in ("Do", "Can", "Did", "Are", "Who") else ".")
    elif kind < 0.62:
        text = f"{rng.choice(EXCLAMATIONS)} {rng.choice(THINGS)}!"
    elif kind < 0.8:
        text = f"{clause}, {rng.choice(['and', 'but', 'so', 'because'])} {rng.choice(SUBJECTS)} {rng.choice(PAST)} {rng.choice(OBJECTS)}."
    else:
        text = rng.choice([
            f"It took {number(rng)} {rng.choice(UNITS)} to get there {where}.",
            f"There were {number(rng)} {rng.choice(UNITS)} left {where}.",
            f"{subject} counted {number(rng)} {rng.choice(UNITS)} {where}.",
            f"Why did {subject} pay {number(rng)} dollars for {thing}?",
        ])
    return text[0].upper() + text[1:].replace(" i ", " I ")


def wordnet(folder: Path) -> list[str]:
    """Example sentences of WordNet with 4 to 16 words of plain letters."""
    found = set()
    for file in sorted(folder.glob("data.*")):
        for line in file.read_text(encoding="latin1").splitlines():
            for example in re.findall(r'"([A-Za-z][^";]*)"', line.split("|")[-1]):
                example = example.strip()
                if 4 <= len(example.split()) <= 16 and re.fullmatch(r"[A-Za-z' ,.?!-]+", example) \
                        and not re.search(r"[A-Z]{2}", example) and not BAD.search(example):
                    example = example[0].upper() + example[1:]
                    found.add(example if example[-1] in ".?!" else example + ".")
    return sorted(found)


def training(count: int, seed: int, folder: Path = Path("/usr/share/wordnet")) -> list[str]:
    """`count` distinct sentences, 45 % from templates."""
    rng = random.Random(seed)
    examples = wordnet(folder)
    if not examples:
        raise SystemExit(f"WordNet's sentences are missing in {folder}: apt-get install wordnet-base, or train/setup.sh")
    rng.shuffle(examples)
    taken, out = set(EVALUATION), []
    while len(out) < count:
        text = template(rng) if rng.random() < 0.45 else examples.pop()
        if text not in taken:
            taken.add(text)
            out.append(text)
    return out
