//! Convolution over time with fewer multiplications, on channels-last signals: at each point of
//! [`toom_cook`](super::toom_cook) there is one linear layer over a quarter of the frames. The four outputs lie `dilation`
//! apart.
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::level::arch;
use super::linear::{Rows, Start, Weight, linear_to};
use super::share::{Share, unwritten, zeros};
use super::toom_cook::{MOST, OUTPUTS, TAPS, Transform, evaluate, interpolate};

/// Quadruples of frames that a task takes, at least.
const QUADS: usize = 8;
/// With fewer channels than this, what is saved is less than what the transforms cost.
const LEAST: usize = 64;

/// Whether a convolution of these sizes is faster this way.
pub fn pays(inputs: usize, outputs: usize, kernel: usize) -> bool {
    (3..=TAPS).contains(&kernel) && inputs.min(outputs) >= LEAST
}

/// `weight` `[outputs, inputs, kernel]` at the points: `[points * inputs, outputs]`.
pub fn weight_at_points(weight: &[f32], [outputs, inputs, kernel]: [usize; 3]) -> Vec<f32> {
    assert_eq!(weight.len(), outputs * inputs * kernel, "conv1d: a weight of another size");
    let transform = Transform::of(kernel);
    let mut values = vec![0.0; transform.points * inputs * outputs];
    values.par_chunks_mut(outputs).enumerate().shared().for_each(|(row, values)| {
        let (factors, input) = (&transform.weight[row / inputs], row % inputs);
        for (value, taps) in values.iter_mut().zip(weight[input * kernel..].chunks(inputs * kernel)) {
            *value = taps[..kernel].iter().zip(factors).map(|(tap, factor)| tap * factor).sum();
        }
    });
    values
}

/// As [`convolve`](super::linear::convolve), of `batch` signals, for a weight of [`weight_at_points`] that is packed.
pub fn convolve(
    x: &[f32],
    batch: usize,
    weight: Weight<'_>,
    bias: &[f32],
    out: &mut [f32],
    [channels, kernel, dilation]: [usize; 3],
) {
    let (frames, outputs, points) = (x.len() / batch / channels, bias.len(), Transform::of(kernel).points);
    let count = frames - dilation * (kernel - 1);
    assert_eq!(out.len(), batch * count * outputs, "conv1d: an output of another size");
    let time = Time { frames, count, dilation };
    let rows = batch * time.quads();
    let mut inputs = zeros(points * rows * channels);
    let beyond = vec![0.0; channels];
    let shares = (0..rows).step_by(QUADS).zip(by_share(&mut inputs, rows * channels, QUADS * channels));
    shares.collect::<Vec<_>>().into_par_iter().shared().for_each(|(first, points)| {
        let evaluate = Evaluate { x, time, channels, first, beyond: &beyond, points };
        match kernel {
            3 => arch().dispatch(Of::<3, _>(evaluate)),
            4 => arch().dispatch(Of::<4, _>(evaluate)),
            _ => arch().dispatch(Of::<5, _>(evaluate)),
        }
    });
    let no_bias = vec![0.0; outputs];
    let mut products = unwritten(points * rows * outputs);
    let planes = inputs.chunks_exact(rows * channels).zip(products.chunks_exact_mut(rows * outputs));
    for (point, (x, product)) in planes.enumerate() {
        let (from, start) = (point * channels, Start::Bias(&no_bias));
        // SAFETY: a product that begins with a bias needs nothing to be there.
        unsafe { linear_to(Rows::dense(x, rows), weight, points * channels, from, start, None, product) };
    }
    // SAFETY: the products at all points are written.
    let products = unsafe { products.assume_init() };
    let share = QUADS.next_multiple_of(dilation);
    for (item, out) in out.chunks_exact_mut(count * outputs).enumerate() {
        out.par_chunks_mut(share * OUTPUTS * outputs).enumerate().shared().for_each(|(index, out)| {
            let first = item * time.quads() + index * share;
            let interpolate = Interpolate { products: &products, time, rows, first, bias, out };
            match kernel {
                3 => arch().dispatch(Of::<3, _>(interpolate)),
                4 => arch().dispatch(Of::<4, _>(interpolate)),
                _ => arch().dispatch(Of::<5, _>(interpolate)),
            }
        });
    }
}

/// How the frames of a signal are taken in fours.
#[derive(Clone, Copy)]
struct Time {
    /// Of the input.
    frames: usize,
    /// Of the output.
    count: usize,
    dilation: usize,
}

impl Time {
    /// Quadruples of a signal: `dilation` of them begin one after the other, and reach to where the next do.
    fn quads(&self) -> usize {
        self.count.div_ceil(OUTPUTS * self.dilation) * self.dilation
    }

    /// The first frame of a quadruple.
    fn start(&self, quad: usize) -> usize {
        quad / self.dilation * OUTPUTS * self.dilation + quad % self.dilation
    }

    /// The quadruple that a frame is in, and as which of the four.
    fn place(&self, frame: usize) -> (usize, usize) {
        let (periods, rest) = (frame / (OUTPUTS * self.dilation), frame % (OUTPUTS * self.dilation));
        (periods * self.dilation + rest % self.dilation, rest / self.dilation)
    }
}

/// Of each plane of `values` the first `size`, of each the next, and so on.
fn by_share(values: &mut [f32], plane: usize, size: usize) -> impl Iterator<Item = Vec<&mut [f32]>> {
    let mut planes: Vec<_> = values.chunks_mut(plane).map(|plane| plane.chunks_mut(size)).collect();
    std::iter::from_fn(move || Some(planes.iter_mut().filter_map(Iterator::next).collect()))
}

/// A job with the transform of `TAPS` taps, which the compiler sees as constants.
struct Of<const TAPS: usize, J>(J);

/// From frames to their values at the points.
struct Evaluate<'a> {
    /// `[batch, frames, channels]`
    x: &'a [f32],
    time: Time,
    channels: usize,
    /// The first quadruple.
    first: usize,
    /// What stands for the frames after the last.
    beyond: &'a [f32],
    /// Of each point `[quadruples, channels]`.
    points: Vec<&'a mut [f32]>,
}

impl<const TAPS: usize> WithSimd for Of<TAPS, Evaluate<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Evaluate { x, time, channels, first, beyond, points } = self.0;
        let Time { frames, dilation, .. } = time;
        for (point, values) in points.into_iter().enumerate() {
            for (quad, values) in (first..).zip(values.chunks_exact_mut(channels)) {
                let (item, start) = (quad / time.quads(), time.start(quad % time.quads()));
                let read: [&[f32]; MOST] = std::array::from_fn(|i| match start + i * dilation < frames {
                    true => &x[(item * frames + start + i * dilation) * channels..][..channels],
                    false => beyond,
                });
                evaluate::<TAPS>(point, values, &read);
            }
        }
    }
}

/// From the products at the points to the outputs.
struct Interpolate<'a> {
    /// `[points, rows, outputs]`
    products: &'a [f32],
    time: Time,
    rows: usize,
    /// The first quadruple.
    first: usize,
    bias: &'a [f32],
    /// Its frames and those that follow, `[frames, outputs]`.
    out: &'a mut [f32],
}

impl<const TAPS: usize> WithSimd for Of<TAPS, Interpolate<'_>> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Interpolate { products, time, rows, first, bias, out } = self.0;
        let outputs = bias.len();
        for (frame, out) in out.chunks_exact_mut(outputs).enumerate() {
            let (quad, place) = time.place(frame);
            let read: [&[f32]; MOST] = std::array::from_fn(|point| {
                let point = point.min(const { Transform::of(TAPS).points } - 1);
                &products[(point * rows + first + quad) * outputs..][..outputs]
            });
            interpolate::<TAPS>(place, out, &read);
            out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
        }
    }
}
