//! Measuring a model, and its devices.
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::super::device::DeviceArg;
use super::super::model::ModelArg;
use super::{PrecisionArgs, WeightsArg};

#[derive(Debug, ClapArgs)]
pub struct Bench {
    /// What to speak
    #[arg(long, default_value = "The weather was cold but the sun was shining today.")]
    pub text: String,

    /// The reference clip; without it the model's first own voice
    #[arg(long, value_name = "FILE")]
    pub voice: Option<PathBuf>,

    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    /// How often; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,

    #[command(flatten)]
    pub precision: PrecisionArgs,

    /// Beams of the code search
    #[arg(long, value_name = "N")]
    pub beams: Option<usize>,

    /// Longest segment in semantic codes
    #[arg(long, value_name = "N")]
    pub max_codes: Option<usize>,

    /// Steps of the flow matching
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,

    /// Classifier-free guidance of the flow matching
    #[arg(long, value_name = "R")]
    pub cfg: Option<f64>,

    /// Longest segment in text tokens
    #[arg(long, value_name = "N")]
    pub segment_tokens: Option<usize>,

    /// Measure also how long a stream takes to its first samples
    #[arg(long)]
    pub stream: bool,

    /// Measure also how far the results are from those of weights in f32 (loads the model once more)
    #[arg(long)]
    pub distance: bool,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Compare {
    /// The devices, separated by commas; the others are compared with the first
    #[arg(long, value_name = "NAMES", value_delimiter = ',', num_args = 1.., required = true)]
    pub devices: Vec<String>,

    /// What to speak; its first segment is compared
    #[arg(long, default_value = "The weather was cold but the sun was shining today.")]
    pub text: String,

    /// The reference clip; without it the model's first own voice
    #[arg(long, value_name = "FILE")]
    pub voice: Option<PathBuf>,

    #[command(flatten)]
    pub model: ModelArg,

    /// Type of the weights on all devices but the first, which computes in f32
    #[arg(long, value_enum, default_value_t = WeightsArg::F32, visible_alias = "weights")]
    pub dtype: WeightsArg,

    /// Longest segment in semantic codes
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub max_codes: usize,

    /// Steps of the flow matching; the model's own if not given
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub struct Warmup {
    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    #[command(flatten)]
    pub precision: PrecisionArgs,

    /// Beams of the code search; the model's own if not given
    #[arg(long, value_name = "N")]
    pub beams: Option<usize>,
}
