//! `indextts models`: import, inspect, verify.
use indextts::ModelConfig;
use indextts::weights::Manifest;
use indextts_import::{Import, ImportOptions, Precision, Quantize};

use super::Failure;
use super::args::{self, DtypeArg, QuantizeArg};
use super::progress::spinner;

/// Official files to a model directory.
pub fn import(args: &args::Import, quiet: bool) -> Result<(), Failure> {
    let bar = spinner(quiet || args.dry_run);
    let mut progress = |name: &str| bar.set_message(format!("importing {name}"));
    let mut options = options(args.dtype, args.quantize, args.force, &mut progress);
    let import = Import::plan(&args.from, &options)?;
    let report = import.report();
    if args.dry_run {
        print!("{report}");
        return Ok(());
    }
    let Some(to) = &args.to else { return Err(Failure::Usage("a target directory is needed".into())) };
    import.write(to, &mut options)?;
    bar.finish_and_clear();
    for note in &report.notes {
        eprintln!("note: {note}");
    }
    println!("{}", to.display());
    Ok(())
}

/// How official files become the model that this version runs.
pub fn options(
    dtype: DtypeArg,
    quantize: QuantizeArg,
    overwrite: bool,
    progress: &mut dyn FnMut(&str),
) -> ImportOptions<'_> {
    ImportOptions {
        precision: match dtype {
            DtypeArg::F32 => Precision::F32,
            DtypeArg::F16 => Precision::F16,
        },
        quantize: quantized(quantize),
        overwrite,
        schema: &|config| Ok(ModelConfig::parse(&config.to_string())?.schema()),
        progress,
    }
}

/// Bits that weights are stored in.
pub fn quantized(quantize: QuantizeArg) -> Option<Quantize> {
    match quantize {
        QuantizeArg::None => None,
        QuantizeArg::Q8 => Some(Quantize::Q8),
        QuantizeArg::Q4 => Some(Quantize::Q4),
    }
}

/// A Japanese dictionary for a model.
pub fn dictionary(args: &args::Dictionary) -> Result<(), Failure> {
    // A wrong directory should not cost the time it takes to compile a dictionary.
    Manifest::read(&args.model)?;
    indextts::text::install_japanese_dictionary(&args.from, &args.model)?;
    println!("{}", args.model.display());
    Ok(())
}

/// What a model directory holds.
pub fn inspect(args: &args::Inspect) -> Result<(), Failure> {
    let files = args.model.files();
    let manifest = Manifest::of(&files)?;
    let config = ModelConfig::read(&files)?;
    println!("IndexTTS {}, {} Hz, stored as {}", config.version, config.mel.sample_rate, manifest.precision);
    println!("imported by {}", manifest.importer);
    for file in &manifest.files {
        let megabytes = file.bytes as f64 / 1e6;
        match &file.weights {
            Some(weights) => println!(
                "{:22} {megabytes:9.2} MB  {:8.2} M parameters in {} tensors ({}), largest {}",
                file.path,
                weights.parameters as f64 / 1e6,
                weights.tensors,
                weights.dtypes.join(", "),
                weights.largest
            ),
            None => println!("{:22} {megabytes:9.2} MB", file.path),
        }
        for origin in &file.origin {
            println!("{:22}   from {} ({} bytes, SHA-256 {})", "", origin.file, origin.bytes, origin.sha256);
        }
    }
    Ok(())
}

/// Every hash, and every shape.
pub fn verify(args: &args::ModelDir, quiet: bool) -> Result<(), Failure> {
    let bar = spinner(quiet);
    let manifest = Manifest::read(&args.dir)?;
    let mut problems = manifest.verify(&args.dir, &mut |file| bar.set_message(format!("reading {}", file.path)));
    bar.finish_and_clear();
    let config = ModelConfig::read(&args.dir.as_path().into())?;
    for name in config.schema().keys().map(|name| format!("{name}.bpk")) {
        if !manifest.files.iter().any(|f| f.path == name) {
            problems.push(format!("{name}: not in the manifest, but the configuration needs it"));
        }
    }
    if problems.is_empty() {
        println!("{} files are as they were imported", manifest.files.len());
        return Ok(());
    }
    let list = problems.join("\n  ");
    Err(Failure::Model(format!("{} is damaged:\n  {list}\nImport the model again.", args.dir.display())))
}
