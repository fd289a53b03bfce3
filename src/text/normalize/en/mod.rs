//! English.
mod dates;
mod money;
pub mod numbers;
mod quantities;
mod units;
mod web;
mod words;

use std::sync::LazyLock;

use super::rules::{Rule, rewrite};

/// In the order in which they apply: what has the most marks around it first, plain numbers last.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let groups = [
        dates::figures(),
        web::rules(),
        dates::rules(),
        quantities::signs(),
        money::rules(),
        units::rules(),
        words::abbreviations(),
        quantities::rules(),
        words::rules(),
        quantities::rest(),
    ];
    groups.into_iter().flatten().collect()
});

/// English as it is spoken.
pub fn speak(text: &str) -> String {
    rewrite(&RULES, text)
}
