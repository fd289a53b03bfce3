//! The same stages on the processor and on what this build computes on: what `indextts compare` prints, for a page.
use indextts::{Device, Synthesizer};
use wasm_bindgen::prelude::*;

use crate::failure::Failure;
use crate::files::Files;
use crate::settings::Settings;

/// Runs every stage of a synthesis of `text` twice on the same inputs, first on the processor, with the model's first
/// voice and greedy codes. `settings` as for [`Engine::plan`](crate::Engine::plan).
///
/// JSON: of each stage, in their order, its name and either whether all codes are `equal` or the `largest` difference, the
/// standard `deviation` of the processor's output, and the `cosine`.
#[wasm_bindgen(js_name = compareStages)]
pub async fn compare_stages(name: String, files: Files, text: String, settings: String) -> Result<String, Failure> {
    let settings: Settings = serde_json::from_str(&settings)?;
    let processor = Synthesizer::load(files.clone().of_model(&name), &Device::flex())?;
    let options = settings.options(processor.default_options())?;
    let clip = processor.built_in_clip(None)?;
    let expected = processor.trace_async(&clip, &text, &options, None).await?;
    drop(processor);
    let other = Synthesizer::load(files.of_model(&name), &crate::device().await?)?;
    let got = other.trace_async(&clip, &text, &options, Some(&expected)).await?;
    let rows = got.stages.iter().zip(&expected.stages).map(|(got, expected)| {
        if expected.is_codes() {
            return serde_json::json!({ "stage": got.name, "equal": got.values == expected.values });
        }
        let difference = got.difference(expected);
        serde_json::json!({
            "stage": got.name,
            "shape": got.shape,
            "largest": difference.largest,
            "deviation": difference.deviation,
            "cosine": difference.cosine,
            "seconds": got.time.as_secs_f64(),
        })
    });
    Ok(serde_json::Value::from_iter(rows).to_string())
}
