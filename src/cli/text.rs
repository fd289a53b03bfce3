//! `indextts text`, and the text arguments that other commands share.
use std::path::Path;
use std::sync::Arc;

use indextts::text::{Reading, Segmenter, TextFrontEnd, spoken};
use indextts::{ModelConfig, Script, TextOptions};
use serde_json::json;

use super::Failure;
use super::args::{ReadingArgs, Text};
use super::options::{read_text, read_text_file};

/// Shows how a text will be read.
pub fn run(args: &Text) -> Result<(), Failure> {
    let text = typed_text(args.text.as_deref(), args.text_file.as_deref())?;
    let options = text_options(&args.reading)?;
    let Some(model) = &args.model else {
        let (language, spoken) = spoken(&text, &options);
        match args.json {
            true => println!("{}", json!({ "language": language.code(), "spoken": spoken })),
            false => println!("{spoken}"),
        }
        return Ok(());
    };
    let files = model.files();
    let config = ModelConfig::read(&files)?;
    let limit = args.segment_tokens.map_or(config.defaults.max_segment_tokens, |n| n as usize);
    let front_end = TextFrontEnd::load(&files, config.gpt.text_tokens, config.gpt.text_positions)?;
    let reading = front_end.read(&text, limit, &options)?;
    if args.json {
        println!("{}", as_json(&reading));
        return Ok(());
    }
    println!("language {}", reading.language);
    println!("spoken   {}", reading.spoken);
    for (number, (segment, text)) in (1..).zip(reading.segments.iter().zip(&reading.texts)) {
        let pieces: Vec<&str> = segment.iter().map(|piece| piece.text.as_str()).collect();
        println!("segment {number} ({} tokens): {text}\n         {}", segment.len(), pieces.join(" | "));
    }
    if !reading.unknown.is_empty() {
        println!("unknown  {}", reading.unknown.join(" "));
    }
    for warning in &reading.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

fn as_json(reading: &Reading) -> serde_json::Value {
    let segments: Vec<_> = reading
        .segments
        .iter()
        .zip(&reading.texts)
        .map(|(segment, text)| {
            json!({
                "text": text,
                "ids": segment.iter().map(|piece| piece.id).collect::<Vec<_>>(),
                "tokens": segment.iter().map(|piece| &piece.text).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "language": reading.language.code(),
        "spoken": reading.spoken,
        "segments": segments,
        "unknown": reading.unknown,
        "warnings": reading.warnings,
    })
}

/// What was typed about the reading of a text.
pub fn text_options(args: &ReadingArgs) -> Result<TextOptions, Failure> {
    let glossary = args.glossary.as_deref().map(TextOptions::read_glossary).transpose()?;
    let segmenter = args.ja_dictionary.as_deref().map(Segmenter::open).transpose()?;
    Ok(TextOptions {
        language: args.lang,
        glossary: glossary.map(Arc::new),
        segmenter: segmenter.map(Arc::new),
        faithful: args.faithful_text,
    })
}

/// The text with its markup understood, unless it is to be spoken as it is.
pub fn script(text: &str, args: &ReadingArgs) -> Result<Script, Failure> {
    Ok(if args.plain_text { Script::plain(text) } else { text.parse()? })
}

/// The text itself: typed, of a file, or from standard input.
pub fn typed_text(text: Option<&str>, file: Option<&Path>) -> Result<String, Failure> {
    let text = match (text, file) {
        (_, Some(path)) => read_text_file(path)?,
        (Some("-"), _) => read_text(std::io::stdin().lock(), "standard input")?,
        (Some(text), _) => text.to_string(),
        (None, None) => String::new(),
    };
    if text.trim().is_empty() {
        return Err(Failure::Usage(
            "there is no text to speak: give it as an argument, with --text-file, or on standard input".into(),
        ));
    }
    Ok(text)
}
