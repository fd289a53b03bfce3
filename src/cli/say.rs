//! `indextts say`.
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indextts::audio::{decode::load_reference, loudness, wav};
use indextts::{
    Emotion, EmotionVector, Error, Options, Progress, REFERENCE_SECONDS, Request, Streaming, Synthesizer,
    device_by_name,
};

use super::Failure;
use super::args::Say;
use super::options::{is_file, settings};
use super::progress::stages;
use super::subtitles::{self, Cue};
use super::text::{script, text_options, typed_text};
use super::voice;

pub fn run(args: &Say, quiet: bool) -> Result<(), Failure> {
    let text = typed_text(args.text.as_deref(), args.text_file.as_deref())?;
    let script = script(&text, &args.reading)?;
    let text_options = text_options(&args.reading)?;
    // What was typed is checked before the model is there; the model may replace the rest.
    settings(&args.sampling, &args.emotion, &args.precision, args.seed, Options::default())?;
    let vector = args.emotion.emotion_vector.as_deref().map(str::parse::<EmotionVector>).transpose()?;
    let output = match &args.output {
        Some(path) => path.as_path(),
        None => Path::new(if args.stream { "-" } else { "out.wav" }),
    };
    if args.subtitles.is_some() && output == Path::new("-") {
        return Err(Failure::Usage("subtitles go beside a file: name one with -o".into()));
    }
    if args.stream && output != Path::new("-") && !is_pipe(output) {
        let path = output.display();
        return Err(Failure::Usage(format!(
            "{path}: a stream goes to standard output (`-o -`), a pipe or a device; for a file leave out --stream"
        )));
    }
    // Read the clips first: a wrong path should not cost the seconds it takes to load a model.
    let voices = voice::store(&args.voices)?;
    let clip = args.voice.as_deref().filter(|voice| is_file(voice, &voices)).map(Path::new);
    let reference = clip.map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    let emotion_reference =
        args.emotion.emotion_audio.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;

    let bar = stages(quiet);
    let start = Instant::now();
    bar.set_prefix("loading");
    let device = device_by_name(&args.device)?;
    let synthesizer = Synthesizer::load_with(args.model.as_path(), args.precision.precision(), &device)?;
    let options = settings(&args.sampling, &args.emotion, &args.precision, args.seed, synthesizer.default_options())?;
    let streaming = args.stream.then_some(Streaming { first_seconds: args.first_chunk });
    let mut options = Options { text: text_options, streaming, ..options };
    if args.stream && args.sampling.beams.is_none() {
        options.decode.beams = 1;
    }
    options.check()?;
    let loaded = start.elapsed();
    bar.set_prefix("voice");
    let voice = match &reference {
        Some(clip) => synthesizer.voice(clip)?,
        None => voice::named(args.voice.as_deref(), &synthesizer, &voices)?,
    };
    let weight = args.emotion.emotion_weight;
    let emotion = match (emotion_reference, vector, &args.emotion.emotion_text) {
        (Some(clip), _, _) => Emotion::Clip { clip: synthesizer.emotion_clip(&clip)?, weight },
        (_, Some(vector), _) => Emotion::Vector { vector, weight },
        (_, _, Some(text)) => Emotion::Text { text: (!text.is_empty()).then(|| text.clone()), weight },
        _ => Emotion::SameAsVoice,
    };
    let prepared = start.elapsed();
    let request = Request { text: &text, voice: &voice, emotion, options };
    let mut observer = |progress: Progress| {
        bar.set_prefix(progress.stage.name());
        bar.set_length(progress.total.unwrap_or(progress.done) as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("segment {}/{}", progress.segment + 1, progress.segments));
        ControlFlow::Continue(())
    };
    let rate = synthesizer.sample_rate();
    let (mut samples, mut first, mut cues) = (Vec::new(), None, Vec::<Cue>::new());
    let mut other = |name: &str| voice::named(Some(name), &synthesizer, &voices);
    let mut utterance = synthesizer.plan_script(&script, &request, &mut other, &mut observer)?;
    let mut stream = args.stream.then(|| Stream::open(output, rate, args.raw)).transpose()?;
    let mut count = 0;
    while let Some(chunk) = utterance.next_chunk(&synthesizer, &mut observer)? {
        first.get_or_insert_with(|| start.elapsed());
        let at = |samples: usize| samples as f64 / f64::from(rate);
        let start = at(count + chunk.silence);
        count += chunk.samples.len();
        let text = utterance.text(chunk.segment).unwrap_or_default();
        cues.push(Cue { start, end: at(count), text: text.into() });
        match &mut stream {
            Some(stream) => stream.write(&chunk.samples)?,
            None => samples.extend(chunk.samples),
        }
    }
    bar.finish_and_clear();
    for warning in utterance.warnings() {
        eprintln!("warning: {warning}");
    }
    if let Some(target) = args.loudness {
        loudness::normalize(&mut samples, rate, target)?;
    }
    match stream {
        Some(_) => {}
        None if output == Path::new("-") => wav::write_to(std::io::stdout().lock(), &samples, rate)?,
        None => {
            wav::write(output, &samples, rate)?;
            println!("{}", output.display());
        }
    }
    if let Some(format) = args.subtitles {
        println!("{}", subtitles::write(&cues, output, format)?.display());
    }
    if !quiet {
        let seconds = count as f64 / f64::from(rate);
        let total = start.elapsed().as_secs_f64();
        let voice = (prepared - loaded).as_secs_f64();
        eprint!("{seconds:.2} s of speech in {total:.2} s: load {:.2}, voice {voice:.2}", loaded.as_secs_f64());
        for (stage, time) in utterance.take_timings().iter() {
            eprint!(", {} {:.2}", stage.name(), time.as_secs_f64());
        }
        if let Some(first) = first.filter(|_| args.stream) {
            eprint!(", first samples after {:.2}", (first - prepared).as_secs_f64());
        }
        eprintln!();
    }
    Ok(())
}

/// Whether `path` names something that takes bytes as they come.
fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// Where samples go while more are made.
struct Stream {
    to: Box<dyn Write>,
    name: PathBuf,
}

impl Stream {
    fn open(path: &Path, rate: u32, raw: bool) -> Result<Self, Failure> {
        let to: Box<dyn Write> = match path == Path::new("-") {
            true => Box::new(std::io::stdout().lock()),
            false => Box::new(std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io("open", path))?),
        };
        let mut stream = Self { to, name: path.into() };
        if !raw {
            stream.bytes(&wav::endless_header(rate))?;
        }
        Ok(stream)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Failure> {
        self.bytes(&wav::pcm16_bytes(samples))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.to.write_all(bytes).and_then(|()| self.to.flush());
        Ok(written.map_err(Error::io("write to", &self.name))?)
    }
}
