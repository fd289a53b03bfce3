//! The server.
use clap::{Args as ClapArgs, ValueEnum};
use indextts::server::ServeOptions;

use super::super::device::DeviceArg;
use super::super::model::ModelArg;
use super::{PrecisionArgs, ReadingArgs, VoicesDir};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

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

    /// Another name of a voice, e.g. alloy=bella for clients that have OpenAI's names built in; can be repeated
    #[arg(long, value_name = "NAME=VOICE", value_parser = voice_alias)]
    pub voice_alias: Vec<(String, String)>,

    /// Key that clients have to send
    #[arg(long, value_name = "KEY", env = "INDEXTTS_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// Web pages of this origin may call the server, e.g. https://example.org; can be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<String>,

    /// Requests computed at the same time; a CPU is busy with one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers: usize,

    /// Requests whose speech codes are decoded at the same time
    #[arg(long, value_name = "N", default_value_t = ServeOptions::TOGETHER)]
    pub together: usize,

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

    /// How the log is written to standard error: a line to read, or a JSON object, each
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

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

fn voice_alias(given: &str) -> Result<(String, String), String> {
    match given.split_once('=') {
        Some((name, voice)) if !name.is_empty() && !voice.is_empty() => Ok((name.into(), voice.into())),
        _ => Err("expected NAME=VOICE, such as alloy=bella".into()),
    }
}
