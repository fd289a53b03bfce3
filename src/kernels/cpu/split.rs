//! Products of f32 by the matrix unit (AMX), which knows bfloat16 only: each number is the sum of three of these, and of the
//! nine products of the parts of two numbers the six largest are summed, in f32.
//!
//! Three parts hold all 24 bits of a number; what the other three products would add is below the rounding of a sum in f32.
//! So the result is as exact as the sum by vectors (a test holds both against f64). Henry, Tang and Heinecke, "Leveraging the
//! bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", 2019.
//!
//! Numbers are finite: infinity has no parts.
use super::linear::Part;

/// Inputs that are multiplied at a time at most: with them a block of rows and two panels, in parts, fit into the
/// second-level cache.
pub const DEEPEST: usize = 512;
/// Inputs of a tile.
pub const INPUTS: usize = 32;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod implementation {
    use super::super::linear::Rows;
    use super::*;

    pub fn pays(_rows: usize) -> bool {
        false
    }

    /// There are none.
    pub enum Split {}

    impl Split {
        pub fn of(_rows: Rows<'_>) -> Option<Self> {
            None
        }
    }

    pub fn multiply<'a, T: 'a>(
        x: &Split,
        _panels: usize,
        _panel: impl Fn(usize) -> (&'a [T], Part<'a>) + Sync,
        _done: impl Fn(Part<'a>, usize) + Sync,
    ) {
        match *x {}
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod implementation {
    use std::arch::asm;
    use std::arch::x86_64::{
        __m512, __m512i, _mm256_loadu_si256, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512,
        _mm512_castsi512_ps, _mm512_cvtph_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutex2var_epi16,
        _mm512_set1_epi32, _mm512_store_si512, _mm512_sub_ps,
    };
    use std::cell::RefCell;
    use std::mem::MaybeUninit;
    use std::ops::Range;

    use half::f16;
    use rayon::prelude::*;

    use super::super::amx::{self, TILE, Tiles};
    use super::super::fetch::{fetch, fetch_for_later};
    use super::super::linear::{PANEL, Rows};
    use super::super::share::Share;
    use super::*;

    /// With fewer rows, taking the weights apart costs more than the unit gains.
    const LEAST_ROWS: usize = 64;
    /// Rows that a task takes at a time at most.
    const ROWS: usize = 256;
    /// Panels that a task takes at most: all but the first are taken apart while the unit multiplies.
    const PANELS: usize = 8;
    /// Bytes from what is taken apart to what is fetched meanwhile.
    const AHEAD: usize = 4096;
    /// bfloat16 that a number is taken apart into.
    const PARTS: usize = 3;
    /// Pairs of parts whose products count.
    const COMBINATIONS: usize = 6;
    /// Tiles of outputs of a panel.
    const TILES: usize = PANEL / TILE;
    /// Lines of the parts of a tile of rows, and of the parts of the tiles of a panel.
    const ROW_LINES: usize = PARTS * TILE;
    const PANEL_LINES: usize = PARTS * PANEL;

    const _: () = assert!(INPUTS == 2 * TILE && COMBINATIONS == 2 * TILES);

    /// A row of a tile: 16 pairs of bfloat16.
    #[derive(Clone, Copy)]
    #[repr(C, align(64))]
    struct Line([u32; TILE]);

    /// Bytes from a row of a tile to the next.
    const LINE: usize = size_of::<Line>();

    type RowStep = [MaybeUninit<Line>; ROW_LINES];
    type PanelStep = [MaybeUninit<Line>; PANEL_LINES];
    type Sums = [f32; 2 * TILE * PANEL];

    /// Whether products of so many rows are faster this way.
    pub fn pays(rows: usize) -> bool {
        rows >= LEAST_ROWS && amx::available()
    }

    /// Rows in parts as the unit reads them, `[rows / 16, inputs / 32, part, 16, 32]`, with zeros beyond the last row and
    /// input.
    pub struct Split {
        steps: Box<[MaybeUninit<RowStep>]>,
        rows: usize,
        inputs: usize,
    }

    impl Split {
        /// Takes `rows` apart, where that [`pays`].
        pub fn of(rows: Rows<'_>) -> Option<Self> {
            let Rows { data, count, width, stride } = rows;
            if !pays(count) {
                return None;
            }
            assert!(
                count > 0 && width > 0 && (count - 1) * stride + width <= data.len(),
                "split: rows beyond the input"
            );
            let depth = width.div_ceil(INPUTS);
            let mut steps = Box::new_uninit_slice(count.div_ceil(TILE) * depth);
            steps.par_chunks_mut(depth).enumerate().shared().for_each(|(tile, steps)| {
                let rows = tile * TILE..count.min((tile + 1) * TILE);
                // SAFETY: the unit comes with these instructions.
                unsafe { rows_in_parts(data, rows, [width, stride], places(steps)) };
            });
            Some(Self { steps, rows: count, inputs: width })
        }
    }

    /// The same lines, each of which is written by itself.
    fn places<const N: usize>(steps: &mut [MaybeUninit<[MaybeUninit<Line>; N]>]) -> &mut [[MaybeUninit<Line>; N]] {
        // SAFETY: an array of what may be unwritten may be unwritten.
        unsafe { std::slice::from_raw_parts_mut(steps.as_mut_ptr().cast(), steps.len()) }
    }

    /// The tiles of up to 16 rows.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn rows_in_parts(data: &[f32], rows: Range<usize>, [width, stride]: [usize; 2], steps: &mut [RowStep]) {
        for (number, step) in steps.iter_mut().enumerate() {
            let from = number * INPUTS;
            for row in 0..TILE {
                let mut padded = [0.0; INPUTS];
                let values = match rows.start + row < rows.end {
                    true => &data[(rows.start + row) * stride..][from..width.min(from + INPUTS)],
                    false => &[],
                };
                let values = values.first_chunk().unwrap_or_else(|| {
                    padded[..values.len()].copy_from_slice(values);
                    &padded
                });
                // SAFETY: two vectors of 64 bytes.
                let parts = unsafe {
                    let second = values.as_ptr().add(TILE);
                    take_apart(_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(second), &NEIGHBOURS)
                };
                for (part, words) in parts.into_iter().enumerate() {
                    put(&mut step[part * TILE + row], words);
                }
            }
        }
    }

    /// The upper words of two vectors, one vector behind the other.
    const NEIGHBOURS: [u16; 2 * TILE] = {
        let mut words = [0; 2 * TILE];
        let mut i = 0;
        while i < words.len() {
            words[i] = 2 * i as u16 + 1;
            i += 1;
        }
        words
    };

    /// The upper words of two vectors, in turns.
    const IN_TURNS: [u16; 2 * TILE] = {
        let mut words = [0; 2 * TILE];
        let mut i = 0;
        while i < words.len() {
            words[i] = (i / 2 * 2 + i % 2 * 2 * TILE) as u16 + 1;
            i += 1;
        }
        words
    };

    /// The parts of 32 values, in an order of their words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn take_apart(first: __m512, second: __m512, order: &[u16; 2 * TILE]) -> [__m512i; PARTS] {
        let (first, second) = (parts(first), parts(second));
        // SAFETY: 32 words.
        let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
        // Not by `map`: what a closure does there would not be compiled for these instructions.
        [
            _mm512_permutex2var_epi16(first[0], order, second[0]),
            _mm512_permutex2var_epi16(first[1], order, second[1]),
            _mm512_permutex2var_epi16(first[2], order, second[2]),
        ]
    }

    /// Three vectors whose upper halves are bfloat16 with the sum `x`, rounded to nearest.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn parts(x: __m512) -> [__m512i; PARTS] {
        let high = rounded(x);
        let rest = _mm512_sub_ps(x, upper(high));
        let middle = rounded(rest);
        // At most eight bits are left.
        let low = _mm512_sub_ps(rest, upper(middle));
        [high, middle, _mm512_castps_si512(low)]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn rounded(x: __m512) -> __m512i {
        _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn upper(bits: __m512i) -> __m512 {
        _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(0xffff_0000_u32 as i32)))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn put(line: &mut MaybeUninit<Line>, words: __m512i) {
        // SAFETY: a line is a vector, and aligned as one.
        unsafe { _mm512_store_si512(line.as_mut_ptr().cast(), words) };
    }

    /// Weights in the type in which they are kept.
    pub trait Value: Copy + Sync + 'static {
        /// An input's row of a panel, of zeros.
        const ZEROS: &'static [Self; PANEL];

        /// 16 values in f32.
        ///
        /// # Safety
        /// The processor has AVX-512.
        unsafe fn load(values: &[Self; TILE]) -> __m512;
    }

    impl Value for f32 {
        const ZEROS: &'static [Self; PANEL] = &[0.0; PANEL];

        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn load(values: &[Self; TILE]) -> __m512 {
            // SAFETY: 64 bytes.
            unsafe { _mm512_loadu_ps(values.as_ptr()) }
        }
    }

    impl Value for f16 {
        const ZEROS: &'static [Self; PANEL] = &[f16::ZERO; PANEL];

        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn load(values: &[Self; TILE]) -> __m512 {
            // SAFETY: 32 bytes.
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(values.as_ptr().cast())) }
        }
    }

    /// A panel that is taken apart bit by bit, into `[inputs / 32, part, 3, 16, 16, 2]`, or, without steps, only fetched.
    struct Apart<'a, T> {
        /// `[inputs, 48]`
        weight: &'a [T],
        steps: &'a mut [PanelStep],
        /// The first pair of inputs of which not all is done.
        pair: usize,
    }

    impl<T: Value> Apart<'_, T> {
        /// A third of the next `count` pairs, if there are so many: the outputs of one tile. The last third ends them.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn third(&mut self, tile: usize, count: usize) {
            if self.steps.is_empty() {
                return self.fetch(count);
            }
            let end = (self.pair + count).min(self.steps.len() * TILE);
            for pair in self.pair..end {
                let row = |input: usize| {
                    let row = self.weight.get(input * PANEL..).and_then(<[T]>::first_chunk::<PANEL>);
                    &row.unwrap_or(T::ZEROS).as_chunks::<TILE>().0[tile]
                };
                let (first, second) = (row(2 * pair), row(2 * pair + 1));
                fetch::<1>(first.as_ptr().wrapping_byte_add(AHEAD).cast(), 0);
                fetch::<1>(second.as_ptr().wrapping_byte_add(AHEAD).cast(), 0);
                // SAFETY: an instruction of this function.
                let (first, second) = unsafe { (T::load(first), T::load(second)) };
                let step = &mut self.steps[pair / TILE];
                for (part, words) in take_apart(first, second, &IN_TURNS).into_iter().enumerate() {
                    put(&mut step[(part * TILES + tile) * TILE + pair % TILE], words);
                }
            }
            if tile + 1 == TILES {
                self.pair = end;
            }
        }

        /// As much as a third of `count` pairs.
        fn fetch(&mut self, count: usize) {
            let (now, later) = self.weight.split_at(self.weight.len().min(count * 2 * TILE));
            for line in now.chunks(LINE / size_of::<T>()) {
                fetch_for_later(line.as_ptr().cast());
            }
            self.weight = later;
        }

        /// All of it.
        #[target_feature(enable = "avx512f,avx512bw")]
        fn whole(&mut self) {
            for _ in 0..self.steps.len() * TILE {
                for tile in 0..TILES {
                    self.third(tile, 1);
                }
            }
        }
    }

    thread_local! {
        /// Two panels of a thread.
        static SCRATCH: RefCell<Vec<PanelStep>> = const { RefCell::new(Vec::new()) };
    }

    /// `x` times each of `panels` panels: `panel` tells its weight `[inputs, 48]` and where the first row goes; `done` is
    /// called for each block of rows as soon as it is written.
    pub fn multiply<'a, T: Value>(
        x: &Split,
        panels: usize,
        panel: impl Fn(usize) -> (&'a [T], Part<'a>) + Sync,
        done: impl Fn(Part<'a>, usize) + Sync,
    ) {
        let groups = panels.div_ceil(PANELS).next_multiple_of(rayon::current_num_threads()).min(panels);
        let blocks = x.rows.div_ceil(ROWS);
        let rows = x.rows.div_ceil(blocks).next_multiple_of(2 * TILE);
        (0..groups * blocks).into_par_iter().shared().for_each(|task| {
            let (group, block) = (task / blocks, task % blocks);
            let rows = (block * rows).min(x.rows)..((block + 1) * rows).min(x.rows);
            let of_group = panels * group / groups..panels * (group + 1) / groups;
            if !rows.is_empty() {
                // SAFETY: the unit comes with these instructions.
                unsafe { group_times_rows(x, rows, of_group, panels, &panel, &done) };
            }
        });
    }

    /// Some rows times some panels. While one is multiplied, the next is taken apart: the vectors have nothing else to do.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn group_times_rows<'a, T: Value>(
        x: &Split,
        rows: Range<usize>,
        group: Range<usize>,
        panels: usize,
        panel: &(impl Fn(usize) -> (&'a [T], Part<'a>) + Sync),
        done: &(impl Fn(Part<'a>, usize) + Sync),
    ) {
        let depth = x.inputs.div_ceil(INPUTS);
        let each = TILE.div_ceil(2 * rows.len().div_ceil(2 * TILE));
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            scratch.reserve(2 * depth);
            let (mut current, mut next) = places(&mut scratch.spare_capacity_mut()[..2 * depth]).split_at_mut(depth);
            let _tiles = Tiles::configured(TILE);
            let mut sums = [0.0; 2 * TILE * PANEL];
            for number in group.clone() {
                let (weight, target) = panel(number);
                assert_eq!(weight.len(), x.inputs * PANEL, "split: a weight for another input");
                if number == group.start {
                    Apart { weight, steps: current, pair: 0 }.whole();
                }
                let mut apart = match number + 1 {
                    upcoming if upcoming < group.end => Apart { weight: panel(upcoming).0, steps: next, pair: 0 },
                    // With one block of rows, what this thread probably does next.
                    upcoming if upcoming < panels => Apart { weight: panel(upcoming).0, steps: &mut [], pair: 0 },
                    _ => Apart { weight: &[], steps: &mut [], pair: 0 },
                };
                for first in rows.clone().step_by(2 * TILE) {
                    let count = (2 * TILE).min(rows.end - first);
                    let inputs = &x.steps[first / TILE * depth..];
                    let target = target.at_row(first);
                    // SAFETY: tiles are configured; the rows' lines and the panel's are written; the output has these rows.
                    unsafe {
                        match count > TILE {
                            true => two(inputs, current, &mut apart, each, &mut sums),
                            false => one(inputs, current, &mut apart, each, &mut sums),
                        }
                        amx::store(&sums[..count * PANEL], 0, &target);
                    }
                    done(target, count);
                }
                std::mem::swap(&mut current, &mut next);
            }
        });
    }

    const _: () = assert!(TILE * LINE == 1024 && PANEL * LINE == 3072, "the offsets below");

    /// The sums `[32, 48]` of two tiles of rows, the second behind the first, in tiles 0 to 5; what is smallest comes first.
    /// Behind each combination of parts there is a third of `each` pairs of the panel that is taken apart: done at once,
    /// that would wait until the unit has finished. The sums stay in their tiles meanwhile, for a compiler uses none.
    ///
    /// # Safety
    /// Tiles are configured, and the lines of all steps of both rows and of the panel are written.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn two<T: Value>(
        x: &[MaybeUninit<RowStep>],
        panel: &[PanelStep],
        apart: &mut Apart<'_, T>,
        each: usize,
        sums: &mut Sums,
    ) {
        let (first, rest) = x.split_at(panel.len());
        // SAFETY: the caller's promise; the steps are as long as the offsets reach, and the sums are six tiles.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "tilezero tmm4",
                "tilezero tmm5",
                options(nostack, preserves_flags, nomem),
            );
            for ((panel, x), y) in panel.iter().zip(first).zip(&rest[..panel.len()]) {
                macro_rules! combination {
                    ($x:literal, $w:literal, $tile:literal) => {
                        asm!(
                            concat!("tileloadd tmm6, [{x} + {line} + ", $x, " * 1024]"),
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072]"),
                            "tdpbf16ps tmm0, tmm6, tmm7",
                            concat!("tileloadd tmm6, [{y} + {line} + ", $x, " * 1024]"),
                            "tdpbf16ps tmm3, tmm6, tmm7",
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072 + 1024]"),
                            "tdpbf16ps tmm4, tmm6, tmm7",
                            concat!("tileloadd tmm6, [{x} + {line} + ", $x, " * 1024]"),
                            "tdpbf16ps tmm1, tmm6, tmm7",
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072 + 2048]"),
                            "tdpbf16ps tmm2, tmm6, tmm7",
                            concat!("tileloadd tmm6, [{y} + {line} + ", $x, " * 1024]"),
                            "tdpbf16ps tmm5, tmm6, tmm7",
                            x = in(reg) x,
                            y = in(reg) y,
                            w = in(reg) panel,
                            line = in(reg) LINE,
                            options(nostack, preserves_flags, readonly),
                        );
                        apart.third($tile, each);
                    };
                }
                combination!(0, 2, 0);
                combination!(0, 1, 1);
                combination!(1, 1, 2);
                combination!(1, 0, 0);
                combination!(2, 0, 1);
                combination!(0, 0, 2);
            }
            asm!(
                "tilestored [{sums} + {row}], tmm0",
                "tilestored [{sums} + {row} + 64], tmm1",
                "tilestored [{sums} + {row} + 128], tmm2",
                "tilestored [{sums} + {row} + {half}], tmm3",
                "tilestored [{sums} + {row} + {half} + 64], tmm4",
                "tilestored [{sums} + {row} + {half} + 128], tmm5",
                row = in(reg) PANEL * size_of::<f32>(),
                sums = in(reg) sums.as_mut_ptr(),
                half = const TILE * PANEL * size_of::<f32>(),
                options(nostack, preserves_flags),
            );
        }
    }

    /// The sums `[16, 48]` of one tile of rows.
    ///
    /// # Safety
    /// As [`two`].
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn one<T: Value>(
        x: &[MaybeUninit<RowStep>],
        panel: &[PanelStep],
        apart: &mut Apart<'_, T>,
        each: usize,
        sums: &mut Sums,
    ) {
        // SAFETY: the caller's promise; the steps are as long as the offsets reach, and the sums are more than three tiles.
        unsafe {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", options(nostack, preserves_flags, nomem));
            for (panel, x) in panel.iter().zip(&x[..panel.len()]) {
                macro_rules! combination {
                    ($x:literal, $w:literal, $tile:literal) => {
                        asm!(
                            concat!("tileloadd tmm6, [{x} + {line} + ", $x, " * 1024]"),
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072]"),
                            "tdpbf16ps tmm0, tmm6, tmm7",
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072 + 1024]"),
                            "tdpbf16ps tmm1, tmm6, tmm7",
                            concat!("tileloadd tmm7, [{w} + {line} + ", $w, " * 3072 + 2048]"),
                            "tdpbf16ps tmm2, tmm6, tmm7",
                            x = in(reg) x,
                            w = in(reg) panel,
                            line = in(reg) LINE,
                            options(nostack, preserves_flags, readonly),
                        );
                        apart.third($tile, each);
                    };
                }
                combination!(0, 2, 0);
                combination!(0, 1, 1);
                combination!(1, 1, 2);
                combination!(1, 0, 0);
                combination!(2, 0, 1);
                combination!(0, 0, 2);
            }
            asm!(
                "tilestored [{sums} + {row}], tmm0",
                "tilestored [{sums} + {row} + 64], tmm1",
                "tilestored [{sums} + {row} + 128], tmm2",
                row = in(reg) PANEL * size_of::<f32>(),
                sums = in(reg) sums.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
    }
}

pub use implementation::{Split, multiply, pays};

#[cfg(test)]
mod tests {
    use half::f16;

    use super::super::level::at_every_level;
    use super::super::linear::{PANEL, Rows, Start, Weight, linear_part};
    use crate::kernels::Activation;

    /// Numbers of both signs and of magnitudes from 0.001 to 1.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX)
        };
        (0..count).map(|_| ((next() * 2.0 - 1.0).signum() * 10f64.powf(-3.0 * next())) as f32).collect()
    }

    fn in_panels<T: Copy>(plain: &[T], zero: T, inputs: usize, outputs: usize) -> Vec<T> {
        let mut panels = vec![zero; outputs.next_multiple_of(PANEL) * inputs];
        for (i, value) in plain.iter().enumerate() {
            let (input, output) = (i / outputs, i % outputs);
            panels[(output / PANEL * inputs + input) * PANEL + output % PANEL] = *value;
        }
        panels
    }

    /// The root of the mean square of the differences from f64, each in units of the root of the sum of what is squared and
    /// summed.
    fn error(out: &[f32], x: &[f32], plain: &[f32], start: &[f64], [rows, inputs, outputs]: [usize; 3]) -> f64 {
        assert_eq!(out.len(), rows * outputs);
        let mut total = 0.0;
        for (i, (got, start)) in out.iter().zip(start).enumerate() {
            let (row, output) = (i / outputs, i % outputs);
            let products = (0..inputs)
                .map(|input| f64::from(x[row * inputs + input]) * f64::from(plain[input * outputs + output]));
            let (sum, squares) =
                products.fold((0.0, 0.0), |(sum, squares), product| (sum + product, squares + product * product));
            total += (f64::from(*got) - start - sum).powi(2) / (squares + start.powi(2));
        }
        (total / out.len() as f64).sqrt()
    }

    /// Rows and inputs around the edges of tiles, blocks and depths; f32 and f16 weights.
    #[test]
    fn as_exact_as_the_sum_by_vectors() {
        for (rows, inputs, outputs) in
            [(64, 1, 48), (65, 31, 50), (80, 33, 1), (97, 512, 97), (300, 545, 49), (70, 1300, 97)]
        {
            let (x, plain, bias) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
            let halves: Vec<f16> = plain.iter().map(|value| f16::from_f32(*value)).collect();
            let widened: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
            let (singles, halves) =
                (in_panels(&plain, 0.0, inputs, outputs), in_panels(&halves, f16::ZERO, inputs, outputs));
            for (weight, plain) in [(Weight::F32(&singles), &plain), (Weight::F16(&halves), &widened)] {
                let mut errors = Vec::new();
                at_every_level(|level| {
                    let held = numbers(rows * outputs, 4);
                    let start: Vec<f64> = held
                        .iter()
                        .enumerate()
                        .map(|(i, held)| f64::from(*held) + f64::from(bias[i % outputs]))
                        .collect();
                    let mut out = held;
                    linear_part(Rows::dense(&x, rows), weight, inputs, 0, Start::Sum(&bias), None, &mut out);
                    errors.push((level, error(&out, &x, plain, &start, [rows, inputs, outputs])));
                });
                let limit = 1.2 * errors[0].1;
                assert!(
                    errors.iter().all(|(_, error)| *error < limit.min(1e-6)),
                    "{rows} {inputs} {outputs}: {errors:?}"
                );
            }
        }
    }

    /// Rows that overlap, a part of the inputs, and an activation behind the last of several depths.
    #[test]
    fn windows_and_parts() {
        let (rows, width, stride, from, inputs, outputs) = (100, 600, 7, 40, 700, 60);
        let (data, plain, bias) =
            (numbers((rows - 1) * stride + width, 5), numbers(inputs * outputs, 6), numbers(outputs, 7));
        let panels = in_panels(&plain, 0.0, inputs, outputs);
        at_every_level(|level| {
            let windows = Rows { data: &data, count: rows, width, stride };
            let mut out = vec![f32::NAN; rows * outputs];
            let (start, then) = (Start::Bias(&bias), Some(Activation::Silu));
            linear_part(windows, Weight::F32(&panels), inputs, from, start, then, &mut out);
            for (i, got) in out.iter().enumerate() {
                let (row, output) = (i / outputs, i % outputs);
                let products = (0..width).map(|input| {
                    f64::from(data[row * stride + input]) * f64::from(plain[(from + input) * outputs + output])
                });
                let sum = f64::from(bias[output]) + products.sum::<f64>();
                let difference = (f64::from(*got) - sum / (1.0 + (-sum).exp())).abs();
                assert!(difference < 1e-4, "{level:?} at {i}: {difference}");
            }
        });
    }
}
