//! Where samples go while more are made.
use std::io::Write;
use std::path::{Path, PathBuf};

use indextts::Error;
use indextts::audio::wav;

use super::Failure;

pub trait Sink {
    /// Takes samples from -1 to 1, in their order.
    fn put(&mut self, samples: &[f32]) -> Result<(), Failure>;

    /// No more come: returns when all have left.
    fn finish(&mut self) -> Result<(), Failure>;
}

/// 16-bit samples to a pipe, a device or standard output, each chunk at once.
pub struct Bytes {
    to: Box<dyn Write>,
    name: PathBuf,
}

impl Bytes {
    /// `-` is standard output. A wav header comes first, unless only samples are wanted.
    pub fn open(path: &Path, rate: u32, raw: bool) -> Result<Self, Failure> {
        let to: Box<dyn Write> = match path == Path::new("-") {
            true => Box::new(std::io::stdout().lock()),
            false => Box::new(std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?),
        };
        let mut bytes = Self { to, name: path.into() };
        if !raw {
            bytes.write(&wav::endless_header(rate))?;
        }
        Ok(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.to.write_all(bytes).and_then(|()| self.to.flush());
        Ok(written.map_err(Error::io("write to", &self.name))?)
    }
}

impl Sink for Bytes {
    fn put(&mut self, samples: &[f32]) -> Result<(), Failure> {
        self.write(&wav::pcm16_bytes(samples))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A sink that hands on only when a little is there, so that a device does not run dry between short pieces.
#[cfg(feature = "play")]
pub struct Ahead<S> {
    to: S,
    waiting: Vec<f32>,
    /// Samples to have before the first are handed on; none after that.
    least: usize,
}

#[cfg(feature = "play")]
impl<S: Sink> Ahead<S> {
    pub fn new(to: S, least: usize) -> Self {
        Self { to, waiting: Vec::new(), least }
    }
}

#[cfg(feature = "play")]
impl<S: Sink> Sink for Ahead<S> {
    fn put(&mut self, samples: &[f32]) -> Result<(), Failure> {
        self.waiting.extend_from_slice(samples);
        if self.waiting.len() < self.least {
            return Ok(());
        }
        self.least = 0;
        self.to.put(&std::mem::take(&mut self.waiting))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if !self.waiting.is_empty() {
            self.to.put(&std::mem::take(&mut self.waiting))?;
        }
        self.to.finish()
    }
}

#[cfg(all(test, feature = "play"))]
mod tests {
    use super::*;

    /// Remembers every call; a call of `finish` is an empty one.
    #[derive(Default)]
    struct Heard(Vec<Vec<f32>>);

    impl Sink for &mut Heard {
        fn put(&mut self, samples: &[f32]) -> Result<(), Failure> {
            self.0.push(samples.to_vec());
            Ok(())
        }

        fn finish(&mut self) -> Result<(), Failure> {
            self.0.push(Vec::new());
            Ok(())
        }
    }

    #[test]
    fn only_the_beginning_waits() {
        let mut heard = Heard::default();
        let mut ahead = Ahead::new(&mut heard, 3);
        for samples in [&[1.0, 2.0][..], &[3.0, 4.0], &[5.0]] {
            ahead.put(samples).unwrap();
        }
        ahead.finish().unwrap();
        assert_eq!(heard.0, [vec![1.0, 2.0, 3.0, 4.0], vec![5.0], vec![]]);
    }

    #[test]
    fn a_short_speech_is_heard_too() {
        let mut heard = Heard::default();
        let mut ahead = Ahead::new(&mut heard, 100);
        ahead.put(&[1.0]).unwrap();
        ahead.finish().unwrap();
        assert_eq!(heard.0, [vec![1.0], vec![]]);
    }
}
