//! Speaking many texts.
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::super::device::DeviceArg;
use super::super::model::ModelArg;
use super::super::subtitles::Format as SubtitleFormat;
use super::{EmotionArgs, PrecisionArgs, ReadingArgs, SamplingArgs, VoicesDir};

#[derive(Debug, ClapArgs)]
pub struct Batch {
    /// One JSON object a line: text or text_file, and any of output, voice, emotion_audio, emotion_text, emotion_vector,
    /// emotion_weight, seed, silence_after_ms, chapter; relative paths start at this file
    pub rows: PathBuf,

    /// Number the outputs: DIR/0001.wav; without it (and without --concat) every row names its own
    #[arg(long, value_name = "DIR", conflicts_with = "concat")]
    pub out: Option<PathBuf>,

    /// Name them PREFIX-0001.wav
    #[arg(long, requires = "out", conflicts_with = "concat", value_parser = file_name)]
    pub prefix: Option<String>,

    /// Join all rows to one file, with the silence that each row asks for and a list of chapters
    #[arg(long, value_name = "FILE")]
    pub concat: Option<PathBuf>,

    /// Subtitles beside the joined file, one cue a row
    #[arg(long, value_enum, value_name = "FORMAT", requires = "concat", conflicts_with = "out")]
    pub subtitles: Option<SubtitleFormat>,

    /// Bring every row to this loudness, LUFS; -16 is usual
    #[arg(long, value_name = "LUFS", allow_hyphen_values = true)]
    pub loudness: Option<f64>,

    /// Keep the single rows of a joined file
    #[arg(long, requires = "concat", conflicts_with = "out")]
    pub keep_temp: bool,

    /// Check the rows, speak nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Stop at the first row that fails; before anything is spoken if it can be known
    #[arg(long)]
    pub fail_fast: bool,

    /// Replace files that are not of this batch
    #[arg(long)]
    pub force: bool,

    /// What became of every row; ROWS.report.jsonl beside the outputs if not given
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The voice of rows that name none
    #[arg(long, value_name = "FILE|NAME")]
    pub voice: Option<String>,

    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    /// Same seed on the same device: same bytes; for rows that name none
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    #[command(flatten)]
    pub voices: VoicesDir,

    #[command(flatten)]
    pub precision: PrecisionArgs,

    #[command(flatten)]
    pub reading: ReadingArgs,

    #[command(flatten)]
    pub emotion: EmotionArgs,

    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// A part of a file name, not a path.
fn file_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['/', '\\', '\0']) {
        return Err("expected a part of a file name".into());
    }
    Ok(text.into())
}
