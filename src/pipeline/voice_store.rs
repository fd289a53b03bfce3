//! A directory of voices, by name.
use std::io::Write;
use std::path::{Path, PathBuf};

use super::synthesize::Synthesizer;
use super::voice::Voice;
use super::voice_file::{self, VoiceInfo};
use crate::audio::decode::ReferenceAudio;
use crate::{Error, Result};

const EXTENSION: &str = "safetensors";
/// Longest name of a voice.
const MAX_NAME: usize = 64;

/// Voices stored as files of one directory, which need not exist yet.
#[derive(Debug, Clone)]
pub struct VoiceStore {
    directory: PathBuf,
}

impl VoiceStore {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every voice in the order of the names. Files that are not voices are left out and named in the log.
    pub fn list(&self) -> Result<Vec<VoiceInfo>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("list", &self.directory)(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io("list", &self.directory))?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            names.extend(name.filter(|_| path.extension().is_some_and(|e| e == EXTENSION)).map(str::to_string));
        }
        names.sort();
        let known = |name: &String| self.info(name).inspect_err(|e| tracing::warn!("{e}")).ok();
        Ok(names.iter().filter_map(known).collect())
    }

    /// Whether there is a file for this name; false for what cannot be a name.
    pub fn contains(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.is_file())
    }

    /// What the voice's file says about it. The name is that of the file.
    pub fn info(&self, name: &str) -> Result<VoiceInfo> {
        let path = self.path(name)?;
        Ok(VoiceInfo { name: name.into(), ..voice_file::info(&read(&path)?, &path)? })
    }

    /// The clip that the voice was made of; files of the first version have none.
    pub fn clip(&self, name: &str) -> Result<Option<ReferenceAudio>> {
        let path = self.path(name)?;
        voice_file::clip(&read(&path)?, &path)
    }

    /// The voice, for the model of `synthesizer`: made again of its clip if it was made with another model.
    ///
    /// # Errors
    /// [`Error::StaleVoice`] if it was made with another model and holds no clip, [`Error::Format`] if the file is
    /// damaged.
    pub fn load(&self, name: &str, synthesizer: &Synthesizer) -> Result<Voice> {
        let path = self.path(name)?;
        voice_file::decode(&read(&path)?, &path, synthesizer)
    }

    /// Stores `voice`, made by `synthesizer` of `clip`, and the clip. An existing voice is replaced only if asked.
    pub fn save(
        &self,
        name: &str,
        voice: &Voice,
        clip: &ReferenceAudio,
        synthesizer: &Synthesizer,
        replace: bool,
    ) -> Result<VoiceInfo> {
        let path = self.path(name)?;
        let bytes = voice_file::encode(voice, name, clip, synthesizer.fingerprint()?).map_err(|what| {
            Error::Format { path: path.clone(), what, hint: "the voice's tensors cannot be stored".into() }
        })?;
        self.put(name, &bytes, replace)
    }

    /// Stores a voice file from elsewhere, after a look at its header.
    pub fn import(&self, name: &str, file: &Path, replace: bool) -> Result<VoiceInfo> {
        let bytes = read(file)?;
        voice_file::info(&bytes, file)?;
        self.put(name, &bytes, replace)
    }

    /// Copies a voice's file to `to`, which appears only when it is complete.
    pub fn export(&self, name: &str, to: &Path) -> Result<()> {
        let path = self.path(name)?;
        let bytes = read(&path)?;
        voice_file::info(&bytes, &path)?;
        write(to, &bytes, true).map_err(Error::io("write", to))
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(Error::io("remove", path))
    }

    fn put(&self, name: &str, bytes: &[u8], replace: bool) -> Result<VoiceInfo> {
        let path = self.path(name)?;
        std::fs::create_dir_all(&self.directory).map_err(Error::io("create", &self.directory))?;
        write(&path, bytes, replace).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Input {
                name: "voice".into(),
                got: format!("{name}, which exists"),
                expected: "a new name; or remove the voice first".into(),
            },
            _ => Error::io("write", &path)(e),
        })?;
        self.info(name)
    }

    /// The file of a voice, whether or not it is there.
    ///
    /// # Errors
    /// [`Error::Input`] if this cannot be a name: it has to be one plain path component on every system.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let plain = !name.starts_with(['.', '-']) && name.chars().all(allowed);
        if name.is_empty() || name.len() > MAX_NAME || !plain {
            return Err(Error::Input {
                name: "name of a voice".into(),
                got: format!("{:?}", name.chars().take(2 * MAX_NAME).collect::<String>()),
                expected: format!("1 to {MAX_NAME} of A-Z a-z 0-9 . _ -, not starting with . or -"),
            });
        }
        Ok(self.directory.join(format!("{name}.{EXTENSION}")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let io = |e| Error::io("read", path)(e);
    let length = path.metadata().map_err(io)?.len();
    if length > voice_file::MAX_BYTES {
        return Err(Error::Format {
            path: path.into(),
            what: format!("{length} bytes are too many for a voice"),
            hint: "name a file made by `indextts voice`".into(),
        });
    }
    std::fs::read(path).map_err(io)
}

/// Writes a file that appears under its name only when it is complete.
fn write(path: &Path, bytes: &[u8], replace: bool) -> std::io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match replace {
        true => file.persist(path).map_err(|e| e.error)?,
        false => file.persist_noclobber(path).map_err(|e| e.error)?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_directory() {
        let store = VoiceStore::new("voices");
        for name in ["anna", "A.b_c-9", &"x".repeat(MAX_NAME)] {
            assert_eq!(store.path(name).unwrap().parent(), Some(Path::new("voices")), "{name}");
        }
        for name in
            ["", ".", "..", "../x", "a/b", "a\\b", "-x", ".x", "a b", "ä", "C:", "a\0", &"x".repeat(MAX_NAME + 1)]
        {
            assert!(matches!(store.path(name), Err(Error::Input { .. })), "{name}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_holds_nothing() {
        assert_eq!(VoiceStore::new("/nowhere/voices").list().unwrap(), []);
        assert!(!VoiceStore::new("/nowhere/voices").contains("anna"));
    }

    #[test]
    fn what_is_not_a_voice_is_refused_and_never_listed() {
        let directory = tempfile::tempdir().unwrap();
        let store = VoiceStore::new(directory.path());
        let file = directory.path().join("noise.safetensors");
        for bytes in [&b""[..], b"\xff\xff\xff\xff\xff\xff\xff\xff{}", b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"]
        {
            std::fs::write(&file, bytes).unwrap();
            assert!(matches!(store.info("noise"), Err(Error::Format { .. })), "{bytes:?}");
            assert!(matches!(store.import("other", &file, false), Err(Error::Format { .. })));
        }
        assert_eq!(store.list().unwrap(), []);
        assert!(!store.contains("other"));
    }
}
