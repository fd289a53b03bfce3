//! The command line. Results go to standard output, progress, warnings and errors to standard error.
mod args;
mod batch;
mod bench;
mod compare;
mod device;
mod devices;
#[cfg(feature = "play")]
mod loudspeaker;
mod memory;
mod model;
mod models;
mod options;
mod picture;
mod progress;
#[cfg(feature = "pull")]
mod pull;
mod say;
#[cfg(feature = "serve")]
mod serve;
mod sink;
mod staging;
mod subtitles;
mod text;
mod voice;
mod warmup;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use indextts::Error;
use tracing_subscriber::EnvFilter;

use args::{Args, Command, ModelsCommand, VoiceCommand};

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Library(#[from] Error),
    #[error(transparent)]
    Import(#[from] indextts_import::Error),
    #[cfg(feature = "pull")]
    #[error(transparent)]
    Pull(#[from] indextts_import::pull::Error),
    /// A model directory that does not hold what it should.
    #[error("{0}")]
    Model(String),
    /// Rows of a batch that failed; `code` is the gravest of theirs.
    #[error("{message}")]
    Rows { message: String, code: u8 },
    /// Arguments that clap cannot judge.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// 1: text, audio or option; 2: command line (clap's own), or a missing or damaged model or file; 4: synthesis.
    fn code(&self) -> u8 {
        match self {
            Self::Library(Error::Audio { .. } | Error::Input { .. }) | Self::Usage(_) => 1,
            Self::Library(Error::Generation { .. } | Error::Cancelled) => 4,
            #[cfg(feature = "pull")]
            Self::Pull(indextts_import::pull::Error::Licence { .. } | indextts_import::pull::Error::Unknown { .. }) => {
                1
            }
            #[cfg(feature = "pull")]
            Self::Pull(_) => 2,
            Self::Rows { code, .. } => *code,
            Self::Library(_) | Self::Import(_) | Self::Model(_) => 2,
        }
    }
}

/// Parses the arguments, runs the command, and turns its outcome into an exit code.
pub fn run() -> ExitCode {
    memory::prefer_large_pages();
    let args = Args::parse();
    #[cfg(feature = "serve")]
    let (serves, json) = match &args.command {
        Command::Serve(serve) => (true, serve.log_format == args::LogFormat::Json),
        _ => (false, false),
    };
    #[cfg(not(feature = "serve"))]
    let (serves, json) = (false, false);
    let level = match (args.quiet, args.verbose) {
        (true, _) => "error",
        (_, 0) if serves => "info,symphonia=error",
        (_, 0) => "warn,symphonia=error",
        (_, 1) => "info,symphonia=warn",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("INDEXTTS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Colours are for a terminal; in a file they are in the way.
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // The lines of a server are read later, those of a command at once.
    match (serves, json) {
        (true, true) => log.json().flatten_event(true).with_span_list(false).init(),
        (true, false) => log.init(),
        _ => log.without_time().init(),
    }
    let outcome = match args.command {
        Command::Say(say) => say::run(&say, args.quiet),
        Command::Text(text) => text::run(&text),
        #[cfg(feature = "pull")]
        Command::Models(ModelsCommand::Pull(pull)) => pull::run(&pull, args.quiet),
        Command::Batch(batch) => batch::run(&batch, args.quiet),
        Command::Models(ModelsCommand::Import(import)) => models::import(&import, args.quiet),
        Command::Models(ModelsCommand::Dictionary(dictionary)) => models::dictionary(&dictionary),
        Command::Models(ModelsCommand::Inspect(dir)) => models::inspect(&dir),
        Command::Models(ModelsCommand::Verify(dir)) => models::verify(&dir, args.quiet),
        Command::Bench(bench) => bench::run(&bench, args.quiet),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve::run(&serve, args.quiet),
        Command::Voice(VoiceCommand::Create(create)) => voice::create(&create, args.quiet),
        Command::Voice(VoiceCommand::List(voices)) => voice::list(&voices),
        Command::Voice(VoiceCommand::Show(voice)) => voice::show(&voice),
        Command::Voice(VoiceCommand::Refresh(refresh)) => voice::refresh(&refresh, args.quiet),
        Command::Voice(VoiceCommand::Remove(voice)) => voice::remove(&voice),
        Command::Voice(VoiceCommand::Export(export)) => voice::export(&export),
        Command::Voice(VoiceCommand::Import(import)) => voice::import(&import),
        Command::Devices => devices::run(args.quiet),
        Command::Compare(compare) => compare::run(&compare, args.quiet),
        Command::Warmup(warmup) => warmup::run(&warmup, args.quiet),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
