//! What a page can set.
use indextts::{Emotion, EmotionVector, Options, Result, Streaming};
use serde::Deserialize;

/// All optional: the model's own choice stands for what is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    pub seed: u64,
    /// 2 is twice as fast.
    pub speed: Option<f64>,
    /// Happy, angry, sad, afraid, disgusted, melancholic, surprised, calm, each from 0 to 1.2; none speaks as the voice.
    pub emotion: Option<[f32; 8]>,
    /// Steps of the flow matching.
    pub steps: Option<usize>,
    /// Always the likeliest code, in place of drawing one.
    pub greedy: bool,
    pub max_codes: Option<usize>,
    /// Seconds of the first chunk; none gives out whole segments.
    pub first_chunk: Option<f64>,
}

impl Settings {
    pub fn emotion(&self) -> Result<Emotion> {
        Ok(match self.emotion {
            Some(values) if values.iter().any(|value| *value != 0.0) => {
                Emotion::Vector { vector: EmotionVector::new(values)?, weight: 1.0 }
            }
            _ => Emotion::SameAsVoice,
        })
    }

    pub fn options(&self, mut options: Options) -> Result<Options> {
        options.seed = self.seed;
        if let Some(speed) = self.speed {
            options.duration_factor /= speed;
        }
        options.steps = self.steps.unwrap_or(options.steps);
        options.decode.do_sample &= !self.greedy;
        options.decode.max_codes = self.max_codes.unwrap_or(options.decode.max_codes);
        if self.first_chunk.is_some() {
            options.streaming = Some(Streaming { first_seconds: self.first_chunk });
            options.decode.beams = 1;
        }
        options.check()?;
        Ok(options)
    }
}
