//! The text front end: what is read of what is written, and that nothing can upset it.
use std::time::{Duration, Instant};

use indextts::text::{Glossary, Reading, TextFrontEnd, spoken};
use indextts::{ModelFiles, TextOptions};
use proptest::prelude::*;

fn options(language: &str) -> TextOptions {
    TextOptions { language: Some(language.parse().unwrap()), ..TextOptions::default() }
}

fn read(text: &str, language: &str) -> String {
    spoken(text, &options(language)).1
}

/// Every line of a corpus: written, tab, read.
fn corpus(language: &str, table: &str, least: usize) {
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in table.lines().filter(|line| !line.starts_with("##")) {
        let (written, want) = line.split_once('\t').unwrap_or_else(|| panic!("{line:?} has no tab"));
        let got = read(written, language);
        lines += 1;
        if got != want {
            wrong.push(format!("{written}\n  expected {want}\n  got      {got}"));
        }
    }
    assert!(lines >= least, "{lines} lines");
    assert!(wrong.is_empty(), "{} of {lines} lines differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn english_is_read_as_written_down() {
    corpus("en", include_str!("text/en.tsv"), 300);
}

#[test]
fn chinese_is_read_as_written_down() {
    corpus("zh", include_str!("text/zh.tsv"), 300);
}

#[test]
fn spanish_is_read_as_written_down() {
    corpus("es", include_str!("text/es.tsv"), 150);
}

#[test]
fn japanese_is_read_as_written_down() {
    corpus("ja", include_str!("text/ja.tsv"), 150);
}

#[test]
fn arabic_is_read_as_written_down() {
    corpus("ar", include_str!("text/ar.tsv"), 150);
}

#[test]
fn the_language_is_found_out() {
    assert_eq!(spoken("I have 2 dogs.", &TextOptions::default()).1, "I have two dogs.");
    assert_eq!(spoken("我有2只狗。", &TextOptions::default()).1, "我有两只狗.");
    assert_eq!(
        spoken("Hay 2 perros en la casa de mi madre.", &TextOptions::default()).1,
        "Hay dos perros en la casa de mi madre."
    );
    assert_eq!(spoken("猫が2匹います。", &TextOptions::default()).1, "猫が二匹います.");
    assert_eq!(spoken("لدي 3 قطط؟", &TextOptions::default()).1, "لدي ثلاث قطط?");
    // Nothing is done to the numbers of languages without rules.
    assert_eq!(read("Ich habe 2 Hunde.", "de"), "Ich habe 2 Hunde.");
}

#[test]
fn a_glossary_has_the_last_word() {
    let glossary = Glossary::parse("M.2: {en: M two, zh: M 二}\nIndexTTS: index T T S\n'3D': {zh: 三维}\n").unwrap();
    let with = |text: &str, language: &str| {
        let options = TextOptions { glossary: Some(glossary.clone().into()), ..options(language) };
        spoken(text, &options).1
    };
    assert_eq!(with("an m.2 slot in 3D", "en"), "an M two slot in 3D");
    assert_eq!(with("3D的M.2插槽", "zh"), "三维的M 二插槽");
    assert_eq!(with("indextts 2", "en"), "index T T S two");
}

#[test]
fn marked_pronunciations_and_pinyin_are_kept() {
    assert_eq!(read("银<行|XING2>有2家", "zh"), "银<行|XING2>有两家");
    assert_eq!(read("a <minute|M IH1 . N AH0 T> or 2", "en"), "a <minute|M IH1 . N AH0 T> or two");
    assert_eq!(read("要zhong4视", "zh"), "要zhong4视");
}

/// What the reference does on purpose or not, and what we do unless asked (text specification A.2, quirks Q60, Q67).
#[test]
fn the_faithful_form_repeats_the_reference() {
    let faithful = |text: &str| spoken(text, &TextOptions { faithful: true, ..TextOptions::default() }).1;
    // A single syllable makes a text Chinese, and a single letter is one.
    assert_eq!(faithful("Use A4 for 3 pages"), "Use A4 for 三 pages");
    assert_eq!(read("Use A4 for 3 pages", "en"), "Use A four for three pages");
    // Marks that the reference's map does not know stay.
    assert_eq!(faithful("« Bon » – 5"), "« Bon » – five");
}

/// The front end of a model of 2.5 with the small ranks of `tests/tokenizer`.
fn read_2_5(text: &str, options: &TextOptions, max_tokens: usize) -> Reading {
    let json = indextts_import::tiktoken::convert(include_bytes!("tokenizer/ranks.tiktoken")).unwrap();
    let files = ModelFiles::in_memory("ranks", [("tokenizer.json".to_string(), json.into_bytes().into())]);
    TextFrontEnd::load(&files, 1756 + 1673, 602).unwrap().read(text, max_tokens, options).unwrap()
}

/// Text specification C: language tag, case, marked pronunciations, and what is mended of quirks Q8 and Q60.
#[test]
fn the_text_path_of_2_5() {
    let read = |text: &str, language: &str| read_2_5(text, &options(language), 120);
    let english = read("Meet me at 8:00!", "en");
    assert_eq!(english.spoken, "meet me at eight o'clock.");
    // `<|endoftext|>` follows the ranks; English is the first language behind `<|startoftranscript|>`.
    assert_eq!(english.segments[0][0].id, 1756 + 2);
    assert_eq!(english.segments[0][0].text, "<|en|>");
    assert_eq!(english.segments[0][1].text, " ");
    assert_eq!(read("¿Qué hora es?", "es").segments[0][0].id, 1756 + 2 + 3);
    assert_eq!(read("¿Tienes 2?", "es").spoken, "TIENES DOS?");
    assert_eq!(read("银<行|xing2>有2家", "zh").spoken, "银<|SPECIAL_TOKEN_2|>XING2<|SPECIAL_TOKEN_2|>有两家");
    assert_eq!(
        read("A <minute|M IH1 . N AH0 T>", "en").spoken,
        "a <|SPECIAL_TOKEN_1|>M IH1 . N AH0 T<|SPECIAL_TOKEN_1|>"
    );
    assert_eq!(read("彼は<上手|じょうず>だ", "ja").spoken, "彼は じょうず だ");
    assert_eq!(read("مرحبا", "ar").segments[0][0].text, "<|ar|>");

    let faithful = TextOptions { faithful: true, ..options("en") };
    let faithful = read_2_5("Meet me at 8:00!", &faithful, 120);
    assert_eq!(faithful.spoken, "meet me at eight,zero zero!");
}

#[test]
fn segments_of_2_5_keep_to_the_limit() {
    let text = "One and two and three. Four, five and six; seven. Eight and nine and ten! ".repeat(8);
    for faithful in [false, true] {
        let options = TextOptions { faithful, ..options("en") };
        let reading = read_2_5(&text, &options, 40);
        assert!(reading.segments.len() > 3);
        assert!(reading.segments.iter().all(|segment| segment.len() <= 40 && segment[0].text == "<|en|>"));
        let whole = read_2_5(&text, &options, 600);
        assert_eq!(whole.segments.len(), 1);
        // Nothing is lost, whichever way it is divided; ours leaves out the spaces between the segments.
        assert_eq!(reading.texts.join(" "), whole.texts[0]);
        let words: usize = reading.segments.iter().map(Vec::len).sum();
        // Every segment repeats the tag and its space.
        let spaces = if faithful { 0 } else { reading.segments.len() - 1 };
        assert_eq!(words - 2 * reading.segments.len() + spaces, whole.segments[0].len() - 2);
    }
}

#[test]
fn odd_texts_lead_to_something() {
    for text in [
        "<",
        "<|",
        "a|b>",
        "<a|",
        "%",
        "1.",
        "1,",
        "١٢٣",
        "½",
        "$",
        "1e",
        "e1",
        "+",
        "-",
        "--1",
        "1--",
        "1:2:3:4",
        "0x1F",
        "..",
        "1/0",
        "0/0",
        "99:99",
        "13/32/2024",
    ] {
        for language in ["en", "zh", "es", "ja", "ar"] {
            let got = read(text, language);
            let worth_reading = text.chars().any(char::is_alphanumeric);
            assert!(!worth_reading || got.chars().any(char::is_alphanumeric), "{text:?} in {language}: {got:?}");
        }
    }
}

/// Texts of every kind: any characters, and pieces that rules look for put together at random.
fn anything() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "1", "23", "2024", "007", "1,000", ".", ",", ":", "-", "/", "–", "%", "$", "¥", "€", "°C", "km", "kg/m³", "am",
        "st", "Jan", "Mr.", "IV", "XL", "U.S.", "年", "月", "日", "第", "两", "2", "点", "电话", "a", "FBI", "<", "|",
        ">", "@", "x.com", "http://", " ", " ", " ", "\n", "'s", "ni3", "+", "=", "×", "²", "½", "Ⅳ", "①", "😀",
        "\u{200b}", "é", "ñ", "ب", "か", "한", "\0",
    ]);
    prop_oneof![any::<String>(), "\\PC{0,60}", prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat()),]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_lost(text in anything(), language in prop::sample::select(vec!["en", "zh", "es", "ja", "ar"])) {
        let got = read(&text, language);
        // Emoji in the widest sense are not read; letters and figures are.
        let said = |c: char| c.is_alphanumeric() && !('\u{e000}'..='\u{f8ff}').contains(&c) && u32::from(c) < 0x1f000
            && !('\u{2190}'..='\u{2bff}').contains(&c);
        if text.chars().any(said) {
            prop_assert!(got.chars().any(char::is_alphanumeric), "{:?} became {:?}", text, got);
        }
        // No figure is left for the model to guess in the languages with rules, but for the tones of pinyin.
        if matches!(language, "en" | "zh" | "ja" | "ar") && !text.contains(|c: char| c.is_alphabetic() || "<>|".contains(c)) {
            prop_assert!(!got.contains(|c: char| c.is_ascii_digit()), "{:?} became {:?}", text, got);
        }
        let faithful = TextOptions { faithful: true, ..options(language) };
        spoken(&text, &faithful);
    }
}

/// The shortest of a few runs.
fn time(text: &str, language: &str) -> Duration {
    let run = || {
        let start = Instant::now();
        read(text, language);
        start.elapsed()
    };
    (0..3).map(|_| run()).min().unwrap()
}

/// Ten times the text takes about ten times as long; a quadratic rule would take a hundred times.
#[test]
fn time_grows_with_the_length_only() {
    let units = [
        "1",
        "1,",
        "1.",
        "1-",
        "1/",
        "1:",
        "a",
        "A",
        "A.",
        "I",
        "a1",
        "1a",
        "<",
        "<a|",
        "<|",
        "'",
        "'s",
        "-",
        "+",
        " ",
        "$1",
        "1%",
        "年",
        "1年",
        "2个",
        "第",
        "电话1",
        "x@",
        "a.",
        "www.",
        "http://",
        "Mr. ",
        "St. ",
        "\n",
        "…",
        "😀",
        "ni3",
        "v",
        "((",
        "1〜",
        "¥1",
        "〒",
        "第I",
        "1 يوم ",
        "٣",
        "1:30 م ",
        "Jan ",
        "one two ",
        "一 a b c ",
    ];
    for language in ["en", "zh", "es", "ja", "ar"] {
        for unit in units {
            let text = |bytes: usize| unit.repeat(bytes / unit.len());
            let (short, long) = (time(&text(4_000), language), time(&text(40_000), language));
            let allowed = short * 40 + Duration::from_millis(50);
            assert!(long < allowed, "{unit:?} in {language}: {short:?} for 4 kB, {long:?} for 40 kB");
        }
    }
}
