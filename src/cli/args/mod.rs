//! What can be typed.
mod batch;
mod bench;
mod models;
mod precision;
mod sampling;
mod say;
#[cfg(feature = "serve")]
mod serve;
mod voice;

use clap::{Parser, Subcommand};

pub use batch::Batch;
pub use bench::{Bench, Compare, Warmup};
pub use models::{Dictionary, DtypeArg, Import, Inspect, ModelDir, ModelsCommand};
#[cfg(feature = "pull")]
pub use models::{HUB, Pull};
pub use precision::{PrecisionArgs, QuantizeArg, WeightsArg};
pub use sampling::{EmotionArgs, PositionsArg, SamplingArgs};
pub use say::{ReadingArgs, Say, Text};
#[cfg(feature = "serve")]
pub use serve::{LogFormat, Serve};
pub use voice::{VoiceCommand, VoiceCreate, VoiceExport, VoiceImport, VoiceName, VoiceRefresh, VoiceShow, VoicesDir};

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
