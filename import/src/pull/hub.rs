//! What the hub says about a repository: the commit of a revision, and the size and hash of every file.
use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::error::Error;
use super::http::{Client, Failure};
use super::record::Known;

/// Descriptions of repositories with thousands of files are a few megabytes.
const MAX_BYTES: u64 = 32 << 20;

/// A repository at one commit.
#[derive(Debug)]
pub struct Description {
    pub commit: String,
    /// By path in the repository. Sizes of all files; hashes of the large ones.
    pub files: BTreeMap<String, Known>,
    /// The licence as the hub tags it.
    pub licence: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    size: Option<u64>,
    sha256: Option<String>,
}

/// One attempt to read the description of `repository` at `revision`.
pub fn describe(client: &Client, repository: &str, revision: &str) -> Result<Description, Failure> {
    let mut url = client.url(["api", "models"].into_iter().chain(repository.split('/')).chain(["revision", revision]));
    url.set_query(Some("blobs=true"));
    let mut response = client.get(&url, &[])?;
    if !response.status().is_success() {
        return Err(client.refusal(&response, &url, repository));
    }
    let wrong = |what: String| Failure::Final(Error::Description { url: url.to_string(), what });
    let mut text = Vec::new();
    let read = response.body_mut().as_reader().take(MAX_BYTES + 1).read_to_end(&mut text);
    read.map_err(|e| Failure::again(Error::Network { url: url.to_string(), what: e.to_string() }))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(wrong("too long".into()));
    }
    let answer: Answer = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    // The commit becomes part of addresses.
    if answer.sha.len() < 7 || !answer.sha.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong(format!("{:?} is not a commit", answer.sha)));
    }
    let known = |sibling: Sibling| {
        let (lfs_size, sha256) = sibling.lfs.map_or((None, None), |lfs| (lfs.size, lfs.sha256));
        (sibling.rfilename, Known { bytes: lfs_size.or(sibling.size), sha256: sha256.map(|h| h.to_lowercase()) })
    };
    Ok(Description {
        commit: answer.sha.to_lowercase(),
        files: answer.siblings.into_iter().map(known).collect(),
        licence: answer.tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(String::from),
    })
}
