//! `indextts compare`.
use std::time::Duration;

use indextts::audio::decode::load_reference;
use indextts::{
    DeviceReport, Error, Options, Precision, REFERENCE_SECONDS, StageOutput, Synthesizer, Trace, WeightType,
    device_by_name, device_name,
};

use super::Failure;
use super::args::Compare;
use super::progress::spinner;

/// One device's outputs, and the time each took at first and when everything was compiled.
struct Run {
    name: String,
    description: String,
    first: Vec<Duration>,
    trace: Trace,
}

/// Lets every device run every stage on the same inputs, which are the outputs of the first device's stages; prints how
/// far each output is from the first device's, and the times.
pub fn run(args: &Compare, quiet: bool) -> Result<(), Failure> {
    let clip = args.voice.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    // All names first: a wrong one should not cost the minutes that the others take.
    let devices = args.devices.iter().map(|name| device_by_name(name)).collect::<Result<Vec<_>, Error>>()?;
    let bar = spinner(quiet);
    let mut runs: Vec<Run> = Vec::new();
    for device in &devices {
        let reference = runs.first();
        let weights = if reference.is_none() { WeightType::F32 } else { args.dtype.into() };
        let name = format!("{} {}", device_name(device), weights.name());
        bar.set_message(format!("{name}: loading"));
        let precision = Precision { weights, gpt: None, ..Default::default() };
        let synthesizer = Synthesizer::load_with(args.model.files(), precision, device)?;
        let mut options = Options { streaming: None, ..synthesizer.default_options() };
        options.decode.max_codes = args.max_codes.min(options.decode.max_codes);
        options.steps = args.steps.unwrap_or(options.steps);
        let clip = match &clip {
            Some(clip) => clip,
            None => &synthesizer.built_in_clip(None)?,
        };
        let given = reference.map(|run| &run.trace);
        let trace = |what: &str| {
            bar.set_message(format!("{name}: {what}"));
            synthesizer.trace(clip, &args.text, &options, given)
        };
        let first = trace("compiling kernels and choosing among them")?.stages;
        let first = first.iter().map(|stage| stage.time).collect();
        let trace = trace("once more")?;
        let report = DeviceReport::of(device);
        let description = match report {
            Ok(report) => format!("{}, {:.0} GFLOP/s", report.name, report.product.speed),
            Err(why) => why,
        };
        runs.push(Run { name, description, first, trace });
    }
    bar.finish_and_clear();
    print(args, &runs);
    Ok(())
}

fn print(args: &Compare, runs: &[Run]) {
    let Some((reference, others)) = runs.split_first() else { return };
    println!("{:?}, every stage fed the outputs of {}:\n", args.text, reference.name);
    println!("| stage | device | first, s | then, s | max \\|diff\\| | of the deviation | cosine |");
    println!("|---|---|---|---|---|---|---|");
    for (index, expected) in reference.trace.stages.iter().enumerate() {
        let row = |run: &Run, rest: String| {
            let times = run.first.get(index).zip(run.trace.stages.get(index));
            let (first, then) =
                times.map_or((0.0, 0.0), |(first, stage)| (first.as_secs_f64(), stage.time.as_secs_f64()));
            println!("| {} | {} | {first:.3} | {then:.3} | {rest} |", expected.name, run.name);
        };
        row(reference, " | | ".into());
        for run in others {
            let rest = run.trace.stages.get(index).map(|got| distance(got, expected));
            row(run, rest.unwrap_or_default());
        }
    }
    println!();
    for run in runs {
        println!("{}: {}", run.name, run.description);
    }
}

/// The last three columns.
fn distance(got: &StageOutput, expected: &StageOutput) -> String {
    if got.is_codes() {
        let same = got.values.iter().zip(&expected.values).take_while(|(a, b)| a == b).count();
        return match same == expected.values.len() && same == got.values.len() {
            true => format!("all {same} equal | | "),
            false => format!("{same} of {} equal before the first that is not | | ", expected.values.len()),
        };
    }
    let difference = got.difference(expected);
    let relative = difference.largest / difference.deviation;
    format!("{:.1e} | {relative:.1e} | {:.8}", difference.largest, difference.cosine)
}
