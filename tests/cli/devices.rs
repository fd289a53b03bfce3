//! Choosing, listing and comparing devices.
use std::process::Output;

use crate::say::{indextts, model, program, text, voice};

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
}

/// Columns of the rows of a Markdown table that `compare` prints, without the head.
fn compared(devices: &str, more: &[&str]) -> Vec<Vec<String>> {
    let voice = voice();
    let mut all = vec!["-q", "compare", "--devices", devices, "--model", text(model()), "--voice", text(&voice)];
    all.extend(["--text", "HELLO WORLD.", "--max-codes", "12", "--steps", "3"]);
    all.extend(more);
    let rows: Vec<Vec<String>> = lines(&indextts(&all))
        .iter()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.replace("\\|", "/").split('|').map(|cell| cell.trim().to_string()).collect())
        .collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
    rows[2..].to_vec()
}

/// The rows of the devices after the first: (stage, largest difference, part of the deviation, cosine).
fn differences(rows: &[Vec<String>], device: &str) -> Vec<(String, String, f64, f64)> {
    let others = rows.iter().filter(|row| row[2].starts_with(device));
    let number = |text: &str, nothing: f64| if text.is_empty() { nothing } else { text.parse().unwrap() };
    others.map(|row| (row[1].clone(), row[5].clone(), number(&row[6], 0.0), number(&row[7], 1.0))).collect()
}

#[test]
fn devices_are_listed_tried_and_measured() {
    let output = lines(&indextts(&["-q", "devices"]));
    let cpu = output.iter().find(|line| line.starts_with("cpu")).unwrap();
    assert!(cpu.contains("f32 f16 bf16") && cpu.contains("GFLOP/s"), "{cpu}");
    assert!(output.iter().any(|line| line.starts_with("auto is ")), "{output:?}");
    #[cfg(not(feature = "cuda"))]
    assert!(output.iter().any(|line| line == "cuda: not in this build (cargo feature cuda)"), "{output:?}");
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let voice = voice();
    let all = ["-q", "say", "HI", "--model", text(model()), "--voice", text(&voice), "-o", "/nowhere/out.wav"];
    let failed = |device: &str, message: &str| {
        // No driver is found in an empty list of drivers.
        let output = program(&all)
            .args(["--device", device])
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message) && stderr.contains("--device cpu"), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    };
    #[cfg(not(feature = "wgpu"))]
    failed("vulkan", "--features wgpu");
    #[cfg(feature = "wgpu")]
    failed("vulkan", "install a Vulkan driver");
    #[cfg(all(feature = "wgpu", not(target_os = "windows")))]
    failed("dx12", "Windows");
    #[cfg(not(feature = "cuda"))]
    failed("cuda:1", "--features cuda");
}

#[test]
fn the_environment_names_the_device() {
    let voice = voice();
    let all = ["-q", "say", "HI", "--model", text(model()), "--voice", text(&voice), "-o", "/nowhere/out.wav"];
    let output = program(&all).env("INDEXTTS_DEVICE", "abacus").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("abacus"));
}

#[test]
fn a_device_equals_itself_and_half_precision_is_near() {
    let rows = compared("cpu,cpu", &[]);
    let stages = ["w2v-bert", "CAMPPlus", "semantic codec", "GPT conditioning", "GPT codes, greedy"];
    assert_eq!(rows.iter().step_by(2).map(|row| row[1].as_str()).take(5).collect::<Vec<_>>(), stages);
    assert_eq!(rows.len(), 2 * 10);
    for (index, row) in rows.iter().enumerate().filter(|(index, _)| index % 2 == 1) {
        let equal = if index == 9 { row[5] == "all 12 equal" } else { row[5] == "0.0e0" };
        assert!(equal, "{row:?}");
    }
    let rows = compared("cpu,cpu", &["--dtype", "f16"]);
    for (stage, largest, relative, cosine) in differences(&rows, "cpu f16") {
        assert!(relative < 0.05 && cosine > 0.999, "{stage}: {largest} {relative} {cosine}");
    }
    assert!(rows.iter().any(|row| row[2] == "cpu f16" && row[1] == "w2v-bert" && row[5] != "0.0e0"), "{rows:?}");
}

#[cfg(feature = "ndarray")]
#[test]
fn another_backend_is_near() {
    let rows = compared("cpu,ndarray", &[]);
    let differences = differences(&rows, "ndarray");
    assert_eq!(differences.len(), 10);
    for (stage, largest, relative, cosine) in differences {
        assert!(relative < 1e-3 && cosine > 0.999999, "{stage}: {largest} {relative} {cosine}");
    }
    let refused = indextts(&["-q", "say", "HI", "--model", text(model()), "--device", "ndarray", "--dtype", "f16"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("does not compute in f16"), "{stderr}");
    let refused = indextts(&["-q", "say", "HI", "--model", text(model()), "--device", "ndarray", "--quantize", "q8"]);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("few bits are for the CPU"), "{stderr}");
}

#[test]
fn an_unknown_device_is_refused_before_anything_is_loaded() {
    let output = indextts(&["-q", "compare", "--devices", "cpu,abacus", "--model", "/nowhere"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("abacus"), "{stderr}");
}

#[test]
fn the_cpu_needs_no_warming_up() {
    let output = lines(&indextts(&["-q", "warmup", "--device", "cpu", "--model", text(model())]));
    assert_eq!(output, ["cpu compiles nothing: there is nothing to warm up"]);
}
