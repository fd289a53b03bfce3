//! The matrix unit (AMX): its tiles, and products of pairs in bfloat16, tiles of sixteen rows times a panel. Products of f32
//! are in [`split`](super::split).
//!
//! A panel `[pairs, 48, 2]` is three tiles of outputs side by side, and rows of pairs are tiles of inputs, both as they lie.
//! Systems other than Linux are not asked for the unit: there pairs are multiplied by vectors.
use super::linear::Part;
use super::pairs::Pairs;

#[cfg(not(target_os = "linux"))]
mod implementation {
    use super::*;

    pub fn available() -> bool {
        false
    }

    pub fn permitted() -> bool {
        false
    }

    pub fn multiply(_x: &Pairs, _rows: [usize; 2], _weight: &[half::bf16], _target: &Part<'_>) -> usize {
        unreachable!("never called where `available` is false");
    }
}

#[cfg(target_os = "linux")]
mod implementation {
    use std::arch::asm;
    use std::arch::x86_64::{
        __cpuid_count, __mmask16, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _xgetbv,
    };
    use std::sync::OnceLock;

    use half::bf16;

    use super::super::level::{Level, allowed};
    use super::super::linear::{PANEL, Start};
    use super::*;

    /// Rows of a tile, pairs of inputs of a tile, outputs of a tile.
    pub const TILE: usize = 16;
    /// Bytes from a pair of inputs to the next in a panel.
    const PANEL_BYTES: usize = PANEL * 2 * size_of::<bf16>();
    /// Passes over a panel in which the next is fetched: those of a whole block of rows.
    const PASSES: usize = 8;

    /// Whether to use the unit.
    pub fn available() -> bool {
        allowed(Level::Amx) && permitted()
    }

    /// Whether the processor has the unit and the system lets this process use it.
    pub fn permitted() -> bool {
        static PERMITTED: OnceLock<bool> = OnceLock::new();
        *PERMITTED.get_or_init(|| detected() && ask())
    }

    fn detected() -> bool {
        const TILES_AND_BF16: u32 = 1 << 24 | 1 << 22;
        const STATE: u64 = 1 << 17 | 1 << 18;
        if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("xsave") {
            return false;
        }
        // SAFETY: a processor with AVX-512 knows leaf 7, and `xsave` was detected.
        unsafe { __cpuid_count(7, 0).edx & TILES_AND_BF16 == TILES_AND_BF16 && state() & STATE == STATE }
    }

    /// Registers that the system saves.
    #[target_feature(enable = "xsave")]
    fn state() -> u64 {
        // SAFETY: register 0 is there where `xsave` is.
        unsafe { _xgetbv(0) }
    }

    /// Linux grants a process the eight kilobytes of state when it asks for them.
    fn ask() -> bool {
        const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
        const TILE_DATA: i64 = 18;
        // SAFETY: the call changes nothing but the permission.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
    }

    /// What the instruction reads: the sizes of the eight tiles.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// Tiles 0 to 5 of sums and tile 6 of inputs have `rows` rows; tile 7 is one of weights. Released when dropped.
    pub struct Tiles {
        rows: usize,
    }

    impl Tiles {
        pub fn configured(rows: usize) -> Self {
            let mut tiles = Self { rows: 0 };
            tiles.configure(rows);
            tiles
        }

        fn configure(&mut self, rows: usize) {
            assert!(permitted() && (1..=TILE).contains(&rows), "amx: no tiles of {rows} rows");
            if rows == self.rows {
                return;
            }
            self.rows = rows;
            let mut sizes =
                Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
            sizes.row_bytes[..8].fill(64);
            sizes.rows[..7].fill(rows as u8);
            sizes.rows[7] = TILE as u8;
            // SAFETY: the unit is there and permitted, and the sizes are within its limits.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const sizes, options(nostack, preserves_flags, readonly)) };
        }
    }

    impl Drop for Tiles {
        fn drop(&mut self) {
            // SAFETY: as when they were configured.
            unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
        }
    }

    /// The rows `first..first + count` of `x` times one panel `[pairs, 48, 2]`: as many pairs as are whole tiles, which it
    /// returns.
    pub fn multiply(x: &Pairs, [first, count]: [usize; 2], weight: &[bf16], target: &Part<'_>) -> usize {
        let steps = x.width / TILE;
        assert_eq!(weight.len(), x.width * 2 * PANEL, "amx: a weight for another input");
        assert!((first + count - 1) * x.stride + x.width <= x.values.len(), "amx: rows beyond the input");
        if steps == 0 {
            return 0;
        }
        let mut tiles = Tiles::configured(TILE.min(count));
        let mut sums = [0.0f32; 2 * TILE * PANEL];
        let mut row = 0;
        while row < count {
            let rows = if count - row >= 2 * TILE { 2 * TILE } else { TILE.min(count - row) };
            tiles.configure(rows.min(TILE));
            let inputs = x.values[(first + row) * x.stride..].as_ptr();
            // SAFETY: the tiles are configured for these rows; rows and weight reach as far as was checked above.
            unsafe {
                match rows > TILE {
                    true => two(inputs, x.stride * 4, weight, steps, row / (2 * TILE), &mut sums),
                    false => one(inputs, x.stride * 4, weight.as_ptr(), steps, &mut sums),
                }
                store(&sums[..rows * PANEL], row, target);
            }
            row += rows;
        }
        steps * TILE
    }

    /// The sums `[rows, 48]` of a tile of rows.
    ///
    /// # Safety
    /// Tiles are configured; `steps` tiles can be read of the rows, `stride` bytes apart, and of the panel.
    unsafe fn one(x: *const u32, stride: usize, weight: *const bf16, steps: usize, sums: &mut [f32; 2 * TILE * PANEL]) {
        // SAFETY: the caller's promise; the sums are large enough for three tiles.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "2:",
                "tileloadd tmm6, [{x} + {stride}]",
                "tileloadd tmm7, [{w} + {panel}]",
                "tdpbf16ps tmm0, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {panel} + 64]",
                "tdpbf16ps tmm1, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {panel} + 128]",
                "tdpbf16ps tmm2, tmm6, tmm7",
                "add {x}, 64",
                "add {w}, {tile}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {panel}], tmm0",
                "tilestored [{sums} + {panel} + 64], tmm1",
                "tilestored [{sums} + {panel} + 128], tmm2",
                x = inout(reg) x => _,
                w = inout(reg) weight => _,
                steps = inout(reg) steps => _,
                stride = in(reg) stride,
                panel = in(reg) PANEL_BYTES,
                sums = in(reg) sums.as_mut_ptr(),
                tile = const TILE * PANEL_BYTES,
                options(nostack),
            );
        }
    }

    /// The sums `[32, 48]` of two tiles of rows: each tile of weights is read once for both. Of the panel that lies behind
    /// the weight, the eighth `pass` is fetched meanwhile.
    ///
    /// # Safety
    /// As [`one`], with tiles of sixteen rows.
    unsafe fn two(
        x: *const u32,
        stride: usize,
        weight: &[bf16],
        steps: usize,
        pass: usize,
        sums: &mut [f32; 2 * TILE * PANEL],
    ) {
        let next = weight.as_ptr().wrapping_add(weight.len() + weight.len() * pass / PASSES);
        // SAFETY: the caller's promise; the sums are six tiles.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "tilezero tmm4",
                "tilezero tmm5",
                "2:",
                "tileloadd tmm6, [{x} + {stride}]",
                "tileloadd tmm7, [{w} + {panel}]",
                "tdpbf16ps tmm0, tmm6, tmm7",
                "tileloadd tmm6, [{y} + {stride}]",
                "tdpbf16ps tmm3, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {panel} + 64]",
                "tdpbf16ps tmm4, tmm6, tmm7",
                "tileloadd tmm6, [{x} + {stride}]",
                "tdpbf16ps tmm1, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {panel} + 128]",
                "tdpbf16ps tmm2, tmm6, tmm7",
                "tileloadd tmm6, [{y} + {stride}]",
                "tdpbf16ps tmm5, tmm6, tmm7",
                "prefetcht0 [{next}]",
                "prefetcht0 [{next} + 64]",
                "prefetcht0 [{next} + 128]",
                "prefetcht0 [{next} + 192]",
                "prefetcht0 [{next} + 256]",
                "prefetcht0 [{next} + 320]",
                "add {next}, {share}",
                "add {x}, 64",
                "add {y}, 64",
                "add {w}, {tile}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {panel}], tmm0",
                "tilestored [{sums} + {panel} + 64], tmm1",
                "tilestored [{sums} + {panel} + 128], tmm2",
                "tilestored [{sums} + {panel} + {half}], tmm3",
                "tilestored [{sums} + {panel} + {half} + 64], tmm4",
                "tilestored [{sums} + {panel} + {half} + 128], tmm5",
                x = inout(reg) x => _,
                y = inout(reg) x.byte_add(TILE * stride) => _,
                w = inout(reg) weight.as_ptr() => _,
                next = inout(reg) next => _,
                steps = inout(reg) steps => _,
                stride = in(reg) stride,
                panel = in(reg) PANEL_BYTES,
                sums = in(reg) sums.as_mut_ptr(),
                tile = const TILE * PANEL_BYTES,
                share = const TILE * PANEL_BYTES / PASSES,
                half = const TILE * PANEL * size_of::<f32>(),
                options(nostack),
            );
        }
    }

    /// Writes `sums` `[rows, 48]` to the rows from `row` on.
    ///
    /// # Safety
    /// The rows exist in the target.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn store(sums: &[f32], row: usize, target: &Part<'_>) {
        let (rows, _) = sums.as_chunks::<PANEL>();
        for (n, sums) in rows.iter().enumerate() {
            let out = target.out.wrapping_add((row + n) * target.stride);
            for (v, sums) in sums.as_chunks::<TILE>().0.iter().enumerate() {
                let mask: __mmask16 = match target.columns.saturating_sub(TILE * v) {
                    TILE.. => !0,
                    columns => (1 << columns) - 1,
                };
                let out = out.wrapping_add(TILE * v);
                // SAFETY: masked lanes are not touched, the others exist.
                unsafe {
                    let load = |start: *const f32| _mm512_maskz_loadu_ps(mask, start);
                    let bias = |bias: &[f32]| load(bias.as_ptr().wrapping_add(TILE * v));
                    let sum = _mm512_loadu_ps(sums.as_ptr());
                    let sum = match target.start {
                        Start::Bias(values) => _mm512_add_ps(sum, bias(values)),
                        Start::Output => _mm512_add_ps(sum, load(out)),
                        Start::Sum(values) => _mm512_add_ps(sum, _mm512_add_ps(bias(values), load(out))),
                    };
                    _mm512_mask_storeu_ps(out, mask, sum);
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
pub use implementation::{TILE, Tiles, store};
pub use implementation::{available, multiply, permitted};
