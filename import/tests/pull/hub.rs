//! A model hub on this machine that misbehaves on request: for tests of the pull.
#![allow(dead_code)]
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

/// What happens to one request for a file.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// So many bytes of the body, then nothing more until the client goes away.
    Stall(usize),
    /// `Content-Length` (and the total of a range) is so much more, or less, than what is sent.
    Lie(i64),
    /// More bytes than the hub described.
    Longer(usize),
    /// The right number of wrong bytes.
    Wrong,
    /// A range is answered with the whole file.
    IgnoreRange,
    /// A range is answered whatever the file's tag is now.
    IgnoreIfRange,
    /// A range is answered with another range.
    OtherRange,
    Status(u16, &'static str),
    Redirect(String),
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Vec<u8>,
    etag: String,
    /// The hub states the size / the hash of this file.
    sized: bool,
    hashed: bool,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct State {
    /// By `OWNER/NAME/PATH`.
    files: BTreeMap<String, Stored>,
    /// What the branch points to.
    commit: String,
    /// Requests for a file meet these first; the last one stays if it is in `lasting`.
    faults: BTreeMap<String, VecDeque<Fault>>,
    lasting: BTreeMap<String, Fault>,
    log: Vec<Request>,
}

#[derive(Clone)]
pub struct Hub {
    pub address: String,
    state: Arc<Mutex<State>>,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Hub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { commit: COMMIT.into(), ..State::default() }));
        let hub = Self { address, state };
        let server = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                // A client that goes away in the middle is part of the plan.
                std::thread::spawn(move || server.serve(stream).ok());
            }
        });
        hub
    }

    /// Adds or replaces a file; its tag follows its contents.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        self.store(file, bytes, true, true);
    }

    /// As [`Hub::put`], but the description lacks the hash, or both size and hash.
    pub fn put_unhashed(&self, file: &str, bytes: &[u8], sized: bool) {
        self.store(file, bytes, sized, false);
    }

    fn store(&self, file: &str, bytes: &[u8], sized: bool, hashed: bool) {
        let etag = format!("\"{}\"", &hex(bytes)[..16]);
        let stored = Stored { bytes: bytes.into(), etag, sized, hashed };
        self.state.lock().unwrap().files.insert(file.into(), stored);
    }

    pub fn move_branch(&self, commit: &str) {
        self.state.lock().unwrap().commit = commit.into();
    }

    /// The next requests for `file`, one fault each.
    pub fn faults(&self, file: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.entry(file.into()).or_default().extend(faults);
    }

    /// Every request for `file` from now on.
    pub fn always(&self, file: &str, fault: Option<Fault>) {
        let lasting = &mut self.state.lock().unwrap().lasting;
        match fault {
            Some(fault) => lasting.insert(file.into(), fault),
            None => lasting.remove(file),
        };
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }

    /// Requests for the contents of files.
    pub fn downloads(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.path.contains("/resolve/")).collect()
    }

    pub fn forget(&self) {
        self.state.lock().unwrap().log.clear();
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split_whitespace().nth(1).unwrap_or_default().to_string();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_string());
        }
        let request = Request { path, headers };
        self.state.lock().unwrap().log.push(request.clone());
        if let Some(rest) = request.path.strip_prefix("/api/models/") {
            return self.describe(&mut stream, rest.split("/revision/").next().unwrap_or_default());
        }
        self.file(&mut stream, &request)
    }

    fn describe(&self, stream: &mut TcpStream, repository: &str) -> std::io::Result<()> {
        if let Some(Fault::Status(status, extra)) = self.fault(repository) {
            return answer(stream, status, extra, b"");
        }
        let state = self.state.lock().unwrap();
        let prefix = format!("{repository}/");
        let files = state.files.iter().filter_map(|(name, file)| Some((name.strip_prefix(&prefix)?, file)));
        let siblings: Vec<_> = files
            .map(|(name, file)| {
                let mut sibling = json!({ "rfilename": name });
                if file.sized {
                    sibling["size"] = file.bytes.len().into();
                }
                if file.hashed {
                    sibling["lfs"] = json!({ "sha256": hex(&file.bytes), "size": file.bytes.len() });
                }
                sibling
            })
            .collect();
        let found = !siblings.is_empty();
        let body = json!({ "sha": state.commit, "siblings": siblings, "tags": ["license:mit"] }).to_string();
        drop(state);
        answer(stream, if found { 200 } else { 404 }, "", body.as_bytes())
    }

    fn fault(&self, file: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let next = state.faults.get_mut(file).and_then(VecDeque::pop_front);
        next.or_else(|| state.lasting.get(file).cloned())
    }

    fn file(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<()> {
        let mut parts = request.path.trim_start_matches('/').splitn(5, '/');
        let (owner, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let file = format!("{owner}/{name}/{}", parts.nth(2).unwrap_or_default());
        let Some(stored) = self.state.lock().unwrap().files.get(&file).cloned() else {
            return answer(stream, 404, "", b"");
        };
        let fault = self.fault(&file);
        let mut bytes = stored.bytes.clone();
        match &fault {
            Some(Fault::Status(status, extra)) => return answer(stream, *status, extra, b""),
            Some(Fault::Redirect(to)) => return answer(stream, 302, &format!("Location: {to}\r\n"), b""),
            Some(Fault::Wrong) => bytes.iter_mut().for_each(|b| *b ^= 1),
            Some(Fault::Longer(more)) => bytes.extend(vec![7; *more]),
            _ => {}
        }
        let range =
            request.headers.get("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let same = request.headers.get("if-range").is_none_or(|etag| *etag == stored.etag);
        let same = same || matches!(fault, Some(Fault::IgnoreIfRange));
        let range: Option<usize> = range.filter(|_| same && !matches!(fault, Some(Fault::IgnoreRange)));
        if range.is_some_and(|start| start >= bytes.len()) {
            return answer(stream, 416, "", b"");
        }
        let lie = if let Some(Fault::Lie(lie)) = fault { lie } else { 0 };
        let claimed = |n: usize| (n as i64 + lie).max(0);
        let start = range.unwrap_or(0);
        let body = &bytes[start..];
        let head = match range {
            Some(start) => {
                let shown = if matches!(fault, Some(Fault::OtherRange)) { start + 1 } else { start };
                format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {shown}-{}/{}\r\n",
                    bytes.len() - 1,
                    claimed(bytes.len())
                )
            }
            None => "HTTP/1.1 200 OK\r\n".into(),
        };
        let etag = &stored.etag;
        let length = claimed(body.len());
        write!(stream, "{head}ETag: {etag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
        let sent = match fault {
            Some(Fault::Cut(n) | Fault::Stall(n)) => &body[..n.min(body.len())],
            _ => body,
        };
        stream.write_all(sent)?;
        stream.flush()?;
        if matches!(fault, Some(Fault::Stall(_))) {
            std::thread::sleep(Duration::from_secs(30));
        }
        stream.shutdown(std::net::Shutdown::Both)
    }
}

fn answer(stream: &mut TcpStream, status: u16, extra: &str, body: &[u8]) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} -\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    stream.flush()
}

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
