//! Which model to use.
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args as ClapArgs;
use indextts::{Device, ModelFiles, Precision, Synthesizer};

use super::memory;

/// Name of the model that is built in.
const NANO: &str = "nano";

#[derive(Debug, ClapArgs)]
pub struct ModelArg {
    /// The model: `nano`, the small English one that is built in, or a directory made by `indextts models import`
    #[arg(id = "model", long = "model", value_name = "nano|DIR", env = "INDEXTTS_MODEL")]
    #[cfg_attr(feature = "nano", arg(default_value = NANO))]
    chosen: Model,
}

impl ModelArg {
    pub fn files(&self) -> ModelFiles {
        self.chosen.files()
    }

    /// The model in memory, which what is made with it may keep.
    pub fn load(&self, precision: Precision, device: &Device) -> indextts::Result<Synthesizer> {
        let synthesizer = Synthesizer::load_with(self.files(), precision, device)?;
        memory::keep_freed_memory();
        Ok(synthesizer)
    }

    /// What a client calls it.
    #[cfg(feature = "serve")]
    pub fn name(&self) -> Option<&str> {
        match &self.chosen {
            #[cfg(feature = "nano")]
            Model::Nano => Some(NANO),
            Model::Directory(path) => path.file_name()?.to_str(),
        }
    }
}

/// `nano` or a directory; a directory of that name is `./nano`.
#[derive(Debug, Clone)]
pub enum Model {
    #[cfg(feature = "nano")]
    Nano,
    Directory(PathBuf),
}

impl Model {
    pub fn files(&self) -> ModelFiles {
        match self {
            #[cfg(feature = "nano")]
            Self::Nano => ModelFiles::nano(),
            Self::Directory(path) => path.as_path().into(),
        }
    }
}

impl FromStr for Model {
    type Err = Infallible;

    fn from_str(typed: &str) -> Result<Self, Infallible> {
        Ok(match typed {
            #[cfg(feature = "nano")]
            NANO => Self::Nano,
            path => Self::Directory(path.into()),
        })
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "nano")]
            Self::Nano => f.write_str(NANO),
            Self::Directory(path) => path.display().fmt(f),
        }
    }
}
