//! Which emotion a request asks for, and the arithmetic that turns it into the GPT's emotion vector.
//!
//! Source: pipeline specification 2.3.
use crate::models::emotion_bank::EMOTIONS;
use crate::{Error, Result};

use super::voice::EmotionClip;

/// Sum of an emotion vector above which the WebUI of the reference scales it down.
const CAP: f32 = 0.8;

/// Factors by which the WebUI of the reference balances the eight emotions against each other.
const BIAS: [f32; 8] = [0.9375, 0.875, 1.0, 1.0, 0.9375, 0.9375, 0.6875, 0.5625];

/// The emotion of an utterance.
#[derive(Debug, Clone, Default)]
// One per request: a few hundred bytes do not matter.
#[allow(clippy::large_enum_variant)]
pub enum Emotion {
    /// As in the reference clip.
    #[default]
    SameAsVoice,
    /// As in another clip; `weight` 0 is the voice's own emotion, 1 the clip's. Not limited to that range, as in the
    /// reference.
    Clip { clip: EmotionClip, weight: f32 },
    /// A mixture of the eight emotions.
    Vector { vector: EmotionVector, weight: f32 },
    /// What the text-to-emotion model reads from `text`, or from the spoken text where there is none.
    Text { text: Option<String>, weight: f32 },
}

/// Weights of happy, angry, sad, afraid, disgusted, melancholic, surprised and calm, each from 0 to 1.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmotionVector([f32; 8]);

impl EmotionVector {
    /// Checks that every value is from 0 to 1.2, the range the text-to-emotion model can give.
    pub fn new(values: [f32; 8]) -> Result<Self> {
        match values.iter().zip(EMOTIONS).find(|(v, _)| !(0.0..=1.2).contains(*v)) {
            Some((value, name)) => Err(Error::Input {
                name: format!("emotion vector, {name}"),
                got: value.to_string(),
                expected: "a number from 0 to 1.2".into(),
            }),
            None => Ok(Self(values)),
        }
    }

    pub fn values(&self) -> [f32; 8] {
        self.0
    }

    /// The balance of the reference's WebUI: each emotion times its factor, then the sum limited to 0.8.
    pub fn balanced(self) -> Self {
        let mut values = self.0;
        values.iter_mut().zip(BIAS).for_each(|(v, bias)| *v *= bias);
        let sum: f32 = values.iter().sum();
        if sum > CAP {
            values.iter_mut().for_each(|v| *v *= CAP / sum);
        }
        Self(values)
    }

    /// Weakened to `weight` (limited to 0..1), each value cut to four decimals as the reference does.
    pub fn weakened(self, weight: f32) -> Self {
        let weight = f64::from(weight).clamp(0.0, 1.0);
        if weight == 1.0 {
            return self;
        }
        Self(self.0.map(|v| ((f64::from(v) * weight * 10_000.0).trunc() / 10_000.0) as f32))
    }
}

impl std::str::FromStr for EmotionVector {
    type Err = Error;

    /// `a,b,c,d,e,f,g,h`, with or without square brackets.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |got: String| Error::Input {
            name: "emotion vector".into(),
            got,
            expected: format!("eight numbers separated by commas ({})", EMOTIONS.join(", ")),
        };
        let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
        let values: Result<Vec<f32>, _> = inner.split(',').map(|v| v.trim().parse::<f32>()).collect();
        let values = values.map_err(|_| wrong(format!("\"{text}\"")))?;
        let count = values.len();
        let values: [f32; 8] = values.try_into().map_err(|_| wrong(format!("{count} numbers")))?;
        Self::new(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weakening_truncates_to_four_decimals() {
        let v = EmotionVector::new([0.33333, 0.0, 1.0, 0.1, 0.0, 0.0, 0.0, 0.0]).unwrap().weakened(0.5).values();
        assert_eq!(v[0], 0.1666);
        assert_eq!(v[2], 0.5);
    }

    #[test]
    fn weight_is_limited_to_one() {
        let v = EmotionVector::new([0.5; 8]).unwrap();
        assert_eq!(v.weakened(3.0), v);
        assert_eq!(v.weakened(-1.0).values(), [0.0; 8]);
    }

    #[test]
    fn balance_follows_the_specified_factors_and_cap() {
        let happy = EmotionVector::new([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap().balanced();
        assert_eq!(happy.values()[0], 0.5 * 0.9375);
        let all = EmotionVector::new([1.0; 8]).unwrap().balanced();
        assert!((all.values().iter().sum::<f32>() - 0.8).abs() < 1e-6);
    }

    #[test]
    fn parsing_names_what_is_wrong() {
        assert!("[0,0,0,0,0,0,0.45,0]".parse::<EmotionVector>().is_ok());
        assert!("1,2".parse::<EmotionVector>().unwrap_err().to_string().contains("2 numbers"));
        assert!("0,0,0,0,0,0,0,2".parse::<EmotionVector>().unwrap_err().to_string().contains("calm"));
        assert!("0,0,0,0,0,0,0,NaN".parse::<EmotionVector>().is_err());
    }
}
