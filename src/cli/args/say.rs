//! Speaking a text, and showing how one is read.
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::super::device::DeviceArg;
use super::super::model::{Model, ModelArg};
use super::super::subtitles::Format as SubtitleFormat;
use super::{EmotionArgs, PrecisionArgs, SamplingArgs, VoicesDir};

#[derive(Debug, ClapArgs)]
pub struct Say {
    /// The text; `-` reads it from standard input
    #[arg(required_unless_present = "text_file", conflicts_with = "text_file")]
    pub text: Option<String>,

    /// Read the text from a UTF-8 file
    #[arg(long, value_name = "FILE")]
    pub text_file: Option<PathBuf>,

    /// The voice: a clip (wav, flac, mp3, ogg or m4a; 5 to 15 seconds of clean speech are best), or the name of a voice
    /// that the model brings along or that `voice create` stored; without it the model's first
    #[arg(long, value_name = "FILE|NAME")]
    pub voice: Option<String>,

    /// Where the speech goes: a wav file, or one of flac, mp3 or opus if it is named so and this build has the encoder;
    /// `-` is standard output. out.wav if not given, or standard output with --stream
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write samples while the rest is still being made (and search with one beam if --beams is not given)
    #[arg(long, group = "live")]
    pub stream: bool,

    /// Play the speech while the rest is still being made (and search with one beam if --beams is not given); a file is
    /// written only with -o
    #[cfg(feature = "play")]
    #[arg(long, group = "live", conflicts_with = "loudness")]
    pub play: bool,

    /// Length of the first piece of a stream, in seconds; every further one is twice as long. If not given, pieces are as
    /// short as the speed of the machine allows without a gap, or begin with 0.5 where a seed is given
    #[arg(long, value_name = "S", requires = "live")]
    pub first_chunk: Option<f64>,

    /// Samples alone: 16-bit little-endian mono, without the header of a wav file
    #[arg(long, requires = "stream")]
    pub raw: bool,

    /// Bring the speech to this loudness, LUFS; -16 is usual
    #[arg(long, value_name = "LUFS", allow_hyphen_values = true, conflicts_with = "stream")]
    pub loudness: Option<f64>,

    /// Subtitles beside the output, one cue a segment; json has the times of the words too, with models that can tell (nano)
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "stream")]
    pub subtitles: Option<SubtitleFormat>,

    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    #[command(flatten)]
    pub precision: PrecisionArgs,

    /// Same seed on the same device: same bytes; 0 if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    #[command(flatten)]
    pub reading: ReadingArgs,

    #[command(flatten)]
    pub voices: VoicesDir,

    #[command(flatten)]
    pub emotion: EmotionArgs,

    #[command(flatten)]
    pub sampling: SamplingArgs,
}

#[derive(Debug, ClapArgs)]
pub struct Text {
    /// The text; `-` reads it from standard input
    #[arg(required_unless_present = "text_file", conflicts_with = "text_file")]
    pub text: Option<String>,

    /// Read the text from a UTF-8 file
    #[arg(long, value_name = "FILE")]
    pub text_file: Option<PathBuf>,

    /// The model, `nano` or a directory, to see tokens and segments too
    #[arg(long, value_name = "nano|DIR", env = "INDEXTTS_MODEL")]
    pub model: Option<Model>,

    /// Longest segment in text tokens; the model's own if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=100_000))]
    pub segment_tokens: Option<u32>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// Reading
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Reading")]
pub struct ReadingArgs {
    /// Language of the text: zh, en, ja, es, ar, or another code that the model knows; found out if not given
    #[arg(long, value_name = "CODE")]
    pub lang: Option<indextts::Language>,

    /// YAML file of words with a fixed reading, `word: reading` or `word: {en: reading, zh: reading}`; in place of the
    /// model's glossary.yaml
    #[arg(long, value_name = "FILE")]
    pub glossary: Option<PathBuf>,

    /// Set Japanese words apart with this dictionary compiled by vibrato, such as the ja.dic of another model, in place of the model's own
    /// (see `models dictionary`)
    #[arg(long, value_name = "FILE")]
    pub ja_dictionary: Option<PathBuf>,

    /// Speak marks such as [pause:500ms], [voice:NAME] and [emotion:happy=0.6], and SSML, as if they were text
    #[arg(long)]
    pub plain_text: bool,

    /// Treat the text exactly as the reference does, including what harms it
    #[arg(long)]
    pub faithful_text: bool,
}
