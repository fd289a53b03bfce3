//! `indextts serve`.
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use indextts::Error;
use indextts::server::{self, Limits, ServeOptions};

use super::args::Serve;
use super::progress::spinner;
use super::text::text_options;
use super::{Failure, voice};

pub fn run(args: &Serve, quiet: bool) -> Result<(), Failure> {
    let address = SocketAddr::new(args.host, args.port);
    // A taken port should not cost the seconds it takes to load a model.
    let listener = TcpListener::bind(address).map_err(Error::io("listen on", address.to_string()))?;
    let address = listener.local_addr().map_err(Error::io("listen on", address.to_string()))?;
    let name = args.model_name.clone().or_else(|| args.model.name().map(String::from));
    let options = ServeOptions {
        model: name.unwrap_or_else(|| "indextts".into()),
        voices: voice::store(&args.voices)?,
        voice_aliases: args.voice_alias.iter().cloned().collect(),
        api_key: args.api_key.clone().filter(|key| !key.is_empty()),
        origins: args.origin.clone(),
        workers: args.workers,
        together: args.together,
        limits: Limits {
            requests: args.max_requests,
            text: args.max_text,
            audio: Duration::from_secs(args.max_audio),
            time: Duration::from_secs(args.max_time),
            upload: args.max_upload << 20,
            ..Limits::default()
        },
        steps: args.precision.steps(),
        text: text_options(&args.reading)?,
        drain: Duration::from_secs(args.drain),
    };
    let bar = spinner(quiet);
    bar.set_message("loading");
    let device = args.device.open()?;
    let synthesizer = args.model.load(args.precision.precision(&device), &device)?;
    bar.finish_and_clear();
    if !address.ip().is_loopback() && options.api_key.is_none() {
        tracing::warn!("anybody who reaches {address} can use this server: set a key with --api-key");
    }
    println!("http://{address}");
    Ok(server::run(listener, Arc::new(synthesizer), options)?)
}
