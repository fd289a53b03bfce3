//! `torch.save` archives: a ZIP of one pickle (protocol 2) and one entry per tensor.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::{Entry, Result, values};

/// Nested dictionaries of tensors.
enum Node<'a> {
    Dict(BTreeMap<String, Node<'a>>),
    Tensor(usize, &'a Entry),
    Number(u8),
}

/// Writes `entries` below `root`. Keys such as `net/cfm/estimator.x` are nested at their slashes.
pub fn write(path: &Path, entries: &[Entry], root: &[&str], leftovers: bool) -> Result {
    let mut top = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let parts: Vec<&str> = root.iter().copied().chain(entry.key.split('/')).collect();
        insert(&mut top, &parts, Node::Tensor(index, entry));
    }
    if leftovers && let Some(first) = entries.first() {
        insert(&mut top, &["optimizer", "state", "0", "exp_avg"], Node::Tensor(0, first));
        insert(&mut top, &["epoch"], Node::Number(7));
        insert(&mut top, &["iters"], Node::Number(9));
    }
    save(path, &Node::Dict(top), &entries.iter().collect::<Vec<_>>())
}

/// Writes one tensor as the root of the archive.
pub fn write_bare(path: &Path, entry: &Entry) -> Result {
    save(path, &Node::Tensor(0, entry), &[entry])
}

fn insert<'a>(dict: &mut BTreeMap<String, Node<'a>>, path: &[&str], node: Node<'a>) {
    match path {
        [] => {}
        [last] => {
            dict.insert((*last).into(), node);
        }
        [first, rest @ ..] => {
            if let Node::Dict(inner) = dict.entry((*first).into()).or_insert_with(|| Node::Dict(BTreeMap::new())) {
                insert(inner, rest, node);
            }
        }
    }
}

fn save(path: &Path, root: &Node<'_>, entries: &[&Entry]) -> Result {
    let mut zip = ZipWriter::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut pickle = vec![0x80, 2];
    put(&mut pickle, root);
    pickle.push(b'.');
    for (name, data) in [("data.pkl", pickle.as_slice()), ("byteorder", b"little"), ("version", b"3\n")] {
        zip.start_file(format!("archive/{name}"), options)?;
        zip.write_all(data)?;
    }
    for (index, entry) in entries.iter().enumerate() {
        zip.start_file(format!("archive/data/{index}"), options)?;
        values::write(&mut zip, entry)?;
    }
    zip.finish()?.flush()?;
    Ok(())
}

fn put(out: &mut Vec<u8>, node: &Node<'_>) {
    match node {
        Node::Number(n) => out.extend([b'K', *n]),
        Node::Dict(items) => {
            out.extend(b"}(");
            for (key, value) in items {
                string(out, key);
                put(out, value);
            }
            out.push(b'u');
        }
        Node::Tensor(index, entry) => {
            let storage = match entry.dtype.as_str() {
                "int64" => "LongStorage",
                "bfloat16" => "BFloat16Storage",
                "float16" => "HalfStorage",
                _ => "FloatStorage",
            };
            // _rebuild_tensor_v2(persistent id, offset, shape, strides, requires_grad, hooks)
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            string(out, "storage");
            out.extend(format!("ctorch\n{storage}\n").bytes());
            string(out, &index.to_string());
            string(out, "cpu");
            number(out, entry.elements());
            out.extend(b"tQK\0");
            tuple(out, &entry.shape);
            let strides = (1..=entry.shape.len()).map(|i| entry.shape[i..].iter().product());
            tuple(out, &strides.collect::<Vec<usize>>());
            out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}

fn number(out: &mut Vec<u8>, n: usize) {
    out.push(b'J');
    out.extend((n as i32).to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, items: &[usize]) {
    out.push(b'(');
    items.iter().for_each(|n| number(out, *n));
    out.push(b't');
}
