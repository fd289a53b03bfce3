//! Errors as JavaScript sees them.
use indextts::Error;
use wasm_bindgen::JsValue;

/// An `Error` of JavaScript with the library's message. Its name is `InputError` where only the user can help, whatever
/// computes.
pub struct Failure(js_sys::Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = js_sys::Error::new(&error.to_string());
        if matches!(error, Error::Input { .. } | Error::Audio { .. }) {
            failure.set_name("InputError");
        }
        Self(failure)
    }
}

impl From<js_sys::Error> for Failure {
    fn from(error: js_sys::Error) -> Self {
        Self(error)
    }
}

impl From<js_sys::RangeError> for Failure {
    fn from(error: js_sys::RangeError) -> Self {
        Self(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(js_sys::Error::new(&error.to_string()))
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        failure.0.into()
    }
}
