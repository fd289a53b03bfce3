//! `indextts say`.
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use indextts::audio::decode::load_reference;
use indextts::audio::encode::{self, Encoding};
use indextts::audio::quality::ClipQuality;
use indextts::audio::{loudness, wav};
use indextts::{Emotion, EmotionVector, Options, Progress, REFERENCE_SECONDS, Request, Streaming};

use super::Failure;
use super::args::Say;
use super::options::{is_file, settings};
use super::progress::stages;
use super::sink::{Bytes, Sink};
use super::subtitles::{self, Cues};
use super::text::{script, text_options, typed_text};
use super::voice;

pub fn run(args: &Say, quiet: bool) -> Result<(), Failure> {
    let text = typed_text(args.text.as_deref(), args.text_file.as_deref())?;
    let script = script(&text, &args.reading)?;
    let text_options = text_options(&args.reading)?;
    // What was typed is checked before the model is there; the model may replace the rest.
    settings(&args.sampling, &args.emotion, &args.precision, args.seed.unwrap_or(0), Options::default())?;
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
    if !args.stream {
        Encoding::of(output).check()?;
    }
    args.loudness.map(loudness::check).transpose()?;
    let plays = plays(args);
    let writes = !args.stream && (!plays || args.output.is_some());
    if plays && !writes && args.subtitles.is_some() {
        return Err(Failure::Usage("subtitles go beside a file: name one with -o".into()));
    }
    // Read the clips first: a wrong path should not cost the seconds it takes to load a model.
    let voices = voice::store(&args.voices)?;
    let clip = args.voice.as_deref().filter(|voice| is_file(voice, &voices)).map(Path::new);
    let reference = clip.map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    for warning in reference.iter().flat_map(|clip| ClipQuality::of(clip).warnings()) {
        eprintln!("warning: {warning}");
    }
    let emotion_reference =
        args.emotion.emotion_audio.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;

    let bar = stages(quiet);
    let start = Instant::now();
    bar.set_prefix("loading");
    let device = args.device.open()?;
    let synthesizer = args.model.load(args.precision.precision(&device), &device)?;
    let seed = args.seed.unwrap_or(0);
    let options = settings(&args.sampling, &args.emotion, &args.precision, seed, synthesizer.default_options())?;
    // Chunks that follow the machine's speed are not of the same bytes each time, which a typed seed asks for.
    let fixed = args.seed.map(|_| Streaming::FIRST_SECONDS);
    let streaming = (args.stream || plays).then_some(Streaming { first_seconds: args.first_chunk.or(fixed) });
    let word_times = args.subtitles == Some(subtitles::Format::Json);
    let mut options = Options { text: text_options, streaming, word_times, ..options };
    if (args.stream || plays) && args.sampling.beams.is_none() {
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
    let (mut samples, mut first, mut cues) = (Vec::new(), None, Cues::default());
    let mut other = |name: &str| voice::named(Some(name), &synthesizer, &voices);
    let mut utterance = synthesizer.plan_script(&script, &request, &mut other, &mut observer)?;
    let mut sink = sink(args, output, rate)?;
    let mut count = 0;
    while let Some(chunk) = utterance.next_chunk(&synthesizer, &mut observer)? {
        first.get_or_insert_with(|| start.elapsed());
        let text = utterance.text(chunk.segment).unwrap_or_default();
        cues.add(&chunk, count as f64 / f64::from(rate), text, rate);
        count += chunk.samples.len();
        if let Some(sink) = &mut sink {
            sink.put(&chunk.samples)?;
        }
        if writes {
            samples.extend(chunk.samples);
        }
    }
    bar.finish_and_clear();
    for warning in utterance.warnings() {
        eprintln!("warning: {warning}");
    }
    if let Some(target) = args.loudness {
        loudness::normalize(&mut samples, rate, target)?;
    }
    match output == Path::new("-") {
        _ if !writes => {}
        true => wav::write_to(std::io::stdout().lock(), &samples, rate)?,
        false => {
            encode::write(output, &samples, rate)?;
            println!("{}", output.display());
        }
    }
    // After the file, which need not wait for the last word to be heard.
    if let Some(sink) = &mut sink {
        sink.finish()?;
    }
    if let Some(format) = args.subtitles {
        println!("{}", subtitles::write(&cues.all, output, format)?.display());
    }
    if !quiet {
        let seconds = count as f64 / f64::from(rate);
        let total = start.elapsed().as_secs_f64();
        let voice = (prepared - loaded).as_secs_f64();
        eprint!("{seconds:.2} s of speech in {total:.2} s: load {:.2}, voice {voice:.2}", loaded.as_secs_f64());
        for (stage, time) in utterance.take_timings().iter() {
            eprint!(", {} {:.2}", stage.name(), time.as_secs_f64());
        }
        if let Some(first) = first.filter(|_| sink.is_some()) {
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

/// Whether the speech is played as it is made.
fn plays(args: &Say) -> bool {
    #[cfg(feature = "play")]
    return args.play;
    #[cfg(not(feature = "play"))]
    {
        let _ = args;
        false
    }
}

/// Where samples go as they are made, if anywhere.
fn sink(args: &Say, output: &Path, rate: u32) -> Result<Option<Box<dyn Sink>>, Failure> {
    #[cfg(feature = "play")]
    if args.play {
        return Ok(Some(Box::new(super::loudspeaker::Loudspeaker::open(rate)?)));
    }
    if args.stream {
        return Ok(Some(Box::new(Bytes::open(output, rate, args.raw)?)));
    }
    Ok(None)
}
