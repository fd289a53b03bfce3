//! BigVGAN's `config.json`.
use serde_json::{Value, json};

use super::{ConfigError, at, sizes_at, usize_at, wrong};
use crate::Vars;

pub fn bigvgan(official: &Value) -> Result<(Value, Vars), ConfigError> {
    supported(official)?;
    let rates = sizes_at(official, "upsample_rates")?;
    let kernels = sizes_at(official, "upsample_kernel_sizes")?;
    let channels = usize_at(official, "upsample_initial_channel")?;
    let block_kernels = sizes_at(official, "resblock_kernel_sizes")?;
    let dilations = dilations(official)?;
    let refuse = |path: &str, expected: &str| Err(wrong(path, expected, at(official, path)));
    let stages = rates.len();
    if stages == 0 || stages >= 20 {
        return refuse("upsample_rates", "1 to 19 rates");
    }
    if channels % (1 << stages) != 0 {
        return refuse("upsample_initial_channel", "a number that every stage can halve");
    }
    let fits = |(&kernel, &rate): (&usize, &usize)| kernel >= rate && (kernel - rate) % 2 == 0;
    if kernels.len() != stages || !kernels.iter().zip(&rates).all(fits) {
        return refuse("upsample_kernel_sizes", "for each rate a kernel longer by an even number");
    }
    if block_kernels.is_empty() || block_kernels.iter().any(|kernel| kernel % 2 == 0) {
        return refuse("resblock_kernel_sizes", "odd numbers");
    }
    let pairs = dilations[0].len();
    if pairs == 0 || dilations.len() != block_kernels.len() || dilations.iter().any(|d| d.len() != pairs) {
        return refuse("resblock_dilation_sizes", "for each kernel a list, all of one length of at least 1");
    }
    let blocks = stages * block_kernels.len();
    let config = json!({
        "mel_bins": usize_at(official, "num_mels")?,
        "channels": channels,
        "upsample_rates": rates,
        "upsample_kernels": kernels,
        "block_kernels": block_kernels,
        "block_dilations": dilations,
        "tanh_at_final": at(official, "use_tanh_at_final").and_then(Value::as_bool).unwrap_or(true),
    });
    let vars = [("stages", stages), ("blocks", blocks), ("dilations", pairs), ("activations", 2 * pairs)];
    Ok((config, Vars::new(vars)))
}

fn supported(official: &Value) -> Result<(), ConfigError> {
    let switches = [
        ("resblock", json!("1")),
        ("activation", json!("snakebeta")),
        ("snake_logscale", json!(true)),
        ("use_bias_at_final", json!(false)),
    ];
    for (path, only) in switches {
        let value = at(official, path);
        if value != Some(&only) {
            return Err(wrong(path, &only.to_string(), value));
        }
    }
    Ok(())
}

fn dilations(official: &Value) -> Result<Vec<Vec<usize>>, ConfigError> {
    let path = "resblock_dilation_sizes";
    let lists = at(official, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if lists.is_empty() {
        return Err(wrong(path, "lists of dilations", at(official, path)));
    }
    (0..lists.len()).map(|i| sizes_at(&json!({ path: lists[i] }), path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn official() -> Value {
        json!({
            "resblock": "1", "activation": "snakebeta", "snake_logscale": true, "use_bias_at_final": false,
            "use_tanh_at_final": false, "num_mels": 8, "upsample_initial_channel": 16, "upsample_rates": [4, 2],
            "upsample_kernel_sizes": [8, 4], "resblock_kernel_sizes": [3, 7],
            "resblock_dilation_sizes": [[1, 3], [1, 3]],
        })
    }

    #[test]
    fn unusable_fields_are_named() {
        assert!(bigvgan(&official()).is_ok());
        for (field, value) in [
            ("resblock", json!("2")),
            ("activation", json!("snake")),
            ("snake_logscale", json!(false)),
            ("use_bias_at_final", json!(true)),
            ("num_mels", json!(0)),
            ("upsample_initial_channel", json!(18)),
            ("upsample_rates", json!([])),
            ("upsample_kernel_sizes", json!([8, 3])),
            ("resblock_kernel_sizes", json!([3, 8])),
            ("resblock_dilation_sizes", json!([[1, 3], [1]])),
        ] {
            let mut config = official();
            config[field] = value;
            assert_eq!(bigvgan(&config).map(|_| ()).map_err(|e| e.field), Err(field.to_string()));
        }
    }
}
