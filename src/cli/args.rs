//! What can be typed.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use indextts::{Bits, Device, Precision, WeightType};

use super::device::DeviceArg;
use super::model::{Model, ModelArg};
use super::subtitles::Format as SubtitleFormat;

/// Zero-shot voice cloning with emotion control.
///
/// Exit codes: 0 success; 1 unusable text, audio or option; 2 wrong command line, or a missing or damaged model or file;
/// 4 the synthesis failed.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,

    /// Show more of what happens; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// No progress bars and no summary
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Speak a text in the voice of a clip
    #[command(args_override_self = true)]
    Say(Box<Say>),
    /// Show how a text will be read: its spoken form and, with a model, its tokens and segments
    Text(Text),
    /// Speak many rows of a JSON Lines file, to a file each or to one audiobook
    #[command(args_override_self = true)]
    Batch(Box<Batch>),
    /// Serve an OpenAI-compatible speech API over HTTP
    #[cfg(feature = "serve")]
    Serve(Box<Serve>),
    /// Make, list and share voices
    #[command(subcommand)]
    Voice(VoiceCommand),
    /// Import, inspect and verify models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Measure a model on this machine, stage by stage; prints a Markdown table
    Bench(Bench),
    /// List the devices that this build can compute on, try each, and measure it
    Devices,
    /// Compare what devices make of the same inputs, stage by stage; prints Markdown
    Compare(Compare),
    /// Let a GPU compile and choose its kernels, and keep them for later
    Warmup(Warmup),
}

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

/// Speed and memory
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Speed and memory")]
pub struct PrecisionArgs {
    /// `fast` is `--weights bf16 --quantize q8 --steps 15`, on a GPU `--weights f16 --steps 15`; what is given besides wins
    #[arg(long, value_enum, default_value_t = ProfileArg::Faithful)]
    pub profile: ProfileArg,

    /// How weights are kept in memory: f32 is exact, f16 and bf16 take half of it. On the CPU bf16 is fastest where the
    /// processor multiplies it; a GPU multiplies in this type, norms, softmax and sampling stay f32
    #[arg(long, value_enum, visible_alias = "dtype")]
    pub weights: Option<WeightsArg>,

    /// Keep the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits, on the CPU; a model that is stored so
    /// keeps them there
    #[arg(long, value_enum)]
    pub quantize: Option<QuantizeArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// The reference's results
    Faithful,
    /// Several times faster, hardly different
    Fast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsArg {
    F32,
    F16,
    Bf16,
}

impl From<WeightsArg> for WeightType {
    fn from(arg: WeightsArg) -> Self {
        match arg {
            WeightsArg::F32 => Self::F32,
            WeightsArg::F16 => Self::F16,
            WeightsArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizeArg {
    None,
    Q8,
    Q4,
}

impl PrecisionArgs {
    /// Steps of the flow matching that the profile asks for.
    pub fn steps(&self) -> Option<usize> {
        (self.profile == ProfileArg::Fast).then_some(15)
    }

    pub fn precision(&self, device: &Device) -> Precision {
        let mut precision = match self.profile {
            ProfileArg::Faithful => Precision::default(),
            ProfileArg::Fast => Precision::fast(device),
        };
        if let Some(weights) = self.weights {
            precision.weights = weights.into();
        }
        match self.quantize {
            Some(QuantizeArg::None) => precision.gpt = None,
            Some(QuantizeArg::Q8) => precision.gpt = Some(Bits::Eight),
            Some(QuantizeArg::Q4) => precision.gpt = Some(Bits::Four),
            None => {}
        }
        precision
    }
}

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

    /// How often a segment is made anew that is too long or too short for its text, or repeats itself, 1
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PositionsArg {
    Reference,
    Contiguous,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Fetch the official files of a model, check them, and import them
    #[cfg(feature = "pull")]
    Pull(Pull),
    /// Turn the official files into a model directory
    Import(Import),
    /// Give a model a dictionary that sets Japanese words apart
    Dictionary(Dictionary),
    /// Show what a model directory holds
    Inspect(Inspect),
    /// Check every file of a model directory against its hash
    Verify(ModelDir),
}

/// Where official files come from.
#[cfg(feature = "pull")]
pub const HUB: &str = "https://huggingface.co";

#[cfg(feature = "pull")]
#[derive(Debug, ClapArgs)]
pub struct Pull {
    /// The model: indextts-2, indextts-2.5, or a registry file of your own (.toml)
    pub name: String,

    /// The model directory to make; models/NAME if not given
    pub to: Option<PathBuf>,

    /// How weights are stored; f16 halves the size
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub dtype: DtypeArg,

    /// Store the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits
    #[arg(long, value_enum, default_value_t = QuantizeArg::None)]
    pub quantize: QuantizeArg,

    /// Accept the licences that are shown, without being asked
    #[arg(long)]
    pub accept_license: bool,

    /// Keep the official files in TO.originals
    #[arg(long)]
    pub keep_originals: bool,

    /// Replace an existing model directory
    #[arg(long)]
    pub force: bool,

    /// Fetch nothing: import what is in TO.originals
    #[arg(long, conflicts_with = "update")]
    pub offline: bool,

    /// Take the newest commits instead of those of the first pull
    #[arg(long)]
    pub update: bool,

    /// Files fetched at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub parallel: u8,

    /// The hub, or a mirror of it; a token in HF_TOKEN is sent to this address only
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", default_value = HUB)]
    pub endpoint: String,
}

#[derive(Debug, ClapArgs)]
pub struct Import {
    /// Directory of the official files: flat with `hf_cache/`, or a Hugging Face cache
    pub from: PathBuf,

    /// The model directory to make
    #[arg(required_unless_present = "dry_run")]
    pub to: Option<PathBuf>,

    /// How weights are stored; f16 halves the size
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub dtype: DtypeArg,

    /// Store the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits
    #[arg(long, value_enum, default_value_t = QuantizeArg::None)]
    pub quantize: QuantizeArg,

    /// Check every key and print what would be done, write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Replace an existing model directory
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DtypeArg {
    F32,
    F16,
}

#[derive(Debug, ClapArgs)]
pub struct Dictionary {
    /// The folder of a MeCab dictionary, compiled (sys.dic ..) or its sources in UTF-8, or a file compiled by vibrato. The
    /// models were trained with that of the PyPI package unidic-lite (UniDic 2.1.2; BSD, LGPL or GPL, at your choice)
    pub from: PathBuf,

    /// The model directory
    #[arg(env = "INDEXTTS_MODEL")]
    pub model: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct Inspect {
    /// `nano`, or a model directory
    #[arg(value_name = "nano|DIR")]
    pub model: Model,
}

#[derive(Debug, ClapArgs)]
pub struct ModelDir {
    /// Model directory
    #[arg(env = "INDEXTTS_MODEL")]
    pub dir: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct VoicesDir {
    /// Directory of stored voices; the user's data directory if not given
    #[arg(long = "voices", value_name = "DIR", env = "INDEXTTS_VOICES")]
    pub path: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum VoiceCommand {
    /// Make a voice of a clip and store it
    Create(VoiceCreate),
    /// List stored voices
    List(VoicesDir),
    /// Show what is known of a stored voice
    Show(VoiceShow),
    /// Make a voice of another model again, of the clip in its file
    Refresh(VoiceRefresh),
    /// Delete a stored voice
    Remove(VoiceName),
    /// Copy a stored voice to a file, for another machine
    Export(VoiceExport),
    /// Store a voice file made by `voice export`
    Import(VoiceImport),
}

#[derive(Debug, ClapArgs)]
pub struct VoiceCreate {
    /// Its name: A-Z a-z 0-9 . _ -
    pub name: String,

    /// The clip (wav, aiff, flac, mp3, ogg or m4a); 5 to 15 seconds of clean speech are best
    pub clip: PathBuf,

    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    /// Replace a voice of this name
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[derive(Debug, ClapArgs)]
pub struct VoiceName {
    pub name: String,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[derive(Debug, ClapArgs)]
pub struct VoiceShow {
    pub name: String,

    /// Draw the clip's wave and spectrogram
    #[arg(long, value_name = "FILE.png")]
    pub picture: Option<PathBuf>,

    /// Write the clip
    #[arg(long, value_name = "FILE.wav")]
    pub wav: Option<PathBuf>,

    /// Play the clip
    #[cfg(feature = "play")]
    #[arg(long)]
    pub play: bool,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[derive(Debug, ClapArgs)]
pub struct VoiceRefresh {
    pub name: String,

    #[command(flatten)]
    pub model: ModelArg,

    #[command(flatten)]
    pub device: DeviceArg,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[derive(Debug, ClapArgs)]
pub struct VoiceExport {
    pub name: String,

    /// The file to make
    pub to: PathBuf,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[derive(Debug, ClapArgs)]
pub struct VoiceImport {
    pub file: PathBuf,

    /// Its name here; that of the file if not given
    #[arg(long)]
    pub name: Option<String>,

    /// Replace a voice of this name
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    pub voices: VoicesDir,
}

#[cfg(feature = "serve")]
#[derive(Debug, ClapArgs)]
pub struct Serve {
    #[command(flatten)]
    pub model: ModelArg,

    /// Name of the model in the API; that of its directory if not given
    #[arg(long)]
    pub model_name: Option<String>,

    #[command(flatten)]
    pub device: DeviceArg,

    /// Address to listen on; 0.0.0.0 lets other machines in
    #[arg(long, default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,

    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// Key that clients have to send
    #[arg(long, value_name = "KEY", env = "INDEXTTS_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// Web pages of this origin may call the server, e.g. https://example.org; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<String>,

    /// Requests computed at the same time; a CPU is busy with one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers: usize,

    /// Requests in work or waiting; one more is told to come back later
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub max_requests: usize,

    /// Longest text, characters
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub max_text: usize,

    /// Longest speech, seconds
    #[arg(long, value_name = "S", default_value_t = 1800)]
    pub max_audio: u64,

    /// Longest time for one request, seconds
    #[arg(long, value_name = "S", default_value_t = 3600)]
    pub max_time: u64,

    /// Largest uploaded clip, megabytes
    #[arg(long, value_name = "MB", default_value_t = 32)]
    pub max_upload: usize,

    /// What running requests get to end when the server stops, seconds
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub drain: u64,

    #[command(flatten)]
    pub precision: PrecisionArgs,

    #[command(flatten)]
    pub reading: ReadingArgs,

    #[command(flatten)]
    pub voices: VoicesDir,
}
