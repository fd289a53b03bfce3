//! Elementary functions that compilers can vectorise: no branches, no tables, no calls.

/// `a * b + c`, rounded once where the target does it in one instruction. Browsers have none: what the standard library
/// does in its place takes a hundred times as long.
#[inline(always)]
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_family = "wasm") { a * b + c } else { a.mul_add(b, c) }
}

/// Numbers near this one have a last bit that stands for one: adding it rounds to the nearest whole number, ties to even, and
/// leaves that in the last bits. A conversion of vectors to integers would go through single lanes.
const WHOLE: f32 = 12_582_912.0;

/// The whole number nearest to `x`, whose magnitude is below `2^22`.
#[inline(always)]
pub fn nearest(x: f32) -> i32 {
    (x + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i32
}

/// `sin(x)^2`, to about 2e-7 for arguments up to a few thousand.
#[inline(always)]
pub fn sin_squared(x: f32) -> f32 {
    // Its period is pi, so the quotient's parity does not matter. Cody and Waite's reduction in two steps.
    const PI_HIGH: f32 = 3.140_625;
    const PI_LOW: f32 = 9.676_536e-4;
    let turns = (x * std::f32::consts::FRAC_1_PI).round_ties_even();
    let r = fma(turns, -PI_LOW, fma(turns, -PI_HIGH, x));
    // Taylor's series; the first term left out is below 6e-8 on [-pi/2, pi/2].
    let s = r * r;
    let p = fma(s, -2.505_210_8e-8, 2.755_731_9e-6);
    let p = fma(s, p, -1.984_127e-4);
    let p = fma(s, p, 8.333_333e-3);
    let p = fma(s, p, -1.666_666_7e-1);
    let sine = fma(r * s, p, r);
    sine * sine
}

/// `e^x` to a few units in the last place; 0 below the smallest normal number, the largest power above the largest.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let tiny = x < -87.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = fma(x, std::f32::consts::LOG2_E, WHOLE);
    let power = shifted - WHOLE;
    let r = fma(power, -LN2_LOW, fma(power, -LN2_HIGH, x));
    // Taylor's series on [-ln(2) / 2, ln(2) / 2].
    let p = fma(r, 1.0 / 5040.0, 1.0 / 720.0);
    let p = fma(r, p, 1.0 / 120.0);
    let p = fma(r, p, 1.0 / 24.0);
    let p = fma(r, p, 1.0 / 6.0);
    let p = fma(r, p, 0.5);
    let p = fma(r, p, 1.0);
    let p = fma(r, p, 1.0);
    // Times a power of two, made of its exponent's bits: -126 to 127.
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if tiny { 0.0 } else { p * scale }
}

#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// To about 1e-7 absolutely.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// `x tanh(ln(1 + e^x))`: with `n = e^x (e^x + 2)`, the tangent is `n / (n + 2)`.
#[inline(always)]
pub fn mish(x: f32) -> f32 {
    let e = exp(x.min(30.0)); // above, the quotient is 1
    let n = e * (e + 2.0);
    x * (n / (n + 2.0))
}

/// GPT-2's form: `0.5 x (1 + tanh(u))` is `x sigmoid(2 u)`.
#[inline(always)]
pub fn gelu_tanh(x: f32) -> f32 {
    const FACTOR: f32 = 0.797_884_6; // sqrt(2 / pi)
    let u = FACTOR * fma(0.044_715 * x * x, x, x);
    x * sigmoid(2.0 * u)
}

/// With the error function to 1.5e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / fma(0.327_591_1, z, 1.0);
    let p = fma(t, 1.061_405_4, -1.453_152);
    let p = fma(t, p, 1.421_413_7);
    let p = fma(t, p, -0.284_496_74);
    let p = fma(t, p, 0.254_829_6);
    let tail = 0.5 * t * p * exp(-z * z); // what the normal distribution holds beyond |x|
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_whole_numbers_have_ties_to_even() {
        for x in (-4_000..=4_000).map(|x| x as f32 / 8.0).chain([4e6, -4e6, -0.0]) {
            assert_eq!(nearest(x) as f32, x.round_ties_even());
        }
    }

    #[test]
    fn exponential_is_accurate_to_its_last_places() {
        let mut x = -86.9f32;
        while x < 88.0 {
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 4e-7, "{x}: {} {expected}", exp(x));
            x += 0.0173;
        }
        assert_eq!([exp(0.0), exp(-1000.0), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0]);
    }

    #[test]
    fn sine_squared_is_accurate_over_many_turns() {
        let mut x = -2000.0f32;
        while x < 2000.0 {
            let expected = f64::from(x).sin().powi(2);
            assert!((f64::from(sin_squared(x)) - expected).abs() < 4e-7 * (1.0 + f64::from(x.abs()) / 100.0), "{x}");
            x += 0.0137;
        }
    }
}
