//! The files of a model, wherever they are.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Result};

#[cfg(feature = "nano")]
static NANO: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/models/nano");

/// A model directory, or its contents in memory (built into the program, or fetched by a page).
#[derive(Debug, Clone)]
pub enum ModelFiles {
    Directory(PathBuf),
    /// `name` stands for the directory in messages.
    Memory {
        name: String,
        files: Arc<BTreeMap<String, Cow<'static, [u8]>>>,
    },
}

impl From<&Path> for ModelFiles {
    fn from(path: &Path) -> Self {
        Self::Directory(path.into())
    }
}

impl ModelFiles {
    /// The small English voice model that is built into the program (`models/nano`).
    #[cfg(feature = "nano")]
    pub fn nano() -> Self {
        fn collect(dir: &'static include_dir::Dir<'_>, into: &mut BTreeMap<String, Cow<'static, [u8]>>) {
            for file in dir.files() {
                // Names of files in a model are plain ASCII.
                into.insert(file.path().to_string_lossy().replace('\\', "/"), Cow::Borrowed(file.contents()));
            }
            dir.dirs().for_each(|dir| collect(dir, into));
        }
        let mut files = BTreeMap::new();
        collect(&NANO, &mut files);
        Self::Memory { name: "nano".into(), files: Arc::new(files) }
    }

    /// Files in memory, by name.
    pub fn in_memory<I>(name: &str, files: I) -> Self
    where
        I: IntoIterator<Item = (String, Cow<'static, [u8]>)>,
    {
        Self::Memory { name: name.into(), files: Arc::new(files.into_iter().collect()) }
    }

    /// Where the file would be, for messages.
    pub fn path(&self, file: &str) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(file),
            Self::Memory { name, .. } => Path::new(name).join(file),
        }
    }

    /// Files of a folder, in the order of their names, as `folder/name`.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let mut found: Vec<String> = match self {
            Self::Directory(path) => std::fs::read_dir(path.join(folder))
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(format!("{folder}/{}", entry.ok()?.file_name().to_str()?)))
                .collect(),
            Self::Memory { files, .. } => {
                let inside = |name: &&String| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
                files.keys().filter(inside).cloned().collect()
            }
        };
        found.sort();
        found
    }

    pub fn contains(&self, file: &str) -> bool {
        match self {
            Self::Directory(path) => path.join(file).is_file(),
            Self::Memory { files, .. } => files.contains_key(file),
        }
    }

    /// The contents of a small file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is longer than `limit` bytes.
    pub fn read(&self, file: &str, limit: u64) -> Result<Cow<'static, [u8]>> {
        let path = self.path(file);
        match self {
            Self::Directory(_) => {
                let length = path.metadata().map_err(Error::io("read", &path))?.len();
                if length > limit {
                    return Err(Error::Format {
                        path,
                        what: format!("{length} bytes are too many for this file"),
                        hint: "run `indextts models verify`, or import the model again".into(),
                    });
                }
                std::fs::read(&path).map(Cow::Owned).map_err(Error::io("read", path))
            }
            Self::Memory { files, .. } => files
                .get(file)
                .cloned()
                .ok_or_else(|| Error::io("read", path)(std::io::Error::from(std::io::ErrorKind::NotFound))),
        }
    }
}
