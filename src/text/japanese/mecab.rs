//! Dictionaries as MeCab has compiled them (`sys.dic`, `unk.dic`, `char.bin`, `matrix.bin`), taken apart into the sources
//! that they were made of. The reference uses one: that of the PyPI package unidic-lite.
//!
//! Format: MeCab 0.996, little-endian. Words are a double array over UTF-8 bytes whose values name a run of tokens; a token
//! is the two connection ids and the cost that the sources give, and more that setting words apart does not need.
use std::io::{self, Read};
use std::ops::Range;

/// The files of a compiled dictionary.
pub const FILES: [&str; 4] = ["sys.dic", "unk.dic", "char.bin", "matrix.bin"];

/// What the first four bytes and the length of a list of words have in common.
const MAGIC: u32 = 0xef71_8f77;
const VERSION: u32 = 102;
/// Bytes in front of the double array: ten numbers and the name of the character set.
const HEADER: usize = 10 * 4 + 32;
/// Bytes of an element of the double array, and of a token.
const UNIT: usize = 8;
const TOKEN: usize = 16;
/// Characters that have properties.
const CHARACTERS: usize = 0xffff;
/// Bytes of the longest word.
const LONGEST: usize = 4096;

/// Says what is wrong with a file.
type Result<T> = std::result::Result<T, String>;

fn bytes<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N]> {
    let found = data.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().ok_or_else(|| format!("it ends before byte {}", at + N))
}

fn number(data: &[u8], at: usize) -> Result<u32> {
    bytes(data, at).map(u32::from_le_bytes)
}

fn short(data: &[u8], at: usize) -> Result<u16> {
    bytes(data, at).map(u16::from_le_bytes)
}

fn signed(data: &[u8], at: usize) -> Result<i16> {
    bytes(data, at).map(i16::from_le_bytes)
}

/// The words of `sys.dic` or `unk.dic` as lines of the sources.
pub fn words(data: &[u8]) -> Result<String> {
    if number(data, 0)? ^ MAGIC != data.len() as u32 {
        return Err("it is no dictionary that MeCab has compiled, or not whole".into());
    }
    let version = number(data, 4)?;
    if version != VERSION {
        return Err(format!("its format is {version}, only {VERSION} is known"));
    }
    let set: Vec<u8> = bytes::<32>(data, 40)?.into_iter().take_while(|byte| *byte != 0).collect();
    if !matches!(set.to_ascii_lowercase().as_slice(), b"utf8" | b"utf-8") {
        return Err(format!("its characters are {}, not UTF-8", String::from_utf8_lossy(&set)));
    }
    let (array, tokens) = (number(data, 24)? as usize, number(data, 28)? as usize);
    let part = |range: Range<usize>| data.get(range).ok_or_else(|| "its parts are longer than it is".to_string());
    let array = part(HEADER..HEADER.saturating_add(array))?;
    let tokens = part(HEADER + array.len()..(HEADER + array.len()).saturating_add(tokens))?;
    let mut lines = String::new();
    for (word, value) in walk(array)? {
        let (first, count) = ((value >> 8) as usize, (value & 0xff) as usize);
        for token in first..first + count {
            let at = token * TOKEN;
            let (left, right, cost) = (short(tokens, at)?, short(tokens, at + 2)?, signed(tokens, at + 6)?);
            lines.push_str(&format!("\"{}\",{left},{right},{cost},*\n", word.replace('"', "\"\"")));
        }
    }
    Ok(lines)
}

/// Every key of a double array with its value.
fn walk(array: &[u8]) -> Result<Vec<(String, u32)>> {
    let units: Vec<(i32, u32)> = array
        .chunks_exact(UNIT)
        .map(|unit| Ok((bytes(unit, 0).map(i32::from_le_bytes)?, number(unit, 4)?)))
        .collect::<Result<_>>()?;
    let damaged = || "its list of words is damaged".to_string();
    // A unit belongs to the state that its check names. States are walked once each, so that no loop is followed.
    let mut seen = vec![false; units.len()];
    let mut found = Vec::new();
    let mut key: Vec<u8> = Vec::new();
    // States still to be walked: depth, the byte that led there, base.
    let mut waiting = vec![(0usize, 0u8, units.first().ok_or_else(damaged)?.0)];
    while let Some((depth, byte, base)) = waiting.pop() {
        key.truncate(depth.saturating_sub(1));
        if depth > 0 {
            key.push(byte);
        }
        let base = usize::try_from(base).map_err(|_| damaged())?;
        let belongs = |at: usize| units.get(at).filter(|unit| unit.1 as usize == base);
        if let Some((value, _)) = belongs(base).filter(|unit| unit.0 < 0) {
            let word = String::from_utf8(key.clone()).map_err(|_| damaged())?;
            found.push((word, (-1 - value) as u32));
        }
        for next in (0..=255u8).rev() {
            let at = base + usize::from(next) + 1;
            let Some((child, _)) = belongs(at) else { continue };
            if std::mem::replace(&mut seen[at], true) || depth >= LONGEST {
                return Err(damaged());
            }
            waiting.push((depth + 1, next, *child));
        }
    }
    Ok(found)
}

/// `char.bin` as `char.def`: categories, then the categories of every character.
pub fn characters(data: &[u8]) -> Result<String> {
    let count = number(data, 0)? as usize;
    if data.len() != 4 + 32 * count + 4 * CHARACTERS || count > 18 {
        return Err("its length is not that of a table of characters".into());
    }
    let names: Vec<String> = (0..count)
        .map(|n| {
            let name: Vec<u8> = bytes::<32>(data, 4 + 32 * n)?.into_iter().take_while(|byte| *byte != 0).collect();
            String::from_utf8(name).map_err(|_| "a category has no readable name".to_string())
        })
        .collect::<Result<_>>()?;
    // Of each character: the set of its categories (18 bits), the first of them (8), and its length (4), group and invoke.
    let infos: Vec<u32> = (0..CHARACTERS).map(|n| number(data, 4 + 32 * count + 4 * n)).collect::<Result<_>>()?;
    let first = |info: u32| (info >> 18 & 0xff) as usize;
    let mut text = String::new();
    for (n, name) in names.iter().enumerate() {
        // How unknown words are made is a matter of the first category alone; one that is never the first needs nothing.
        let info = infos.iter().copied().find(|info| first(*info) == n).unwrap_or_default();
        text.push_str(&format!("{name} {} {} {}\n", info >> 31 & 1, info >> 30 & 1, info >> 26 & 0xf));
    }
    for (character, info) in infos.iter().enumerate() {
        let others = (0..count).filter(|n| *n != first(*info) && info >> n & 1 == 1);
        let own: Option<Vec<&str>> =
            std::iter::once(first(*info)).chain(others).map(|n| names.get(n).map(String::as_str)).collect();
        let own = own.ok_or("a character is in a category that there is not")?;
        text.push_str(&format!("{character:#06x} {}\n", own.join(" ")));
    }
    Ok(text)
}

/// `matrix.bin` as `matrix.def`, a line at a time: written out it takes ten times the space.
#[derive(Debug)]
pub struct Matrix<'a> {
    right: usize,
    costs: &'a [u8],
    next: usize,
    line: Vec<u8>,
    read: usize,
}

impl<'a> Matrix<'a> {
    pub fn new(data: &'a [u8]) -> Result<Self> {
        let (right, left) = (usize::from(short(data, 0)?), usize::from(short(data, 2)?));
        let costs = &data[4..];
        if costs.len() != 2 * right * left || right == 0 {
            return Err(format!("{} bytes are not {right} by {left} costs", costs.len()));
        }
        Ok(Self { right, costs, next: 0, line: format!("{right} {left}\n").into_bytes(), read: 0 })
    }
}

impl Read for Matrix<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        use io::Write;
        // Costs of nothing need no line.
        while self.read == self.line.len() {
            let Some(cost) = self.costs.get(2 * self.next..).and_then(|rest| rest.first_chunk()) else {
                return Ok(0);
            };
            let cost = i16::from_le_bytes(*cost);
            let (left, right) = (self.next / self.right, self.next % self.right);
            self.next += 1;
            if cost != 0 {
                self.line.clear();
                self.read = 0;
                writeln!(self.line, "{right} {left} {cost}")?;
            }
        }
        let length = out.len().min(self.line.len() - self.read);
        out[..length].copy_from_slice(&self.line[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}
