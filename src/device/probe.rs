//! Whether a device computes at all.
use std::panic::AssertUnwindSafe;

use burn::tensor::{Device, Tensor};

/// Computes something small on `device`: the first operation opens it, and what is wrong with its driver shows only
/// then, as a panic in the library that talks to it.
pub(super) fn opens(device: &Device) -> Result<(), String> {
    let device = device.clone();
    match caught(move || Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).mul_scalar(2.0).try_into_vec_as::<f32>())? {
        Ok(values) if values == [2.0, 4.0, 6.0] => Ok(()),
        Ok(values) => Err(format!("twice [1, 2, 3] is {values:?} there")),
        Err(error) => Err(one_line(&format!("{error:?}"))),
    }
}

/// What `f` returns, or the message of its panic, which is not printed.
pub(super) fn caught<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    // A thread of its own, by whose name the panic hook knows that the message will be reported.
    const NAME: &str = "device probe";
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() != Some(NAME) {
                before(info);
            }
        }));
    });
    let run = move || std::panic::catch_unwind(AssertUnwindSafe(f));
    let outcome = match std::thread::Builder::new().name(NAME.into()).spawn(run) {
        Ok(thread) => thread.join().and_then(|outcome| outcome),
        Err(error) => return Err(format!("no thread to try it on: {error}")),
    };
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        one_line(text.unwrap_or("it panicked"))
    })
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line() {
        assert_eq!(caught(|| 3), Ok(3));
        let panics = || -> u8 { panic!("no driver:\n  {} is missing", "libcuda.so") };
        assert_eq!(caught(panics), Err("no driver: libcuda.so is missing".into()));
        assert_eq!(caught(|| -> u8 { std::panic::panic_any(7u8) }), Err("it panicked".into()));
        assert!(one_line(&"word ".repeat(1000)).len() < 310);
    }

    #[test]
    fn the_cpu_opens() {
        assert_eq!(opens(&Device::flex()), Ok(()));
    }
}
