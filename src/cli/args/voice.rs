//! Voices that are kept.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::super::device::DeviceArg;
use super::super::model::ModelArg;

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
