//! What `bench` prints.
use std::fmt::Write;
use std::time::Duration;

use indextts::{Cost, Options, Stage};
use serde_json::{Value, json};

use super::distance::Distance;
use super::machine::{Machine, Memory};
use super::{Bench, Run};

/// More single times than this are not written out.
const ROWS: usize = 9;

pub struct Report<'a> {
    pub load: Duration,
    pub load_cpu: Option<Duration>,
    /// Behind loading.
    pub loaded: Memory,
    /// Behind all runs.
    pub peak: Memory,
    pub runs: Vec<Run>,
    /// Of a stream.
    pub first_samples: Vec<Duration>,
    pub distance: Option<Distance>,
    pub machine: Machine,
    pub options: &'a Options,
    pub args: &'a Bench,
}

/// Medians over all runs.
struct Row {
    name: &'static str,
    walls: Vec<f64>,
    cpus: Vec<f64>,
    flops: f64,
    bytes: f64,
    steps: f64,
}

impl Row {
    fn wall(&self) -> f64 {
        median(&self.walls)
    }

    /// Processors that were busy.
    fn busy(&self) -> Option<f64> {
        (self.cpus.len() == self.walls.len()).then(|| median(&self.cpus) / self.wall().max(1e-9))
    }

    fn gigaflops(&self) -> f64 {
        self.flops / 1e9 / self.wall().max(1e-9)
    }

    fn gigabytes(&self) -> f64 {
        self.bytes / 1e9 / self.wall().max(1e-9)
    }
}

impl Report<'_> {
    fn rows(&self) -> Vec<Row> {
        let stages: Vec<Stage> =
            self.runs.first().map(|run| run.stages.iter().map(|(stage, _)| *stage).collect()).unwrap_or_default();
        let of = |run: &Run, stage: Stage| {
            run.stages.iter().find(|(s, _)| *s == stage).map(|(_, cost)| *cost).unwrap_or_default()
        };
        let mut rows: Vec<Row> = stages
            .into_iter()
            .map(|stage| {
                let costs: Vec<Cost> = self.runs.iter().map(|run| of(run, stage)).collect();
                let median_of = |value: &dyn Fn(&Cost) -> f64| median(&costs.iter().map(value).collect::<Vec<_>>());
                Row {
                    name: stage.name(),
                    walls: costs.iter().map(|cost| cost.wall.as_secs_f64()).collect(),
                    cpus: costs.iter().filter_map(|cost| Some(cost.cpu?.as_secs_f64())).collect(),
                    flops: median_of(&|cost| cost.work.flops),
                    bytes: median_of(&|cost| cost.work.bytes),
                    steps: median_of(&|cost| cost.work.steps as f64),
                }
            })
            .collect();
        let sum = |value: &dyn Fn(&Row) -> f64| rows.iter().map(value).sum();
        rows.push(Row {
            name: "total",
            walls: self.runs.iter().map(|run| run.wall.as_secs_f64()).collect(),
            cpus: self.runs.iter().filter_map(|run| Some(run.cpu?.as_secs_f64())).collect(),
            flops: sum(&|row| row.flops),
            bytes: sum(&|row| row.bytes),
            steps: 0.0,
        });
        rows
    }

    /// Seconds of speech.
    fn speech(&self) -> f64 {
        median(&self.runs.iter().map(|run| run.speech).collect::<Vec<_>>())
    }

    fn codes(&self) -> usize {
        self.runs.first().map_or(0, |run| run.codes)
    }

    fn first_samples(&self) -> Vec<f64> {
        self.first_samples.iter().map(Duration::as_secs_f64).collect()
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (speech, machine) = (self.speech(), &self.machine);
        writeln!(
            out,
            "| stage | median, s | processors | real-time factor | steps/s | GFLOP | GFLOP/s | of the peak | GB | GB/s | of the memory | single, s |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|---|---|---|---|---|")?;
        let busy = self
            .load_cpu
            .map_or(String::new(), |cpu| format!("{:.2}", cpu.as_secs_f64() / self.load.as_secs_f64().max(1e-9)));
        writeln!(out, "| load | {:.3} | {busy} | | | | | | | | | |", self.load.as_secs_f64())?;
        for row in self.rows() {
            let busy = row.busy().map_or(String::new(), |busy| format!("{busy:.2}"));
            let steps = match row.steps {
                0.0 => String::new(),
                steps => format!("{:.1}", steps / row.wall().max(1e-9)),
            };
            let share = |value: f64, speed: f64, of: f64| match value {
                0.0 => " | | ".into(),
                _ => format!("{:.3} | {speed:.1} | {:.0} %", value / 1e9, 100.0 * speed / of),
            };
            writeln!(
                out,
                "| {} | {:.3} | {busy} | {:.3} | {steps} | {} | {} | {} |",
                row.name,
                row.wall(),
                row.wall() / speech,
                share(row.flops, row.gigaflops(), machine.f32),
                share(row.bytes, row.gigabytes(), machine.memory),
                single(&row.walls)
            )?;
        }
        writeln!(out)?;
        writeln!(out, "{speech:.2} s of speech, {} semantic codes", self.codes())?;
        if !self.first_samples.is_empty() {
            let first = self.first_samples();
            writeln!(out, "first samples of a stream after {:.3} s ({})", median(&first), single(&first))?;
        }
        let gigabytes = |bytes: Option<u64>| bytes.map_or("?".into(), |bytes| format!("{:.2} GB", bytes as f64 / 1e9));
        writeln!(
            out,
            "memory: {} loaded, {} at most while loading, {} at most in all",
            gigabytes(self.loaded.resident),
            gigabytes(self.loaded.peak),
            gigabytes(self.peak.peak)
        )?;
        let resident: Vec<f64> = self.runs.iter().filter_map(|run| Some(run.resident? as f64 / 1e6)).collect();
        if let (Some(last), true) = (resident.last(), resident.len() > 20) {
            writeln!(out, "memory after run 10 and after the last: {:.1} and {last:.1} MB", resident[9])?;
        }
        if let Some(distance) = &self.distance {
            writeln!(
                out,
                "distance from f32: {:.1e} nats over {} codes, the same likeliest code {:.1} %, mel cosine {:.5}, {:.2} dB",
                distance.divergence,
                distance.codes,
                100.0 * distance.agreement,
                distance.mel_cosine,
                distance.mel_decibels
            )?;
        }
        let by_vectors = machine.f32_by_vectors.map(|speed| format!(" ({speed:.0} by vectors)")).unwrap_or_default();
        writeln!(
            out,
            "machine: {} threads, products of f32 {:.0} GFLOP/s{by_vectors}, of bf16 weights {:.0} GFLOP/s, memory {:.1} GB/s",
            machine.threads, machine.f32, machine.bf16, machine.memory
        )
    }

    pub fn json(&self) -> Value {
        let stages: Vec<Value> = self
            .rows()
            .iter()
            .map(|row| {
                json!({
                    "stage": row.name,
                    "wall_s": row.walls,
                    "cpu_s": row.cpus,
                    "flops": row.flops,
                    "bytes": row.bytes,
                    "steps": row.steps,
                    "of_gemm_peak": row.gigaflops() / self.machine.f32,
                    "of_memory": row.gigabytes() / self.machine.memory,
                })
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "precision": format!("{:?}", self.args.precision),
            "beams": self.options.decode.beams,
            "steps": self.options.steps,
            "guidance": self.options.guidance,
            "load_s": self.load.as_secs_f64(),
            "load_cpu_s": self.load_cpu.map(|cpu| cpu.as_secs_f64()),
            "speech_s": self.speech(),
            "codes": self.codes(),
            "stages": stages,
            "first_samples_s": self.first_samples(),
            "memory": {
                "loaded": self.loaded.resident,
                "peak_loading": self.loaded.peak,
                "peak": self.peak.peak,
                "after_runs": self.runs.iter().map(|run| run.resident).collect::<Vec<_>>(),
            },
            "distance": self.distance.as_ref().map(|distance| json!({
                "codes": distance.codes,
                "kl_nats": distance.divergence,
                "top1_agreement": distance.agreement,
                "mel_cosine": distance.mel_cosine,
                "mel_db": distance.mel_decibels,
            })),
            "machine": {
                "threads": self.machine.threads,
                "gemm_f32_gflops": self.machine.f32,
                "gemm_f32_by_vectors_gflops": self.machine.f32_by_vectors,
                "gemm_bf16_gflops": self.machine.bf16,
                "memory_gbps": self.machine.memory,
            },
        })
    }
}

/// All of a few times, the quickest and the slowest of many.
fn single(times: &[f64]) -> String {
    if times.len() <= ROWS {
        return times.iter().map(|seconds| format!("{seconds:.3}")).collect::<Vec<_>>().join(" ");
    }
    let (least, most) = times.iter().fold((f64::MAX, 0f64), |(least, most), &time| (least.min(time), most.max(time)));
    format!("{least:.3} to {most:.3}")
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
