//! What is asked of the text-to-emotion model, and what its answer means.
//!
//! Source: pipeline specification 2.4.
use std::collections::HashMap;

use serde_json::Value;

/// The emotions as the model names them, in the order of every emotion vector, with their English names.
const LABELS: [(&str, &str); 8] = [
    ("高兴", "happy"),
    ("愤怒", "angry"),
    ("悲伤", "sad"),
    ("恐惧", "afraid"),
    ("反感", "disgusted"),
    ("低落", "melancholic"),
    ("惊讶", "surprised"),
    ("自然", "calm"),
];
const SAD: usize = 2;
const MELANCHOLIC: usize = 5;
const CALM: usize = 7;

/// The model confuses sadness and melancholy in texts with one of these words; the two values are then exchanged.
const MELANCHOLY: [&str; 6] = ["低落", "melancholy", "melancholic", "depression", "depressed", "gloomy"];

/// Keys under which an answer may name a single emotion.
const LABEL_KEYS: [&str; 5] = ["emotion", "emotion_label", "label", "情感", "情绪"];

/// Ends what the model thinks before it answers.
const THOUGHT: &str = "</think>";

/// The largest value of one emotion.
const LARGEST: f64 = 1.2;

/// The conversation that asks for the emotion of `text`: the system's line, the text, and the start of an answer without
/// thinking.
pub fn prompt(text: &str) -> String {
    format!(
        "<|im_start|>system\n文本情感分类<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
}

/// The emotion vector in the model's `answer` to `text`; what cannot be understood is calm.
pub fn parse(text: &str, answer: &str) -> [f32; 8] {
    let mut scores = scores(answer.rsplit(THOUGHT).next().unwrap_or_default());
    let lower = text.to_lowercase();
    if MELANCHOLY.iter().any(|word| lower.contains(word)) {
        scores.swap(SAD, MELANCHOLIC);
    }
    let mut vector = scores.map(|v| v.clamp(0.0, LARGEST) as f32);
    if vector.iter().all(|v| *v <= 0.0) {
        vector[CALM] = 1.0;
    }
    vector
}

fn scores(answer: &str) -> [f64; 8] {
    let parsed: Option<Value> = serde_json::from_str(answer.trim()).ok();
    let fields: HashMap<String, Value> = match parsed {
        Some(Value::Object(fields)) => fields.into_iter().collect(),
        Some(Value::String(label)) => return label_index(&label).map_or([0.0; 8], single),
        _ => pairs(answer),
    };
    let mut scores = [0.0; 8];
    let mut named = Vec::new();
    let mut any = false;
    for (index, (label, _)) in LABELS.iter().enumerate() {
        match fields.get(*label) {
            // A label as the value of a label: it is the one that counts.
            Some(Value::String(value)) if label_index(value).is_some() => {
                any = true;
                named.extend(label_index(value));
            }
            Some(value) => {
                any = true;
                scores[index] = number(value);
            }
            None => {}
        }
    }
    for index in named {
        scores[index] = 1.0;
    }
    if any {
        return scores;
    }
    let label = LABEL_KEYS.iter().find_map(|key| label_index(fields.get(*key)?.as_str()?));
    label.map_or(scores, single)
}

fn single(index: usize) -> [f64; 8] {
    let mut scores = [0.0; 8];
    scores[index] = 1.0;
    scores
}

fn label_index(text: &str) -> Option<usize> {
    let text = text.trim();
    LABELS.iter().position(|(chinese, english)| text == *chinese || text.eq_ignore_ascii_case(english))
}

fn number(value: &Value) -> f64 {
    let number = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite()).unwrap_or(0.0)
}

/// `key: number` pairs of an answer that is not JSON; quotes around the key are left out.
fn pairs(answer: &str) -> HashMap<String, Value> {
    let mut found = HashMap::new();
    for (at, _) in answer.match_indices([':', '：']) {
        let before = answer[..at].trim_end_matches('"');
        let key = before.rsplit([' ', '\n', '\t', '"', ':', '：', '.', ',', '，', '{']).next().unwrap_or_default();
        let after = answer[at..].trim_start_matches([':', '：']).trim_start().trim_start_matches('"');
        let digits: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        if let Ok(value) = digits.parse::<f64>()
            && !key.is_empty()
        {
            found.insert(key.to_string(), Value::from(value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_come_in_the_order_of_the_vector() {
        let answer = r#"{"高兴": 0.1, "愤怒": 0.2, "悲伤": 0.3, "恐惧": 0.4, "反感": 0.5, "低落": 0.6, "惊讶": 0.7, "自然": 0.8}"#;
        assert_eq!(parse("x", answer), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
    }

    #[test]
    fn words_of_melancholy_exchange_it_with_sadness() {
        let answer = r#"{"悲伤": 0.9, "低落": 0.1}"#;
        assert_eq!(parse("I feel Gloomy today", answer)[SAD], 0.1);
        assert_eq!(parse("I feel Gloomy today", answer)[MELANCHOLIC], 0.9);
        assert_eq!(parse("only sad: 低落", r#"{"悲伤": 0.9}"#), [0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0]);
    }

    #[test]
    fn values_are_limited_and_nothing_is_calm() {
        assert_eq!(parse("x", r#"{"高兴": 7}"#)[0], 1.2);
        assert_eq!(parse("x", r#"{"高兴": -1}"#)[CALM], 1.0);
        assert_eq!(parse("x", "")[CALM], 1.0);
        assert_eq!(parse("x", r#"{"高兴": "0.4"}"#)[0], 0.4);
    }

    #[test]
    fn labels_count_as_one() {
        assert_eq!(parse("x", r#"{"emotion": "Angry"}"#)[1], 1.0);
        assert_eq!(parse("x", r#"{"情绪": "惊讶"}"#)[6], 1.0);
        assert_eq!(parse("x", r#""高兴""#)[0], 1.0);
        let other = parse("x", r#"{"高兴": "愤怒"}"#);
        assert_eq!((other[0], other[1]), (0.0, 1.0));
        let two = parse("x", r#"{"高兴": "愤怒", "悲伤": "恐惧", "自然": "自然"}"#);
        assert_eq!(two, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        // A label beside scores does not count.
        assert_eq!(parse("x", r#"{"emotion": "angry", "高兴": 0.5}"#)[..2], [0.5, 0.0]);
        assert_eq!(parse("x", r#"{"label": "bored"}"#)[CALM], 1.0);
    }

    #[test]
    fn what_surrounds_an_answer_is_left_out() {
        let thought = "<think>\n{\"愤怒\": 1.0}\n</think>\n\n{\"高兴\": 0.5}";
        assert_eq!(parse("x", thought)[..2], [0.5, 0.0]);
        assert_eq!(parse("x", "```json\n{\"高兴\": 0.5, \"愤怒\": 0.1}\n```")[..2], [0.5, 0.1]);
        assert_eq!(parse("x", "高兴：0.3，愤怒：0.2")[..2], [0.3, 0.2]);
        assert_eq!(parse("x", "[{\"高兴\": 0.3}]")[0], 0.3);
        assert_eq!(parse("x", "{\"愤怒\": true, \"悲伤\": null, \"恐惧\": [1]}")[CALM], 1.0);
    }

    #[test]
    fn broken_json_is_read_pair_by_pair() {
        let vector = parse("x", "{\"高兴\": 0.5, 愤怒: 0.25,, \"惊讶\": 1.");
        assert_eq!((vector[0], vector[1], vector[6]), (0.5, 0.25, 1.0));
    }

    proptest! {
        #[test]
        fn any_answer_gives_a_vector(text in "\\PC{0,40}", answer in "[\\PC\"{}:,.0-9高兴愤怒]{0,60}") {
            let vector = parse(&text, &answer);
            prop_assert!(vector.iter().all(|v| (0.0..=1.2).contains(v)) && vector.iter().any(|v| *v > 0.0));
        }
    }
}
