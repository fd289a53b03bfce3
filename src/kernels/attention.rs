//! Attention without a matrix of all scores.
use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::module::attention as composed;
use burn::tensor::ops::AttentionModuleOptions;

use super::cpu::CpuKernels;
use super::on_cpu;

/// `softmax(query · key * scale + bias) · value`.
///
/// `query` `[batch, heads, queries, size]`, `key` `[batch, heads, keys, size]`, `value` `[batch, heads, keys, out]`,
/// `bias` `[batch, heads, queries, keys]`, `scale` by default `1 / sqrt(size)` -> `[batch, heads, queries, out]`. With
/// `causal`, query `i` sees the keys up to its own: the last query sees them all.
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    bias: Option<Tensor<4>>,
    scale: Option<f64>,
    causal: bool,
) -> Tensor<4> {
    if !on_cpu(&query.device()) {
        return composed(
            query,
            key,
            value,
            None,
            bias,
            AttentionModuleOptions { scale, softcap: None, is_causal: causal },
        );
    }
    let scale = scale.unwrap_or_else(|| 1.0 / (query.dims()[3] as f64).sqrt()) as f32;
    let [query, key, value] = [query.into_dispatch(), key.into_dispatch(), value.into_dispatch()];
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as CpuKernels>::attention_biased(query, key, value, bias.into_dispatch(), scale),
        None => <Dispatch as CpuKernels>::attention(query, key, value, scale, causal),
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::*;

    fn random(dims: [usize; 4]) -> Tensor<4> {
        Tensor::random(dims, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    fn worst(a: Tensor<4>, b: Tensor<4>) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).abs().max().into_scalar()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_the_plain_form(
            batch in 1usize..3, heads in 1usize..4, queries in 1usize..200, more in 0usize..100, size in 1usize..70,
            out in 1usize..70,
        ) {
            let keys = queries + more;
            // As networks make them: views whose heads lie inside the rows.
            let make = |time, size| random([batch, time, heads, size]).swap_dims(1, 2);
            let (q, k, v) = (make(queries, size), make(keys, size), make(keys, out));
            let bias = random([batch, heads, queries, keys]);
            let plain = |bias, scale, is_causal| {
                let options = AttentionModuleOptions { scale, softcap: None, is_causal };
                composed(q.clone(), k.clone(), v.clone(), None, bias, options)
            };
            let ours = |bias, scale, causal| attention(q.clone(), k.clone(), v.clone(), bias, scale, causal);
            prop_assert!(worst(ours(None, None, false), plain(None, None, false)) < 1e-5);
            prop_assert!(worst(ours(Some(bias.clone()), Some(0.3), false), plain(Some(bias), Some(0.3), false)) < 1e-5);
            if more == 0 {
                prop_assert!(worst(ours(None, None, true), plain(None, None, true)) < 1e-5);
            }
        }
    }
}
