use burn::nn::PaddingConfig1d;
use burn::nn::conv::Conv1dConfig;
use burn::tensor::{Device, Distribution, Tensor};
use indextts::kernels::*;
use indextts::nn::snake::{AliasFreeSnake, Resampler};
use std::time::Instant;

fn time(name: &str, flops: f64, mut f: impl FnMut() -> f32) {
    f();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let t = Instant::now();
        std::hint::black_box(f());
        best = best.min(t.elapsed().as_secs_f64());
    }
    println!("{name:40} {:9.2} ms {:8.1} GFLOP/s", best * 1e3, flops / best / 1e9);
}
fn touch<const D: usize>(x: Tensor<D>) -> f32 {
    x.into_data().as_bytes()[0] as f32
}

fn main() {
    let d = Device::flex();
    let r = |s: [usize; 3]| Tensor::<3>::random(s, Distribution::Normal(0.0, 1.0), &d);
    for (m, k, n) in [(1206usize, 512usize, 1536usize), (1206, 1536, 512), (512, 1280, 5120)] {
        let (a, b) = (
            Tensor::<2>::random([m, k], Distribution::Normal(0.0, 1.0), &d),
            Tensor::<2>::random([k, n], Distribution::Normal(0.0, 1.0), &d),
        );
        let w = pack_linear(b.clone());
        for rows in [1usize, 3, 8, m] {
            let x = a.clone().narrow(0, 0, rows);
            time(&format!("linear packed {rows}x{k}x{n}"), 2.0 * (rows * k * n) as f64, || {
                touch(packed_linear(x.clone(), w.clone(), None, n))
            });
            time(&format!("linear flex {rows}x{k}x{n}"), 2.0 * (rows * k * n) as f64, || {
                touch(x.clone().matmul(b.clone()))
            });
        }
        time(&format!("matmul {m}x{k}x{n}"), 2.0 * (m * k * n) as f64, || touch(a.clone().matmul(b.clone())));
    }
    for (c, t, k, dil) in [
        (768usize, 688usize, 11usize, 5usize),
        (768, 688, 3, 1),
        (384, 2752, 7, 3),
        (192, 5504, 11, 1),
        (96, 11008, 3, 1),
        (48, 22016, 7, 3),
        (24, 44032, 11, 5),
        (24, 44032, 3, 1),
    ] {
        let reach = dil * (k - 1) / 2;
        let conv = Conv1dConfig::new(c, c, k)
            .with_dilation(dil)
            .with_padding(PaddingConfig1d::Explicit(reach, reach))
            .init(&d);
        let x = r([1, c, t]);
        let flops = 2.0 * (c * c * k * t) as f64;
        time(&format!("conv plain c{c} t{t} k{k} d{dil}"), flops, || touch(conv.forward(x.clone())));
        let p = PackedConv::new(conv.clone());
        time(&format!("conv packed c{c} t{t} k{k} d{dil}"), flops, || touch(p.forward(x.clone())));
    }
    for (c, t) in [(768usize, 688usize), (96, 11008), (24, 44032)] {
        let a = AliasFreeSnake::new(c, &d);
        let res = Resampler::new(&d);
        let x = r([1, c, t]);
        let n = (c * t) as f64 * 60.0;
        time(&format!("snake plain c{c} t{t}"), n, || touch(a.forward(x.clone(), &res)));
        time(&format!("snake fused c{c} t{t}"), n, || touch(alias_free_snake(&a, x.clone(), &res)));
    }
    let q = || Tensor::<4>::random([2, 603, 8, 64], Distribution::Normal(0.0, 1.0), &d).swap_dims(1, 2);
    let (a, b, c) = (q(), q(), q());
    let fl = 2.0 * 2.0 * 8.0 * 603.0 * 603.0 * 64.0 * 2.0;
    time("attention flex", fl, || {
        touch(burn::tensor::module::attention(a.clone(), b.clone(), c.clone(), None, None, Default::default()))
    });
    time("attention ours", fl, || touch(attention(a.clone(), b.clone(), c.clone(), None, None, false)));
    let x = r([2, 603, 1536]);
    time("silu flex", 1e6, || touch(burn::tensor::activation::silu(x.clone())));
    time("silu ours", 1e6, || touch(Activation::Silu.forward(x.clone())));
    let y = r([2, 603, 1536]);
    time("swiglu ours", 1e6, || touch(swiglu(x.clone(), y.clone())));
    time("add flex", 1e6, || touch(x.clone() + y.clone()));
}
