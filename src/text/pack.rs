//! Packing a text into segments by the number of its tokens, as 2.5 does.
//!
//! Source: text specification C.3.
use super::pronunciation::regions;

/// Marks behind which a text may be divided.
const MARKS: [char; 13] = ['，', '。', '！', '？', '、', '；', '：', ',', '.', '!', '?', ';', ':'];

/// Divides `text` into segments of at most `budget` tokens, as `count` counts them. Marked readings stay whole.
pub fn pack(text: &str, budget: usize, count: impl Fn(&str) -> usize) -> Vec<String> {
    let budget = budget.max(1);
    if count(text) <= budget {
        return vec![text.into()];
    }
    let mut packed: Vec<String> = Vec::new();
    let mut current = String::new();
    for part in parts(text, budget, &count) {
        let joined = current.clone() + &part;
        if current.is_empty() || count(&joined) <= budget {
            current = joined;
        } else {
            packed.push(std::mem::replace(&mut current, part));
        }
    }
    packed.push(current);
    packed.retain(|segment| !segment.trim().is_empty());
    if packed.is_empty() { vec![text.into()] } else { packed }
}

/// Readings, sentences and clauses; what is too long by itself is cut between characters.
fn parts(text: &str, budget: usize, count: &impl Fn(&str) -> usize) -> Vec<String> {
    let mut parts = Vec::new();
    for (region, whole) in regions(text) {
        if whole {
            parts.push(region.to_string());
            continue;
        }
        for clause in region.split_inclusive(|c: char| c == '\n' || MARKS.contains(&c)) {
            // More characters than eight times the budget are surely too many: they need not be counted.
            if clause.len() <= 64 * budget && count(clause) <= budget {
                parts.push(clause.to_string());
                continue;
            }
            let mut cut = String::new();
            for c in clause.chars() {
                cut.push(c);
                if cut.chars().count() > 1 && count(&cut) > budget {
                    cut.pop();
                    parts.push(std::mem::replace(&mut cut, c.into()));
                }
            }
            parts.push(cut);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, budget: usize, expected: &[&str]) {
        assert_eq!(pack(text, budget, |text| text.chars().count()), expected, "{text} at {budget}");
    }

    #[test]
    fn clauses_are_packed_up_to_the_budget() {
        check("ab,cd,ef.", 9, &["ab,cd,ef."]);
        check("ab,cd,ef.", 6, &["ab,cd,", "ef."]);
        check("ab,cd,ef.", 3, &["ab,", "cd,", "ef."]);
        check("你好。再见！", 3, &["你好。", "再见！"]);
    }

    #[test]
    fn what_is_too_long_is_cut_and_readings_are_not() {
        check("abcdefg", 3, &["abc", "def", "g"]);
        let reading = "<|SPECIAL_TOKEN_1|>A.B<|SPECIAL_TOKEN_1|>";
        check(&format!("xx.{reading}yy"), 4, &["xx.", reading, "yy"]);
        check("", 3, &[""]);
    }
}
