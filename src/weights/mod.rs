//! Strict loading of canonical weight files (burnpack) into modules.
//!
//! A file must hold exactly the parameters of its module, each with exactly its shape: missing, unused and mis-shaped
//! tensors are all collected and reported together. Nothing is ever filled in.
mod manifest;
mod mapped;
mod stored;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burn_pack::{Bytes, Reader, Tensor as PackTensor};

use crate::kernels::{Bits, WeightType, in_one_row, on_cpu};
use crate::nn::linear::{LINEAR, StoredBits};
use crate::{Error, ModelFiles, Result};
use mapped::Mapped;
use stored::{Stored, collect};

pub use manifest::{FileEntry, Manifest, Origin, WeightSummary};

/// Loads `path` into `module`, whose parameters are still lazy and therefore cost nothing.
///
/// The file is read completely: later changes to it do not reach the module. Weights in fewer bits are widened to f32, those
/// in panels put into rows.
pub fn load<M: Module>(module: M, path: &Path) -> Result<M> {
    let tensors = Reader::from_file_exact(path).and_then(Reader::into_tensors).map_err(|e| unreadable(path, &e))?;
    apply(module, tensors).map_err(|problems| Error::Weights { path: path.to_path_buf(), problems })
}

/// As [`load`], from a model's files, which may be in memory.
pub fn load_file<M: Module>(module: M, files: &ModelFiles, name: &str) -> Result<M> {
    WeightFile::open(files, name)?.load(module, |module| module)
}

/// A weight file of which only the header has been read.
pub struct WeightFile {
    path: PathBuf,
    tensors: Vec<PackTensor>,
    copied: bool,
}

/// How the weights of linear layers are asked for on the CPU.
enum Linears {
    Rows,
    Packed { kept: WeightType, mapped: Option<Mapped> },
    FewBits { mapped: Option<Mapped> },
}

impl WeightFile {
    pub fn open(files: &ModelFiles, name: &str) -> Result<Self> {
        let path = files.path(name);
        let reader = match files {
            ModelFiles::Directory(_) => Reader::from_file_exact(&path),
            // The reader shares what it is given; parameters are widened from it one by one.
            ModelFiles::Memory { .. } => {
                Reader::from_bytes(Bytes::from_bytes_vec(files.read(name, u64::MAX)?.into_owned()))
            }
        };
        let tensors = reader.and_then(Reader::into_tensors).map_err(|e| unreadable(&path, &e))?;
        Ok(Self { path, tensors, copied: false })
    }

    /// The fewest bits in which weights are stored, if some are in few.
    pub fn bits(&self) -> Option<Bits> {
        // What hears has eight bits beside layers of four.
        self.tensors
            .iter()
            .filter_map(|tensor| Some(stored::few_bits(tensor)?.0))
            .min_by_key(|bits| *bits == Bits::Eight)
    }

    /// Whether weights are copied that could be used where the file lies.
    pub fn copied(self, copied: bool) -> Self {
        Self { copied, ..self }
    }

    fn mapped(&self) -> Option<Mapped> {
        if self.copied { None } else { Mapped::open(&self.path) }
    }

    /// As [`load`], brought into another form by `form`, which gets a module whose parameters are read one by one as they
    /// are asked for: a form of fewer bits is never in memory together with the whole of the plain one.
    pub fn load<M: Module, N: Module>(self, module: M, form: impl FnOnce(M) -> N) -> Result<N> {
        self.load_as(module, Linears::Rows, |module, _| form(module))
    }

    /// As [`load`](Self::load), for a form that [packs](crate::nn::linear::pack) as `kept`. Weights of linear layers that lie in
    /// panels stay so on the CPU, and those that lie in the file as they are kept stay there, if they are not
    /// [copied](Self::copied): nobody may then write into the file as long as the module lives, though it may be replaced by
    /// another.
    pub fn load_packed<M: Module, N: Module>(
        self,
        module: M,
        kept: WeightType,
        form: impl FnOnce(M) -> N,
    ) -> Result<N> {
        let mapped = self.mapped();
        self.load_as(module, Linears::Packed { kept, mapped }, |module, _| form(module))
    }

    /// As [`load`](Self::load), for a form whose linear layers are in few bits: it gets the weights that are stored so, which
    /// stay in the file as those of [`load_packed`](Self::load_packed).
    pub fn load_quantized<M: Module, N: Module>(self, module: M, form: impl FnOnce(M, &StoredBits) -> N) -> Result<N> {
        let mapped = self.mapped();
        self.load_as(module, Linears::FewBits { mapped }, form)
    }

    fn load_as<M: Module, N: Module>(
        self,
        module: M,
        linears: Linears,
        form: impl FnOnce(M, &StoredBits) -> N,
    ) -> Result<N> {
        let Self { path, tensors, .. } = self;
        apply_as(module, tensors, linears, form).map_err(|problems| Error::Weights { path, problems })
    }
}

fn unreadable(path: &Path, e: &burn_pack::Error) -> Error {
    Error::Format {
        path: path.to_path_buf(),
        what: format!("not a readable burnpack file ({e})"),
        hint: "run `indextts models verify`, or import the model again".into(),
    }
}

/// Puts `tensors` into `module`; on any mismatch returns every problem found and no module.
pub fn apply<M: Module>(module: M, tensors: Vec<PackTensor>) -> Result<M, Vec<String>> {
    apply_as(module, tensors, Linears::Rows, |module, _| module)
}

fn apply_as<M: Module, N: Module>(
    module: M,
    tensors: Vec<PackTensor>,
    linears: Linears,
    form: impl FnOnce(M, &StoredBits) -> N,
) -> Result<N, Vec<String>> {
    let expected = schema(&module);
    let (stored, mut problems) = collect(tensors);
    problems.extend(mismatches(&expected, &stored));
    if !problems.is_empty() {
        return Err(problems);
    }
    let failures = Failures::default();
    let stored = stored.into_iter().map(|tensor| (tensor.name().to_string(), tensor)).collect();
    let mut filler = Filler {
        stored,
        linears: Arc::new(linears),
        few_bits: StoredBits::new(),
        path: Vec::new(),
        linear: Vec::new(),
        failures: failures.clone(),
    };
    let module = module.map(&mut filler);
    let module = form(module, &filler.few_bits);
    // What `form` has not asked for is read now, not in the middle of a synthesis.
    module.visit(&mut Reading);
    let failures = std::mem::take(&mut *failures.lock().unwrap_or_else(PoisonError::into_inner));
    if failures.is_empty() { Ok(module) } else { Err(failures) }
}

/// Parameters that could not be read, noted where nothing can be returned.
type Failures = Arc<Mutex<Vec<String>>>;

/// Makes every parameter one that is read from its file when it is first asked for.
struct Filler {
    stored: HashMap<String, Stored>,
    linears: Arc<Linears>,
    few_bits: StoredBits,
    path: Vec<String>,
    /// Of the path, whether it is in a linear layer.
    linear: Vec<bool>,
    failures: Failures,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_string());
        self.linear.push(container_type == LINEAR);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.linear.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // All names have been compared with those of the module.
        let Some(stored) = self.stored.remove(&self.path.join(".")) else { return param };
        let (device, shape, failures) = (param.lazy_device(), param.lazy_shape(), self.failures.clone());
        let note = move |name: &str, what: String| {
            failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{name}: {what}"));
        };
        let in_linear = self.linear.last().is_some_and(|linear| *linear) && on_cpu(&device);
        if let (true, Linears::FewBits { mapped }) = (in_linear, &*self.linears)
            && let Some(weight) = stored.few_bits(&shape, mapped.as_ref())
        {
            match weight {
                Ok(weight) => {
                    self.few_bits.insert(param.id, Arc::new(weight));
                }
                Err(what) => note(stored.name(), what),
            }
        }
        let (linears, of_file) = (self.linears.clone(), shape.clone());
        let read = move |device: &Device, _: bool| {
            let panels = match &*linears {
                Linears::Packed { kept, mapped } if in_linear => stored.panels(*kept, mapped.as_ref()),
                _ => None,
            };
            let tensor = match panels {
                Some(panels) => panels.map(|panels| in_one_row(panels, device)),
                None => stored.floats(of_file.clone()).map(|values| Tensor::from_data(values, device)),
            };
            tensor.unwrap_or_else(|what| {
                note(stored.name(), what);
                // Is thrown away with the module.
                Tensor::zeros(of_file, device)
            })
        };
        Param::uninitialized(param.id, read, device, false, shape)
    }
}

/// Reads every parameter that has not been read yet.
struct Reading;

impl ModuleVisitor for Reading {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

/// Name and shape of every parameter of `module`, without allocating any of them.
pub fn schema<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.found
}

/// Collects shapes only. (`burn-store`'s collector would initialise every parameter with random numbers first.)
#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    found: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.lazy_shape().to_vec());
    }
}

fn mismatches(expected: &BTreeMap<String, Vec<usize>>, stored: &[Stored]) -> Vec<String> {
    let mut problems = Vec::new();
    for tensor in stored {
        let (name, shape) = (tensor.name(), tensor.shape());
        match expected.get(name) {
            None => problems.push(format!("not part of the model: {name} {shape:?}")),
            Some(expected) if !tensor.fits(expected) => {
                problems.push(format!("wrong shape: {name}: expected {expected:?}, got {shape:?}"))
            }
            Some(_) => {}
        }
    }
    let names: HashSet<&str> = stored.iter().map(Stored::name).collect();
    let missing = expected.iter().filter(|(name, _)| !names.contains(name.as_str()));
    problems.extend(missing.map(|(name, shape)| format!("missing: {name} {shape:?}")));
    problems
}

#[cfg(test)]
mod tests {
    use burn::nn::Initializer;
    use burn::tensor::DType;
    use burn_pack::Writer;
    use half::f16;
    use indextts_import::Quantize;

    use super::*;
    use crate::nn::linear::{FewBits, Linear, LinearConfig, pack};

    const INPUTS: usize = 5;
    const OUTPUTS: usize = 50;

    #[derive(Module, Debug)]
    struct Model {
        layer: Linear,
        table: Param<Tensor<2>>,
    }

    fn model(device: &Device) -> Model {
        let layer = LinearConfig::new(INPUTS, OUTPUTS).with_bias(false).init(device);
        Model { layer, table: Initializer::Zeros.init([INPUTS, OUTPUTS], device) }
    }

    /// The weight's value, exact in half precision.
    fn value(input: usize, output: usize) -> f32 {
        f16::from_f32(8.0 * (0.7 * (input * OUTPUTS + output) as f32).sin()).to_f32()
    }

    fn tensor(name: &str, dtype: DType, shape: &[usize], value: impl Fn(usize) -> f32) -> PackTensor {
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        let bytes = match dtype {
            DType::F16 => Bytes::from_elems(values.into_iter().map(f16::from_f32).collect()),
            _ => Bytes::from_elems(values),
        };
        PackTensor::new(name.into(), dtype, shape.to_vec(), None, bytes)
    }

    fn table() -> PackTensor {
        tensor("table", DType::F32, &[INPUTS, OUTPUTS], |at| at as f32)
    }

    fn rows(path: &Path, dtype: DType) {
        let weight = tensor("layer.weight", dtype, &[INPUTS, OUTPUTS], |at| value(at / OUTPUTS, at % OUTPUTS));
        Writer::new(vec![weight, table()]).overwrite(true).write_to_file(path).unwrap();
    }

    fn panels(path: &Path, dtype: DType, inputs: usize) {
        let weight = tensor("layer.weight.panels", dtype, &[2, inputs, 48], |at| {
            match (at / 48 % inputs, at / 48 / inputs * 48 + at % 48) {
                (_, output) if output >= OUTPUTS => 0.0,
                (input, output) => value(input, output),
            }
        });
        Writer::new(vec![weight, table()]).overwrite(true).write_to_file(path).unwrap();
    }

    fn output(model: &Model) -> Vec<f32> {
        let x = Tensor::<1>::from_floats([1.0, -0.5, 2.0, 0.25, 3.0], &model.layer.device()).reshape([1, INPUTS]);
        model.layer.forward(x).into_data().iter().collect()
    }

    #[test]
    fn panels_are_what_packing_makes_of_rows() {
        let directory = tempfile::tempdir().unwrap();
        let [in_rows, in_panels] = ["rows.bpk", "panels.bpk"].map(|name| directory.path().join(name));
        let files = ModelFiles::from(directory.path());
        let device = Device::flex();
        for stored in [DType::F32, DType::F16] {
            for kept in [WeightType::F32, WeightType::F16, WeightType::Bf16] {
                rows(&in_rows, stored);
                panels(&in_panels, stored, INPUTS);
                let open = |name| WeightFile::open(&files, name).unwrap();
                let plain = open("rows.bpk").load(model(&device), |model| pack(model, kept, &device)).unwrap();
                let form = |model| pack(model, kept, &device);
                let packed = open("panels.bpk").load_packed(model(&device), kept, form).unwrap();
                let copied = open("panels.bpk").copied(true).load_packed(model(&device), kept, form).unwrap();
                let unpacked = open("panels.bpk").load(model(&device), form).unwrap();
                assert_eq!(output(&packed), output(&plain), "{stored:?} kept as {kept:?}");
                assert_eq!(output(&copied), output(&plain), "{stored:?} kept as {kept:?}");
                assert_eq!(output(&unpacked), output(&plain), "{stored:?} kept as {kept:?}");
                let of_table: Vec<f32> = packed.table.val().into_data().iter().collect();
                assert_eq!(of_table, plain.table.val().into_data().iter().collect::<Vec<f32>>());
                // Another file in its place is not the one in use.
                let before = output(&packed);
                std::fs::remove_file(&in_panels).unwrap();
                rows(&in_panels, DType::F16);
                assert_eq!(output(&packed), before);
                drop(packed);
                // What is copied may even be written into.
                std::fs::write(&in_panels, []).unwrap();
                assert_eq!(output(&copied), before);
            }
        }
    }

    /// By the importer, which rounds by its own code.
    fn few_bits(path: &Path, quantize: Quantize) {
        let weight: Vec<f32> = (0..INPUTS * OUTPUTS).map(|at| value(at / OUTPUTS, at % OUTPUTS)).collect();
        let (values, scales) = quantize.round(&weight, INPUTS, OUTPUTS);
        let [of_values, of_scales] = quantize.shapes(INPUTS, OUTPUTS).map(|shape| shape.to_vec());
        let name = format!("layer.weight.{}", quantize.name());
        let values = PackTensor::new(name, DType::U8, of_values, None, Bytes::from_elems(values));
        let scales =
            PackTensor::new("layer.weight.scales".into(), DType::F16, of_scales, None, Bytes::from_elems(scales));
        Writer::new(vec![values, scales, table()]).overwrite(true).write_to_file(path).unwrap();
    }

    #[test]
    fn few_bits_in_a_file_are_those_that_loading_rounds_to() {
        let directory = tempfile::tempdir().unwrap();
        let [in_rows, in_few] = ["rows.bpk", "few.bpk"].map(|name| directory.path().join(name));
        rows(&in_rows, DType::F32);
        let files = ModelFiles::from(directory.path());
        let device = Device::flex();
        let open = |name| WeightFile::open(&files, name).unwrap();
        for (quantize, bits) in [(Quantize::Q8, Bits::Eight), (Quantize::Q4, Bits::Four)] {
            few_bits(&in_few, quantize);
            assert_eq!(open("few.bpk").bits(), Some(bits));
            let form = |model: Model, stored: &StoredBits| {
                let count = stored.len();
                (Model { layer: model.layer.quantize(FewBits::new(bits, stored)), ..model }, count)
            };
            let (rounded, none) = open("rows.bpk").load_quantized(model(&device), form).unwrap();
            let (stored, one) = open("few.bpk").load_quantized(model(&device), form).unwrap();
            let (copied, _) = open("few.bpk").copied(true).load_quantized(model(&device), form).unwrap();
            assert_eq!(output(&copied), output(&stored), "{bits:?}");
            assert_eq!([none, one], [0, 1]);
            assert_eq!(output(&stored), output(&rounded), "{bits:?}");
            // And in rows, for devices that compute in more bits.
            let restored = open("few.bpk").load(model(&device), |model| model).unwrap();
            let (again, _) = open("few.bpk")
                .load_quantized(model(&device), |model, _| {
                    (Model { layer: model.layer.quantize(FewBits::new(bits, &StoredBits::new())), ..model }, 0)
                })
                .unwrap();
            assert_eq!(output(&again), output(&stored), "{bits:?}");
            for (got, expected) in output(&restored).into_iter().zip(output(&stored)) {
                // The rows of x are rounded to eight bits there, too: half a step of 3 / 127 for each of 5 inputs.
                assert!((got - expected).abs() < 5.0 * 8.0 * 1.5 / 127.0, "{bits:?}: {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn panels_of_another_shape_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        panels(&directory.path().join("panels.bpk"), DType::F32, INPUTS + 1);
        let files = ModelFiles::from(directory.path());
        let file = WeightFile::open(&files, "panels.bpk").unwrap();
        let error = file.load_packed(model(&Device::flex()), WeightType::F32, |model| model).unwrap_err();
        let Error::Weights { problems, .. } = error else { panic!("expected a list of problems, got {error}") };
        assert_eq!(problems, ["wrong shape: layer.weight: expected [5, 50], got [2, 6, 48]"]);
    }

    /// Bytes changed anywhere, most of them in the header: an error or a model, and never a panic.
    #[test]
    fn damaged_files_are_refused_or_used() {
        let directory = tempfile::tempdir().unwrap();
        let [in_panels, in_few] = ["panels.bpk", "few.bpk"].map(|name| directory.path().join(name));
        panels(&in_panels, DType::F16, INPUTS);
        few_bits(&in_few, Quantize::Q8);
        let files = ModelFiles::from(directory.path());
        let device = Device::flex();
        for path in [&in_panels, &in_few] {
            let whole = std::fs::read(path).unwrap();
            for at in 0..512.min(whole.len()) {
                for flip in [0x01, 0x10, 0x80] {
                    let mut bytes = whole.clone();
                    bytes[at] ^= flip;
                    // Another file each time: what is in use is never written into.
                    std::fs::remove_file(path).unwrap();
                    std::fs::write(path, bytes).unwrap();
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let Ok(file) = WeightFile::open(&files, name) else { continue };
                    let run = |model: Model| drop(output(&model));
                    if path == &in_panels {
                        file.load_packed(model(&device), WeightType::F16, |model| model).ok().map(run);
                    } else {
                        let form = |model: Model, stored: &StoredBits| Model {
                            layer: model.layer.quantize(FewBits::new(Bits::Eight, stored)),
                            ..model
                        };
                        file.load_quantized(model(&device), form).ok().map(run);
                    }
                }
            }
        }
    }

    /// Every weight of a linear layer once: row by row, or in panels.
    #[test]
    fn a_weight_in_both_orders_is_refused() {
        let (stored, problems) = collect(vec![
            tensor("layer.weight", DType::F32, &[INPUTS, OUTPUTS], |_| 0.0),
            tensor("layer.weight.panels", DType::F32, &[2, INPUTS, 48], |_| 0.0),
        ]);
        assert_eq!(problems, ["stored twice: layer.weight"]);
        assert_eq!(stored.len(), 2);
    }

    /// Few bits without their scales, and under a name without them.
    #[test]
    fn few_bits_that_are_not_whole_say_what_is_missing() {
        let bytes =
            |name: &str| PackTensor::new(name.into(), DType::U8, vec![1, 1, 4], None, Bytes::from_elems(vec![0u8; 4]));
        let (_, problems) = collect(vec![bytes("a.weight.q8"), bytes("b.weight")]);
        assert_eq!(problems[0], "missing: a.weight.scales");
        assert!(problems[1].contains("b.weight.q8") && problems[1].contains("got U8"), "{}", problems[1]);
        assert_eq!(problems.len(), 2);
    }
}
