//! The registry: which official files make up a model, and where they come from.
use std::collections::BTreeSet;
use std::path::{Component, Path};

use serde::Deserialize;

use super::error::{Error, Result};

/// Entries that come with the program.
const BUILT_IN: &[(&str, &str)] = &[
    ("indextts-2", include_str!("../../registry/indextts-2.toml")),
    ("indextts-2.5", include_str!("../../registry/indextts-2.5.toml")),
];

/// Registry files are a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 1 << 20;

/// A model that can be pulled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub about: String,
    #[serde(rename = "repository")]
    pub repositories: Vec<Repository>,
}

/// A repository of the hub, and the files that are needed of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// `OWNER/NAME`.
    pub id: String,
    /// A commit, or a branch whose commit is recorded by the first pull.
    pub revision: String,
    pub licence: Licence,
    pub files: Vec<OfficialFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    pub name: String,
    /// What it means in a few words.
    pub note: Option<String>,
    /// How the hub tags it; another tag there is worth a warning.
    pub tag: Option<String>,
    pub url: String,
}

/// One file of a repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialFile {
    /// Path in the repository.
    pub path: String,
    /// Path below the directory of the official files, if it differs.
    to: Option<String>,
    pub bytes: Option<u64>,
    /// Lower-case hexadecimal.
    pub sha256: Option<String>,
}

impl OfficialFile {
    /// Path below the directory of the official files.
    pub fn target(&self) -> &str {
        self.to.as_deref().unwrap_or(&self.path)
    }
}

impl Entry {
    /// The built-in entry of this name, or the one in a registry file (`*.toml`).
    pub fn find(name: &str) -> Result<Self> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, name);
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|extension| extension != "toml") {
            let known = BUILT_IN.iter().map(|(known, _)| (*known).to_string()).collect();
            return Err(Error::Unknown { name: name.into(), known });
        }
        let length = path.metadata().map_err(Error::io("read", path))?.len();
        if length > MAX_BYTES {
            return Err(Error::Registry { origin: name.into(), what: format!("{length} bytes are too many") });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(Error::io("read", path))?, name)
    }

    fn parse(text: &str, origin: &str) -> Result<Self> {
        let wrong = |what: String| Error::Registry { origin: origin.into(), what };
        let entry: Self = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        entry.check().map_err(wrong)?;
        Ok(entry)
    }

    /// Names end up in URLs and paths, so only harmless ones are let through.
    fn check(&self) -> std::result::Result<(), String> {
        if !plain(&self.name) {
            return Err(format!("name {:?}: letters, digits, `.`, `-` and `_` only", self.name));
        }
        let mut targets = BTreeSet::new();
        for repository in &self.repositories {
            let id = &repository.id;
            if id.split('/').count() != 2 || !id.split('/').all(plain) {
                return Err(format!("repository {id:?}: expected OWNER/NAME"));
            }
            if !plain(&repository.revision) {
                return Err(format!("{id}: revision {:?}: expected a commit or a branch", repository.revision));
            }
            for file in &repository.files {
                for path in [file.path.as_str(), file.target()] {
                    if path.is_empty() || !Path::new(path).components().all(|c| matches!(c, Component::Normal(_))) {
                        return Err(format!("{id}: path {path:?} leads out of the directory"));
                    }
                }
                if let Some(hash) = &file.sha256
                    && (hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                {
                    return Err(format!("{id}: {}: {hash:?} is not a SHA-256 in lower case", file.path));
                }
                if !targets.insert(file.target()) {
                    return Err(format!("{} is named twice", file.target()));
                }
            }
        }
        if targets.is_empty() { Err("names no files".into()) } else { Ok(()) }
    }
}

fn plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_entries_are_sound() {
        for (name, _) in BUILT_IN {
            assert_eq!(Entry::find(name).unwrap_or_else(|e| panic!("{e}")).name, *name);
        }
        let message = Entry::find("indextts-9").unwrap_err().to_string();
        assert!(message.contains("indextts-9") && message.contains("indextts-2"), "{message}");
    }

    #[test]
    fn the_official_entries_name_every_file_of_the_layout() {
        use crate::layout::{Layout, Role, Role::*};
        let common = [Config, Gpt, S2Mel, W2vStats, SpeakerMatrix, EmotionMatrix, CampPlus, BigVgan, BigVganConfig];
        let more = [W2vBert, W2vBertConfig, W2vPreprocessor, Qwen, QwenConfig, QwenGeneration, QwenTokenizer];
        for (name, own) in [("indextts-2", &[SentencePiece, SemanticCodec][..]), ("indextts-2.5", &[Tiktoken, Codec25])]
        {
            let directory = tempfile::tempdir().unwrap();
            let entry = Entry::find(name).unwrap();
            let files: Vec<&str> = entry.repositories.iter().flat_map(|r| &r.files).map(OfficialFile::target).collect();
            for file in &files {
                let path = directory.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            let roles: Vec<Role> = common.iter().chain(&more).chain(own).copied().collect();
            let layout = Layout::find(directory.path()).unwrap();
            layout.require_all(roles.iter()).unwrap_or_else(|e| panic!("{name}: {e}"));
            // And no other.
            assert_eq!(files.len(), roles.len(), "{name}: {files:?}");
        }
    }

    #[test]
    fn what_could_leave_the_directory_or_the_host_is_refused() {
        let entry = |id: &str, file: &str| {
            let text = format!(
                "name = \"a\"\nabout = \"\"\n[[repository]]\nid = \"{id}\"\nrevision = \"main\"\nfiles = [{file}]\n\
                 licence = {{ name = \"MIT\", url = \"\" }}\n"
            );
            Entry::parse(&text, "here")
        };
        assert!(entry("a/b", "{ path = \"c\" }").is_ok());
        for (id, file) in [
            ("a", "{ path = \"c\" }"),
            ("a/../b", "{ path = \"c\" }"),
            ("a/..", "{ path = \"c\" }"),
            ("a/b", "{ path = \"../c\" }"),
            ("a/b", "{ path = \"c\", to = \"/c\" }"),
            ("a/b", "{ path = \"c\", sha256 = \"ABC\" }"),
            ("a/b", "{ path = \"c\" }, { path = \"d\", to = \"c\" }"),
            ("a/b", "{ path = \"c\", hash = \"\" }"),
            ("a/b", ""),
        ] {
            assert!(entry(id, file).is_err(), "{id} {file}");
        }
    }
}
