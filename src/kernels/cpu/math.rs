//! Elementary functions that compilers can vectorise: no branches, no tables, no calls.

/// `sin(x)^2`, to about 2e-7 for arguments up to a few thousand.
#[inline(always)]
pub fn sin_squared(x: f32) -> f32 {
    // Its period is pi, so the quotient's parity does not matter. Cody and Waite's reduction in two steps.
    const PI_HIGH: f32 = 3.140_625;
    const PI_LOW: f32 = 9.676_536e-4;
    let turns = (x * std::f32::consts::FRAC_1_PI).round_ties_even();
    let r = turns.mul_add(-PI_LOW, turns.mul_add(-PI_HIGH, x));
    // Taylor's series; the first term left out is below 6e-8 on [-pi/2, pi/2].
    let s = r * r;
    let p = s.mul_add(-2.505_210_8e-8, 2.755_731_9e-6);
    let p = s.mul_add(p, -1.984_127e-4);
    let p = s.mul_add(p, 8.333_333e-3);
    let p = s.mul_add(p, -1.666_666_7e-1);
    let sine = (r * s).mul_add(p, r);
    sine * sine
}

#[cfg(test)]
mod tests {
    use super::*;

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
