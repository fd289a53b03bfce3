"""Makes bpe.model, a small SentencePiece model in the style of the official one (BPE, ids 0 and 1 start and stop, upper-cased
text, toned pinyin as pieces). Needs the PyPI package sentencepiece; make_lines.py makes the texts it is compared on.

    python make.py
"""
import random
from pathlib import Path

import sentencepiece

HERE = Path(__file__).parent
rng = random.Random(7)
ENGLISH = """the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what
all were we when your can said there use an each which she do how their if will up other about out many then them these so some
her would make like him into time has look two more write go see number no way could people my than first water been call who oil
its now find long down day did get come made may part over new sound take only little work know place year live me back give most
very after thing our just name good sentence man think say great where help through much before line right too mean old any same
tell boy follow came want show also around form three small set put end does another well large must big even such because turn
here why ask went men read need land different home us move try kind hand picture again change off play spell air away animal
house point page letter mother answer found study still learn should america world weather quickly beautiful yesterday tomorrow
jazz quiz zebra xylophone voyage knowledge rhythm pizza queue bizarre""".split()
CHINESE = """的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民
得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义
事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题
党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干
做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风
切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林
律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太
准精值号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严你好喜欢""".replace("\n", "")
PINYIN = [f"{i}{f}{t}" for i in "B P M D T N L G H J X ZH CH SH Z S".split() for f in "A I U AN ANG ONG".split() for t in "1234"]


def word() -> str:
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(ENGLISH).upper()
    if kind < 0.85:
        return "".join(rng.choice(CHINESE) for _ in range(rng.randint(1, 4)))
    if kind < 0.93:
        return rng.choice(PINYIN)
    return str(rng.randint(0, 99999))


def line() -> str:
    parts = [word() for _ in range(rng.randint(1, 14))]
    return "".join(p + " " + rng.choice(["", "", "", ",", ".", "?", "!", "-", "'"]) for p in parts)


training = [line() for _ in range(20000)]
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(training), model_prefix=str(HERE / "bpe"), vocab_size=2600, model_type="bpe",
    bos_id=0, eos_id=1, unk_id=2, pad_id=-1, character_coverage=0.9995,
)
(HERE / "bpe.vocab").unlink()
