//! Scaled dot-product attention over heads.
use burn::tensor::activation::softmax;
use burn::tensor::{DType, Tensor};

use crate::kernels::{attention, on_cpu};

/// `[batch, time, heads * size]` -> `[batch, heads, time, size]`.
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, time, channels] = x.dims();
    x.reshape([batch, time, heads, channels / heads]).swap_dims(1, 2)
}

/// `[batch, time, 3 * heads * size]` to queries, keys and values `[batch, heads, time, size]`.
pub fn split_qkv(qkv: Tensor<3>, heads: usize) -> [Tensor<4>; 3] {
    let dim = qkv.dims()[2] / 3;
    [0, 1, 2].map(|i| split_heads(qkv.clone().narrow(2, i * dim, dim), heads))
}

/// `[batch, heads, time, size]` -> `[batch, time, heads * size]`.
pub fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, time, size] = x.dims();
    x.swap_dims(1, 2).reshape([batch, time, heads * size])
}

/// Every query sees every key; scores are scaled by `scale`, or by `1 / sqrt(size)`.
///
/// `query` `[batch, heads, queries, size]`, `key` `[batch, heads, keys, size]`, `value` `[batch, heads, keys, out]` ->
/// `[batch, heads, queries, out]`.
pub fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, scale: Option<f64>) -> Tensor<4> {
    attention(query, key, value, None, scale, false)
}

/// Query `i` sees keys `0..=i`; as many queries as keys.
pub fn attend_causal(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    attention(query, key, value, None, None, true)
}

/// One query per sequence against views into a cache.
///
/// Takes strided views as they are: on the CPU by its own kernel, elsewhere by plain products, because the backend's
/// fused form would first copy the whole cache. Those are made in the cache's type, the softmax in f32.
pub fn attend_cached(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    if on_cpu(&query.device()) {
        return attention(query, key, value, None, None, false);
    }
    let size = query.dims()[3];
    let query = query / (size as f32).sqrt();
    match key.dtype() {
        DType::F32 => softmax(query.matmul(key.swap_dims(2, 3)), 3).matmul(value),
        kept => {
            let scores: Tensor<4> = query.cast(kept).matmul(key.swap_dims(2, 3)).cast(DType::F32);
            softmax(scores, 3).cast(kept).matmul(value).cast(DType::F32)
        }
    }
}
