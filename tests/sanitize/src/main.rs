//! Runs every CPU kernel at every level of vector instructions, on sizes around the edges of vectors, blocks and tiles.
//!
//! All buffers are exactly as long as they have to be, so that a sanitizer sees whatever reads or writes beyond; what the
//! levels compute is held against each other.
#![allow(dead_code)]

/// The kernels' own sources; what they take from elsewhere in the library is stated again.
#[path = "../../../src/kernels"]
mod kernels {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Activation {
        Silu,
        Gelu,
        GeluTanh,
        Mish,
    }

    pub mod cpu {
        pub mod activation;
        pub mod affine;
        #[cfg(target_arch = "x86_64")]
        pub mod amx;
        pub mod attention;
        pub mod conv;
        pub mod conv_transpose;
        pub mod decode;
        pub mod depthwise;
        pub mod fetch;
        pub mod few_bits;
        pub mod integer;
        pub mod level;
        pub mod linear;
        pub mod math;
        pub mod norm;
        pub mod pairs;
        pub mod plane;
        pub mod relative;
        pub mod rotary;
        pub mod share;
        pub mod snake;
        pub mod split;
        pub mod subsample;
        pub mod team;
        pub mod toom_cook;
        pub mod winograd;
        pub mod winograd_rows;
    }
}

mod nn {
    pub mod snake {
        pub fn kaiser_sinc() -> [f32; 12] {
            [0.01, -0.02, 0.03, -0.04, 0.12, 0.4, 0.4, 0.12, -0.04, 0.03, -0.02, 0.01]
        }
    }
}

use half::{bf16, f16};
use kernels::Activation;
use kernels::cpu::attention::{View, attention};
use kernels::cpu::conv::{Size, conv1d, pack_weight};
use kernels::cpu::conv_transpose::{Shape, conv_transpose};
use kernels::cpu::few_bits::{Bits, QuantizedWeight};
use kernels::cpu::integer::quantized_part;
use kernels::cpu::level::{Level, levels, limit};
use kernels::cpu::linear::{PANEL, Rows, Start, Weight, convolve, linear_part};
use kernels::cpu::norm::Statistics;
use kernels::cpu::subsample::Projection;
use kernels::cpu::{
    activation, affine, decode, depthwise, norm, plane, relative, rotary, snake, subsample, winograd, winograd_rows,
};

/// The same numbers for the same seed.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// What `run` makes of the same numbers at each level agrees.
fn check(name: &str, tolerance: f32, mut run: impl FnMut(&mut Numbers) -> Vec<f32>) {
    let mut expected: Option<Vec<f32>> = None;
    for level in levels() {
        limit(level);
        let got = run(&mut Numbers(1));
        let expected = expected.get_or_insert_with(|| got.clone());
        let worst = got.iter().zip(&*expected).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(got.len() == expected.len() && worst <= tolerance, "{name} at {level:?}: {worst}");
    }
    limit(Level::Best);
}

fn linears() {
    for (rows, inputs, outputs) in [
        (1, 7, 1usize),
        (3, 33, 48),
        (4, 130, 61),
        (9, 257, 97),
        (33, 100, 61),
        (49, 64, 50),
        (65, 545, 97),
        (270, 16, 50),
    ] {
        let panels = outputs.div_ceil(PANEL);
        for start in ["bias", "output", "sum"] {
            let run = |n: &mut Numbers, kind: usize| {
                let (x, bias, mut out) = (n.many(rows * inputs), n.many(outputs), n.many(rows * outputs));
                let start = match start {
                    "bias" => Start::Bias(&bias),
                    "output" => Start::Output,
                    _ => Start::Sum(&bias),
                };
                let (then, x) = (Some(Activation::GeluTanh), Rows::dense(&x, rows));
                let plain = n.many(panels * inputs.next_multiple_of(2) * PANEL);
                match kind {
                    0 => {
                        linear_part(x, Weight::F32(&plain[..panels * inputs * PANEL]), inputs, 0, start, then, &mut out)
                    }
                    1 => {
                        let half: Vec<f16> =
                            plain[..panels * inputs * PANEL].iter().map(|v| f16::from_f32(*v)).collect();
                        linear_part(x, Weight::F16(&half), inputs, 0, start, then, &mut out);
                    }
                    2 => {
                        let half: Vec<bf16> = plain.iter().map(|v| bf16::from_f32(*v)).collect();
                        linear_part(x, Weight::Bf16(&half), inputs, 0, start, then, &mut out);
                    }
                    _ => {
                        let bits = if kind == 3 { Bits::Eight } else { Bits::Four };
                        let weight = QuantizedWeight::new(&n.many(inputs * outputs), inputs, outputs, bits);
                        quantized_part(x.data, &weight, 0, start, then, &mut out);
                    }
                }
                out
            };
            // Products of pairs round the rows, too.
            for (kind, tolerance) in [(0, 1e-4), (1, 1e-4), (2, 0.1), (3, 1e-4), (4, 1e-4)] {
                check(&format!("linear {rows} {inputs} {outputs} {start} {kind}"), tolerance, |n| run(n, kind));
            }
        }
    }
    for dilation in [1, 2] {
        check("windows", 1e-4, |n| {
            let (channels, kernel, time, outputs) = (6, 5, 23, 53usize);
            let (x, bias) = (n.many(time * channels), n.many(outputs));
            let mut out = vec![0.0; (time - dilation * (kernel - 1)) * outputs];
            let weight = n.many(outputs.div_ceil(PANEL) * kernel * channels * PANEL);
            convolve(&x, Weight::F32(&weight), &bias, &mut out, [channels, kernel, dilation]);
            out
        });
    }
}

fn convolutions() {
    for (inputs, outputs, time, taps, dilation) in [
        (1, 1usize, 1, 1, 1),
        (3, 9, 47, 3, 1),
        (17, 8, 49, 7, 3),
        (5, 1, 1600, 7, 1),
        (130, 131, 100, 11, 5),
        (24, 24, 3100, 3, 5),
    ] {
        for add in [false, true] {
            for (half, fewer) in [(false, false), (true, false), (false, true), (true, true)] {
                if fewer && taps < 3 {
                    continue;
                }
                check(&format!("conv1d {inputs} {outputs} {time} {taps} {dilation} {half} {fewer}"), 1e-3, |n| {
                    let (x, weight) = (n.many(2 * inputs * time), n.many(outputs * inputs * taps));
                    let (bias, mut out) = (n.many(outputs), n.many(2 * outputs * time));
                    let pack = if fewer { winograd::pack_weight } else { pack_weight };
                    let run = if fewer { winograd::conv1d } else { conv1d };
                    let weight = pack(&weight, [outputs, inputs, taps]);
                    let halves: Vec<f16> = weight.iter().map(|v| f16::from_f32(*v)).collect();
                    let weight = if half { Weight::F16(&halves) } else { Weight::F32(&weight) };
                    let size = Size { batch: 2, inputs, outputs, time, taps, dilation };
                    run(&x, weight, &bias, &mut out, &size, add);
                    out
                });
            }
        }
    }
    for (inputs, outputs, time, kernel, stride, padding) in
        [(1, 1, 1, 1, 1, 0), (3, 5, 50, 8, 4, 2), (9, 40, 800, 4, 2, 1), (4, 3, 33, 7, 3, 3), (2, 2, 20, 11, 2, 0)]
    {
        check(&format!("conv_transpose {inputs} {outputs} {time} {kernel} {stride}"), 1e-4, |n| {
            let shape = Shape { inputs, outputs, kernel, stride, padding };
            let weight = shape.pack(&n.many(inputs * outputs * kernel));
            let (x, bias) = (n.many(2 * inputs * time), n.many(outputs));
            conv_transpose(&x, [2, time], Weight::F32(&weight), &bias, &shape)
        });
    }
    for (inputs, outputs, time, kernel, dilation) in
        [(1, 1usize, 5, 3, 1), (70, 50, 33, 3, 2), (3, 100, 21, 4, 5), (17, 48, 130, 5, 1), (20, 97, 41, 5, 3)]
    {
        check(&format!("rows at points {inputs} {outputs} {time} {kernel} {dilation}"), 1e-3, |n| {
            let weight = n.many((kernel + 3) * inputs * outputs.next_multiple_of(PANEL));
            let count = time - dilation * (kernel - 1);
            let (x, bias, mut out) = (n.many(2 * time * inputs), n.many(outputs), vec![0.0; 2 * count * outputs]);
            winograd_rows::convolve(&x, 2, Weight::F32(&weight), &bias, &mut out, [inputs, kernel, dilation]);
            out
        });
    }
    for (channels, outputs, time, frequencies, kernel, stride) in [
        (1, 32usize, 9, 80, 3, 1),
        (32, 50, 7, 21, 3, 2),
        (3, 1, 1, 1, 1, 1),
        (20, 32, 5, 10, 1, 2),
        (2, 5, 4, 7, 5, 3),
    ] {
        check(&format!("plane {channels} {outputs} {time} {frequencies} {kernel} {stride}"), 1e-4, |n| {
            let shape = plane::Shape { time, frequencies, channels, kernel, stride, relu: stride == 1 };
            let weight = n.many(kernel * kernel * channels * outputs.next_multiple_of(PANEL));
            let (x, scale, shift) = (n.many(time * frequencies * channels), n.many(outputs), n.many(outputs));
            let mut out = vec![0.0; time * shape.output_frequencies() * outputs];
            plane::convolve(&x, Weight::F32(&weight), &scale, &shift, &mut out, shape);
            out
        });
    }
    for time in [1, 2, 5, 511, 512, 515, 9000] {
        check(&format!("snake {time}"), 1e-4, |n| {
            snake::snake(&n.many(4 * time), &n.many(2), &n.many(2), [2, 2, time])
        });
    }
    for (channels, few) in [(10, false), (10, true), (64, true), (70, true)] {
        check(&format!("subsample {channels} {few}"), 1e-2, |n| {
            let (time, features, outputs) = (9, 12, 50usize);
            let columns = (features - 1) / 2;
            let (x, kernel) = (n.many(time * features), n.many(9 * channels));
            let packed = n.many(outputs.div_ceil(PANEL) * channels * columns * PANEL);
            let inputs = channels * columns;
            let quantized = QuantizedWeight::new(&packed[..inputs * outputs], inputs, outputs, Bits::Eight);
            let weight = if few { Projection::Quantized(&quantized) } else { Projection::Packed(Weight::F32(&packed)) };
            subsample::subsample(&x, [time, features], &kernel, &n.many(channels), weight, &n.many(outputs))
        });
    }
    for (time, channels, taps, before) in [(1, 1, 1, 0), (3, 70, 7, 3), (70, 130, 31, 30), (65, 64, 15, 0)] {
        check(&format!("depthwise {time} {channels} {taps}"), 1e-4, |n| {
            let (x, weight) = (n.many(2 * time * channels), n.many(channels * taps));
            depthwise::depthwise(&x, &weight, &n.many(channels), [time, taps, before])
        });
    }
}

fn attentions() {
    for (batch, heads, queries, keys, size, width, causal) in
        [(1, 1, 1, 1, 1, 1, false), (2, 3, 130, 140, 10, 7, true), (1, 2, 5, 300, 64, 64, false)]
    {
        for biased in [false, true] {
            check("attention", 1e-4, |n| {
                let mut view = |rows: usize, size: usize| (n.many(batch * rows * heads * size), rows, size);
                let views = [view(queries, size), view(keys, size), view(keys, width)];
                let bias = view(queries, keys);
                // Heads inside the rows.
                fn of((data, rows, size): &(Vec<f32>, usize, usize), batch: usize, heads: usize) -> View<'_> {
                    let strides = [rows * heads * size, *size, heads * size, 1].map(|s| s as isize);
                    View { data, start: 0, dims: [batch, heads, *rows, *size], strides }
                }
                let [q, k, v] = [&views[0], &views[1], &views[2]].map(|view| of(view, batch, heads));
                let bias = biased.then(|| of(&bias, batch, heads));
                attention(&q, &k, &v, bias.as_ref(), 0.3, causal && !biased)
            });
        }
    }
    for (heads, time, left, right) in [(1, 1, 0, 0), (2, 9, 3, 1), (3, 130, 64, 8), (1, 5, 64, 8)] {
        check("scores by distance", 1e-6, |n| {
            let distances = left + right + 1;
            let x = n.many(2 * heads * time * distances);
            relative::by_key(&x, [heads, time, distances], &n.many(2 * time), left, 0.3)
        });
    }
    for (heads, size, sequences, rows) in [(1, 1, 1, 1), (3, 20, 3, 40), (2, 64, 2, 257), (2, 100, 1, 9)] {
        check("decode", 1e-4, |n| {
            let (stride, capacity) = (3 * heads * size, rows);
            let (keys, values) = (n.many(heads * capacity * size), n.many(heads * capacity * size));
            let tables: Vec<Vec<u32>> = (0..sequences).map(|s| (s as u32..rows as u32).rev().collect()).collect();
            let rows = |data| decode::Rows { data, capacity, size };
            decode::attend(&n.many(sequences * stride), stride, rows(&keys), rows(&values), &tables, heads)
        });
    }
}

fn elementwise() {
    for count in [1, 15, 16, 17, 20_000] {
        for kind in [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Mish] {
            check("activation", 1e-6, |n| {
                let mut x = n.many(count);
                activation::activate(&mut x, kind);
                x
            });
        }
        check("swiglu", 1e-6, |n| {
            let mut gate = n.many(count);
            activation::swiglu(&mut gate, &n.many(count));
            gate
        });
    }
    for (time, channels) in [(1, 1), (70, 17), (9, 700)] {
        check("affine", 1e-6, |n| {
            let mut x = n.many(2 * time * channels);
            affine::affine_relu(&mut x, &n.many(channels), &n.many(channels));
            x
        });
        check("glu", 1e-6, |n| activation::glu(&n.many(time * 2 * channels), channels));
        check("tanh gate", 1e-6, |n| {
            activation::tanh_gate(&n.many(2 * time * 2 * channels), &n.many(4 * channels), [time, 2 * channels])
        });
        for statistics in [Statistics::Mean, Statistics::Rms] {
            check("norm", 1e-4, |n| {
                let mut x = n.many(2 * time * channels);
                norm::norm(&mut x, [time, channels], &n.many(2 * channels), &n.many(channels), statistics, 1e-5);
                x
            });
        }
        check("rotary", 1e-5, |n| {
            let (heads, size) = (2, 2 * channels);
            let width = heads * size + 3;
            let mut x = n.many(2 * time * width);
            rotary::rotate(&mut x, [time, width, heads], &n.many(time * size), &n.many(time * size));
            x
        });
    }
}

fn main() {
    linears();
    convolutions();
    attentions();
    elementwise();
    println!("every kernel at {:?}", levels());
}
