//! How speech is made: emotion, decoding, flow matching.
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// Emotion
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Emotion (default: that of the voice)")]
pub struct EmotionArgs {
    /// Take the emotion of another clip
    #[arg(long, value_name = "FILE", conflicts_with_all = ["emotion_vector", "emotion_text"])]
    pub emotion_audio: Option<PathBuf>,

    /// Mix happy,angry,sad,afraid,disgusted,melancholic,surprised,calm, each 0 to 1.2
    #[arg(long, value_name = "A,..,H", conflicts_with = "emotion_text", allow_hyphen_values = true)]
    pub emotion_vector: Option<String>,

    /// Read the emotion from this text; without a value from the spoken text
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    pub emotion_text: Option<String>,

    /// How much of the emotion is applied: 0 none, 1 all
    #[arg(long, value_name = "W", default_value_t = 1.0)]
    pub emotion_weight: f32,

    /// Balance an emotion vector and limit its sum to 0.8, as the reference's WebUI does
    #[arg(long)]
    pub emotion_balanced: bool,

    /// Draw the exemplar of each emotion instead of the one nearest to the voice
    #[arg(long)]
    pub emotion_random: bool,
}

/// Sampling
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Synthesis (defaults are the model's; those of the official models are named)")]
pub struct SamplingArgs {
    /// Beams of the code search, 3; 1 is plain sampling and fastest
    #[arg(long, value_name = "N")]
    pub beams: Option<usize>,

    /// Take the most likely codes instead of drawing them
    #[arg(long)]
    pub greedy: bool,

    /// Below 1 draws likelier codes, above 1 rarer ones; 0.8
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,

    /// Draw from this many of the most likely codes, 30; 0 is no limit
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,

    /// Draw from the most likely codes with this much probability, 0.8
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,

    /// Makes codes that have occurred less likely, 10; 1 turns it off
    #[arg(long, value_name = "X")]
    pub repetition_penalty: Option<f64>,

    /// Above 0 favours long beams, below 0 short ones; 0
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub length_penalty: Option<f64>,

    /// Typical sampling with this probability mass, e.g. 0.9
    #[arg(long, value_name = "MASS")]
    pub typical: Option<f64>,

    /// Longest segment in semantic codes, 1500
    #[arg(long, value_name = "N")]
    pub max_codes: Option<usize>,

    /// Positions of generated codes in the GPT: as the reference counts them, or without its gap
    #[arg(long, value_enum, default_value_t = PositionsArg::Reference)]
    pub positions: PositionsArg,

    /// Steps of the flow matching, 25; fewer are faster
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,

    /// Classifier-free guidance, 0.7; 0 turns it off and halves the work of the flow matching
    #[arg(long, value_name = "R")]
    pub cfg: Option<f64>,

    /// Scale of the noise that the flow matching starts from, 1; less is plainer and clearer
    #[arg(long, value_name = "R")]
    pub noise: Option<f64>,

    /// Seconds of the clip that the flow matching hears, all; fewer are faster, the voice is a little less like it
    #[arg(long, value_name = "S")]
    pub prompt_seconds: Option<f64>,

    /// Longest segment in text tokens, 120
    #[arg(long, value_name = "N")]
    pub segment_tokens: Option<usize>,

    /// Speak slower (above 1) or faster (below 1)
    #[arg(long, value_name = "X", conflicts_with = "seconds")]
    pub duration_factor: Option<f64>,

    /// Make the speech this long, in seconds with its pauses
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,

    /// Silence between segments, milliseconds, 200
    #[arg(long, value_name = "MS")]
    pub interval_silence: Option<u32>,

    /// Milliseconds over which every segment dies away at its end, 20; 0 turns it off
    #[arg(long, value_name = "MS")]
    pub tail_fade: Option<u32>,

    /// Keep the silence at the end of a segment, and stray sounds behind it
    #[arg(long)]
    pub no_trim: bool,

    /// How often a segment is made anew that is too long or too short for its text, or repeats itself, 3; with 0 it is not cut
    /// off where no speech of its text can last so long, either
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PositionsArg {
    Reference,
    Contiguous,
}
