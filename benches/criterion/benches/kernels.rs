//! Every CPU kernel beside the same operation made of plain tensor operations.
//!
//!     cargo bench --manifest-path benches/criterion/Cargo.toml --target-dir target [-- PART OF A NAME]
//!
//! Sizes are those of the full-size 2.0 model on a sentence of two seconds with a reference of five.
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use burn::nn::PaddingConfig1d;
use burn::nn::conv::{Conv1dConfig, ConvTranspose1dConfig};
use burn::tensor::module::{attention as composed, linear};
use burn::tensor::ops::{AttentionModuleOptions, PadMode};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation};
use criterion::{Criterion, criterion_group, criterion_main};
use indextts::kernels::{
    Activation, Bits, CachedRows, Level, PackedConv, PackedConvTranspose, QuantizedWeight, RowTables, Statistics,
    WeightType, affine_relu, alias_free_snake, attention, by_key, depthwise, glu, levels, limit_level, modulated_norm, pack_linear, packed_linear,
    quantized_linear, swiglu, tanh_gate,
};
use indextts::nn::attention::{merge_heads, split_qkv};
use indextts::nn::linear::{LinearConfig, pack};
use indextts::nn::plane::PlaneConv;
use indextts::nn::rotary::Rotary;
use indextts::nn::snake::{AliasFreeSnake, Resampler};
use kernel_benches::{pair, random};

fn linears(c: &mut Criterion) {
    for [rows, inputs, outputs] in
        [[1, 1280, 5120], [3, 1280, 5120], [8, 1280, 5120], [1204, 512, 1536], [249, 1024, 4096]]
    {
        let (x, weight, bias) = (random([rows, inputs]), random([inputs, outputs]), random([outputs]));
        let (name, work) = (format!("linear {rows} x {inputs} x {outputs}"), rows * inputs * outputs * 2);
        let plain = || linear(x.clone(), weight.clone(), Some(bias.clone()));
        for kept in [WeightType::F32, WeightType::F16, WeightType::Bf16] {
            let packed = pack_linear(weight.clone(), kept);
            let ours = || packed_linear(x.clone(), packed.clone(), Some(bias.clone()), outputs, None);
            pair(c, &format!("{name} {kept:?}"), work, ours, plain);
        }
        let values: Vec<f32> = weight.clone().into_data().iter().collect();
        for bits in [Bits::Eight, Bits::Four] {
            let few = Arc::new(QuantizedWeight::new(&values, inputs, outputs, bits));
            let ours = || quantized_linear(x.clone(), &few, Some(bias.clone()), None);
            pair(c, &format!("{name} {bits:?} bits"), work, ours, plain);
        }
        // What fewer instructions cost.
        let packed = pack_linear(weight.clone(), WeightType::F32);
        for level in levels() {
            limit_level(level);
            let ours = || packed_linear(x.clone(), packed.clone(), Some(bias.clone()), outputs, None);
            pair(c, &format!("{name} F32 with {level:?}"), work, ours, plain);
        }
        limit_level(Level::Best);
    }
}

fn convolutions(c: &mut Criterion) {
    let device = Device::flex();
    for (channels, time, kernel, dilation) in [
        (768, 688, 11, 5),
        (768, 688, 3, 1),
        (192, 5504, 7, 3),
        (96, 11008, 3, 1),
        (24, 44032, 11, 1),
        (24, 44032, 3, 1),
    ] {
        let reach = dilation * (kernel - 1) / 2;
        let conv = Conv1dConfig::new(channels, channels, kernel)
            .with_dilation(dilation)
            .with_padding(PaddingConfig1d::Explicit(reach, reach))
            .init(&device);
        let (x, packed) = (random([1, channels, time]), PackedConv::new(conv.clone(), WeightType::F32));
        let name = format!("conv1d of {channels} channels, {time} samples, kernel {kernel}, dilation {dilation}");
        let work = 2 * channels * channels * kernel * time;
        pair(c, &name, work, || packed.forward(x.clone()), || conv.forward(x.clone()));
    }
    for (channels, time, kernel, stride) in
        [(1536, 172, 8, 4), (768, 688, 8, 4), (384, 2752, 4, 2), (96, 11008, 4, 2), (48, 22016, 4, 2)]
    {
        let conv = ConvTranspose1dConfig::new([channels, channels / 2], kernel)
            .with_stride(stride)
            .with_padding((kernel - stride) / 2)
            .init(&device);
        let (x, packed) = (random([1, channels, time]), PackedConvTranspose::new(conv.clone(), WeightType::F32));
        let name = format!("conv_transpose1d of {channels} channels, {time} samples, kernel {kernel}, stride {stride}");
        let work = channels * channels * kernel * time;
        pair(c, &name, work, || packed.forward(x.clone()), || conv.forward(x.clone()));
    }
    for (name, time, channels, taps, before) in [("w2v-bert", 249, 1024, 31, 30), ("codec", 249, 384, 7, 3)] {
        let conv = Conv1dConfig::new(channels, channels, taps).with_groups(channels).with_bias(false).init(&device);
        let (x, weight) = (random([1, time, channels]), conv.weight.val());
        let plain = || {
            let edges = [(before, taps - 1 - before)];
            conv.forward(x.clone().swap_dims(1, 2).pad(edges, PadMode::Constant(0.0))).swap_dims(1, 2)
        };
        let work = 2 * time * channels * taps;
        pair(
            c,
            &format!("depthwise convolution of {name}"),
            work,
            || depthwise(x.clone(), weight.clone(), None, before),
            plain,
        );
    }
    // Channels last: the flow matching's head, the length regulator, CAMPPlus.
    for (channels, outputs, time, kernel, dilation) in [(512, 1024, 602, 5, 1), (512, 512, 430, 3, 1), (128, 32, 249, 3, 2)] {
        let plain = LinearConfig::new(channels, outputs).init_same_conv(kernel, dilation, &device);
        let (x, packed) = (random([1, time, channels]), pack(plain.clone(), WeightType::F32, &device));
        let name = format!("conv over {time} frames of {channels} channels to {outputs}, kernel {kernel}, dilation {dilation}");
        let work = 2 * channels * outputs * kernel * time;
        pair(c, &name, work, || packed.forward(x.clone()), || plain.forward(x.clone()));
    }
    for (channels, frequencies, stride) in [(1, 80, 1), (32, 80, 2), (32, 20, 1)] {
        let plain = PlaneConv::new([channels, 32], 3, stride, &device);
        let (x, packed) = (random([1, 500, frequencies, channels]), pack(plain.clone(), WeightType::F32, &device));
        let name = format!("image convolution of {channels} channels, {frequencies} frequencies, stride {stride}");
        let work = 2 * channels * 32 * 9 * 500 * frequencies.div_ceil(stride);
        pair(c, &name, work, || packed.forward(x.clone(), true), || plain.forward(x.clone(), true));
    }
    for (channels, time) in [(768, 688), (192, 5504), (24, 44032)] {
        let (snake, resampler) = (AliasFreeSnake::new(channels, &device), Resampler::new(&device));
        let x = random([1, channels, time]);
        let ours = || alias_free_snake(&snake, x.clone(), &resampler);
        let work = channels * time;
        pair(c, &format!("alias-free snake of {channels} x {time}"), work, ours, || {
            snake.forward(x.clone(), &resampler)
        });
    }
}

fn attentions(c: &mut Criterion) {
    let options = || AttentionModuleOptions { scale: None, softcap: None, is_causal: false };
    for (name, [batch, heads, time, size]) in [("dit", [2, 8, 602, 64]), ("w2v-bert", [1, 16, 249, 64])] {
        // Heads inside the rows, as networks make them.
        let [q, k, v] = [0, 1, 2].map(|_| random([batch, time, heads, size]).swap_dims(1, 2));
        let plain = || composed(q.clone(), k.clone(), v.clone(), None, None, options());
        let work = 4 * batch * heads * time * time * size;
        pair(
            c,
            &format!("attention of {name}"),
            work,
            || attention(q.clone(), k.clone(), v.clone(), None, None, false),
            plain,
        );
    }
    let (heads, time, left, right) = (16, 249, 64, 8);
    let scores = Tensor::<4>::random([1, heads, time, left + right + 1], Distribution::Default, &Device::flex());
    let ignored = Tensor::<4>::zeros([1, 1, 1, time], &Device::flex());
    let row = |query: i64| (0..time as i64).map(move |key| (key - query).clamp(-64, 8) + 64);
    let index: Vec<i64> = (0..time as i64).flat_map(row).collect();
    let index: Tensor<4, Int> = Tensor::from_data(TensorData::new(index, [1, 1, time, time]), &Device::flex());
    let plain = || scores.clone().gather(3, index.clone().expand([1, heads, time, time])) * 0.125 + ignored.clone();
    let ours = || by_key(scores.clone(), ignored.clone(), left, 0.125);
    pair(c, "scores by distance of w2v-bert", heads * time * time, ours, plain);
    let (heads, size, beams) = (20, 64, 3);
    for rows in [150, 600] {
        let cached = [0, 1].map(|_| random([1, heads, rows, size]));
        let held = RefCell::new(CachedRows::new(cached[0].clone(), cached[1].clone()));
        let mut tables = RowTables::new(beams, rows - 1);
        tables.push();
        let qkv = random([beams, 3 * heads * size]);
        let copies = cached.map(|x| x.repeat_dim(0, beams));
        let ours = || held.borrow_mut().attend(qkv.clone(), &tables);
        let plain = || {
            let [q, k, v] = split_qkv(qkv.clone().unsqueeze_dim(1), heads);
            let last = [0..beams, 0..heads, rows - 1..rows, 0..size];
            let [k, v] = [(0, k), (1, v)].map(|(i, x)| copies[i].clone().slice_assign(last.clone(), x));
            let scores = (q / (size as f32).sqrt()).matmul(k.swap_dims(2, 3));
            merge_heads(activation::softmax(scores, 3).matmul(v))
        };
        let work = 4 * beams * heads * rows * size;
        pair(c, &format!("attention of one token of {beams} beams to {rows} rows"), work, ours, plain);
    }
}

fn elementwise(c: &mut Criterion) {
    let x = random([2, 602, 2048]);
    let values = |x: &Tensor<3>| x.shape().num_elements();
    type Plain = fn(Tensor<3>) -> Tensor<3>;
    let plain: [(Activation, Plain); 4] = [
        (Activation::Mish, |x| x.clone() * activation::softplus(x, 1.0).tanh()),
        (Activation::Silu, activation::silu),
        (Activation::Gelu, activation::gelu),
        (Activation::GeluTanh, activation::gelu_approximate),
    ];
    for (kind, plain) in plain {
        pair(c, &format!("{kind:?}"), values(&x), || kind.forward(x.clone()), || plain(x.clone()));
    }
    let (gate, up) = (random([2, 602, 1536]), random([2, 602, 1536]));
    let ours = || swiglu(gate.clone(), up.clone());
    pair(c, "SwiGLU", values(&gate), ours, || activation::silu(gate.clone()) * up.clone());
    pair(c, "GLU", values(&x), || glu(x.clone()), || activation::glu(x.clone(), 2));
    let (scale, shift) = (random([512]), random([512]));
    let y = random([1, 249, 512]);
    let plain = || activation::relu(y.clone() * scale.clone().unsqueeze() + shift.clone().unsqueeze());
    pair(c, "affine map and ReLU", values(&y), || affine_relu(y.clone(), scale.clone(), shift.clone()), plain);
    let (y, condition) = (random([2, 188, 1024]), random([1, 1, 1024]));
    let plain = || {
        let sum = y.clone() + condition.clone();
        sum.clone().narrow(2, 0, 512).tanh() * activation::sigmoid(sum.narrow(2, 512, 512))
    };
    pair(c, "tanh-sigmoid gate", values(&y), || tanh_gate(y.clone(), condition.clone()), plain);
    let (x, scale, shift) = (random([2, 602, 512]), random([1, 1, 512]), random([1, 1, 512]));
    let ours = || modulated_norm(x.clone(), scale.clone(), shift.clone(), Statistics::Rms, 1e-5);
    let plain = || {
        let rms = (x.clone().square().mean_dim(2) + 1e-5).sqrt();
        x.clone() / rms * scale.clone() + shift.clone()
    };
    pair(c, "adaptive RMS norm", values(&x), ours, plain);
    let (rotary, qkv) = (Rotary::new(602, 64, 10000.0, &Device::flex()), random([2, 602, 1536]));
    let plain = || {
        let heads = qkv.clone().narrow(2, 0, 1024).reshape([2, 602, 16, 64]);
        let turned = rotary.apply(heads).reshape([2, 602, 1024]);
        Tensor::cat(vec![turned, qkv.clone().narrow(2, 1024, 512)], 2)
    };
    pair(c, "rotary", values(&qkv), || rotary.apply_to_heads(qkv.clone(), 16), plain);
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = linears, convolutions, attentions, elementwise
}
criterion_main!(kernels);
