//! Models: fetched, imported, looked at.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::super::model::Model;
use super::QuantizeArg;

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

    /// Store the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits, and what hears the clip (w2v-bert, the
    /// GPT's encoders) in 8
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

    /// Store the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits, and what hears the clip (w2v-bert, the
    /// GPT's encoders) in 8
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
