//! Keys and values of the tokens decoded so far, kept outside the module that makes them.
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::kernels::{CachedRows, RowTables, on_cpu};
use crate::nn::attention::{attend_cached, merge_heads, split_qkv};

/// Rows by which the cache grows.
const BUCKET: usize = 256;

/// One [`LayerCache`] per layer, all of the same length.
#[derive(Debug, Clone, Default)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    /// Rows from the start that are the same in every sequence: a reordering leaves them alone.
    shared: usize,
    /// On the CPU, once there are sequences to decode: layers then keep rows that sequences share.
    tables: Option<RowTables>,
}

impl KvCache {
    /// An empty cache; memory is taken when the first rows arrive.
    pub fn new(layers: usize) -> Self {
        Self { layers: (0..layers).map(|_| LayerCache::default()).collect(), shared: 0, tables: None }
    }

    /// With rows kept in `dtype`, if not in the type they come in; before the first rows arrive.
    pub fn kept_as(mut self, dtype: Option<DType>) -> Self {
        self.layers.iter_mut().for_each(|layer| layer.dtype = dtype);
        self
    }

    /// Tokens held per sequence.
    pub fn len(&self) -> usize {
        match &self.tables {
            Some(tables) => tables.rows(),
            None => self.layers.first().map_or(0, |layer| layer.len),
        }
    }

    /// Whether nothing has been stored yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The caches in layer order.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = &mut LayerCache> {
        self.layers.iter_mut()
    }

    /// Makes `sequences` equal ones of the single sequence held (of a prompt the beams that continue it).
    pub fn expand(&mut self, sequences: usize) {
        let held = self.layers.first().and_then(|layer| layer.keys.as_ref());
        if held.is_some_and(|keys| on_cpu(&keys.device())) {
            self.tables = Some(RowTables::new(sequences, self.len()));
            self.layers.iter_mut().for_each(LayerCache::share_rows);
        } else {
            self.copy(sequences);
        }
    }

    fn copy(&mut self, sequences: usize) {
        self.shared = self.len();
        if sequences > 1 {
            for layer in &mut self.layers {
                layer.map(|rows| rows.repeat_dim(0, sequences));
            }
        }
    }

    /// Makes room for one more token of every sequence: the caches in layer order, each to be attended to once.
    pub fn step(&mut self) -> impl Iterator<Item = StepCache<'_>> {
        if let Some(tables) = &mut self.tables {
            tables.push();
        }
        let tables = self.tables.as_ref();
        self.layers.iter_mut().map(move |layer| StepCache { layer, tables })
    }

    /// Sequence `i` continues what was sequence `sources[i]`. Copies only sequences that change, and only the rows that
    /// can differ.
    pub fn reorder(&mut self, sources: &[usize]) {
        if let Some(tables) = &mut self.tables {
            return tables.reorder(sources);
        }
        let moved: Vec<(usize, usize)> = sources.iter().copied().enumerate().filter(|(to, from)| to != from).collect();
        let rows = self.shared..self.len();
        if moved.is_empty() || rows.is_empty() {
            return;
        }
        let from: Vec<i64> = moved.iter().map(|&(_, from)| from as i64).collect();
        let mut index: Option<Tensor<1, Int>> = None;
        for layer in &mut self.layers {
            layer.map(|cached| {
                let [_, heads, _, size] = cached.dims();
                let from = index
                    .get_or_insert_with(|| Tensor::from_data(TensorData::from(from.as_slice()), &cached.device()))
                    .clone();
                // The view is gone once the rows are picked, so the assignments below write in place.
                let picked = cached.clone().slice([0..sources.len(), 0..heads, rows.clone(), 0..size]).select(0, from);
                moved.iter().enumerate().fold(cached, |cached, (i, &(to, _))| {
                    let row = picked.clone().narrow(0, i, 1);
                    cached.slice_assign([to..to + 1, 0..heads, rows.clone(), 0..size], row)
                })
            });
        }
    }
}

/// A layer's cache during one step.
#[derive(Debug)]
pub struct StepCache<'a> {
    layer: &'a mut LayerCache,
    tables: Option<&'a RowTables>,
}

impl StepCache<'_> {
    /// Stores the new token's keys and values and attends to all: `qkv` `[sequences, 1, 3 * dim]` ->
    /// `[sequences, 1, dim]`.
    pub fn attend(&mut self, qkv: Tensor<3>, heads: usize) -> Tensor<3> {
        if let (Some(rows), Some(tables)) = (&mut self.layer.rows, self.tables) {
            return rows.attend(qkv.squeeze_dim(1), tables).unsqueeze_dim(1);
        }
        let [query, key, value] = split_qkv(qkv, heads);
        let (keys, values) = self.layer.append(key, value);
        merge_heads(attend_cached(query, keys, values))
    }
}

/// Keys and values of one layer: `[sequences, heads, capacity, size]`, of which the first `len` rows are filled.
#[derive(Debug, Clone, Default)]
pub struct LayerCache {
    keys: Option<Tensor<4>>,
    values: Option<Tensor<4>>,
    len: usize,
    /// In which rows are kept, if not in the type they come in.
    dtype: Option<DType>,
    /// Takes the place of the tensors.
    rows: Option<CachedRows>,
}

impl LayerCache {
    /// Whether nothing has been stored yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Stores the rows `[sequences, heads, time, size]` behind those held; returns views of all keys and values.
    pub fn append(&mut self, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let len = self.len + keys.dims()[2];
        let [keys, values] = [keys, values].map(|rows| match self.dtype {
            Some(dtype) => rows.cast(dtype),
            None => rows,
        });
        let keys = store(&mut self.keys, self.len, len, keys);
        let values = store(&mut self.values, self.len, len, values);
        self.len = len;
        (keys, values)
    }

    /// Hands the rows of the single sequence held to the host.
    fn share_rows(&mut self) {
        if let (Some(keys), Some(values)) = (self.keys.take(), self.values.take()) {
            let filled = |x: Tensor<4>| x.narrow(2, 0, self.len);
            self.rows = Some(CachedRows::new(filled(keys), filled(values)));
        }
    }

    fn map(&mut self, mut f: impl FnMut(Tensor<4>) -> Tensor<4>) {
        self.keys = self.keys.take().map(&mut f);
        self.values = self.values.take().map(&mut f);
    }
}

/// Writes `rows` at `start..end` of `slot` and returns a view of `0..end`.
fn store(slot: &mut Option<Tensor<4>>, start: usize, end: usize, rows: Tensor<4>) -> Tensor<4> {
    let [sequences, heads, _, size] = rows.dims();
    let (device, dtype) = (rows.device(), rows.dtype());
    let fresh = || Tensor::zeros([sequences, heads, end.next_multiple_of(BUCKET), size], (&device, dtype));
    // Moved out of the slot: a second reference would make the assignment copy the whole buffer.
    let held = match slot.take() {
        // On the CPU a prompt's rows are moved on before any follow.
        None if on_cpu(&device) => return slot.insert(rows).clone(),
        None => fresh(),
        Some(held) if held.dims()[2] < end => {
            let filled = [0..sequences, 0..heads, 0..start, 0..size];
            fresh().slice_assign(filled.clone(), held.slice(filled))
        }
        Some(held) => held,
    };
    let held = held.slice_assign([0..sequences, 0..heads, start..end, 0..size], rows);
    slot.insert(held).clone().slice([0..sequences, 0..heads, 0..end, 0..size])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    fn rows(values: &[f32], sequences: usize) -> Tensor<4> {
        let time = values.len() / sequences;
        Tensor::from_data(TensorData::new(values.to_vec(), [sequences, 1, time, 1]), &Device::flex())
    }

    fn held(cache: &mut KvCache, values: &[f32], sequences: usize) -> Vec<f32> {
        let (keys, _) = cache.layers[0].append(rows(values, sequences), rows(values, sequences));
        keys.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn grows_without_losing_rows() {
        let mut cache = KvCache::new(1);
        let values: Vec<f32> = (0..BUCKET + 3).map(|v| v as f32).collect();
        assert_eq!(held(&mut cache, &values[..BUCKET - 1], 1).len(), BUCKET - 1);
        for i in BUCKET - 1..values.len() {
            assert_eq!(held(&mut cache, &values[i..=i], 1), values[..=i]);
        }
        assert_eq!(cache.len(), values.len());
    }

    #[test]
    fn reorders_generated_rows_only() {
        let mut cache = KvCache::new(1);
        held(&mut cache, &[1.0, 2.0], 1);
        cache.copy(3);
        held(&mut cache, &[10.0, 20.0, 30.0], 3);
        cache.reorder(&[2, 0, 2]);
        let all = held(&mut cache, &[11.0, 21.0, 31.0], 3);
        assert_eq!(all, [1.0, 2.0, 30.0, 11.0, 1.0, 2.0, 10.0, 21.0, 1.0, 2.0, 30.0, 31.0]);
        cache.reorder(&[0, 1, 2]);
        assert_eq!(held(&mut cache, &[0.0; 3], 3).len(), 15);
    }

    #[test]
    fn shared_rows_equal_copied_ones() {
        let (device, heads, size, sequences, rows) = (Device::flex(), 3, 20, 3, 250);
        let random = |dims| Tensor::<4>::random(dims, Distribution::Normal(0.0, 1.0), &device);
        let prompt = [0, 1].map(|_| random([1, heads, rows, size]));
        let [mut shared, mut copied] = [0, 1].map(|_| {
            let mut cache = KvCache::new(1);
            cache.layers[0].append(prompt[0].clone(), prompt[1].clone());
            cache
        });
        shared.expand(sequences);
        copied.copy(sequences);
        assert!(shared.layers[0].rows.is_some() && copied.layers[0].rows.is_none());
        // Enough steps to free rows, use them again, and grow.
        for step in 0..20 {
            let qkv = random([1, 1, sequences, 3 * heads * size]).reshape([sequences, 1, 3 * heads * size]);
            let attend = |cache: &mut KvCache| cache.step().map(|mut c| c.attend(qkv.clone(), heads)).next();
            let (got, expected) = (attend(&mut shared).unwrap(), attend(&mut copied).unwrap());
            let worst: f32 = (got - expected).abs().max().into_scalar();
            assert!(worst < 1e-5, "step {step}: {worst}");
            let sources = [[0, 1, 2], [0, 0, 1], [2, 1, 1], [1, 0, 2], [2, 2, 2]][step % 5];
            shared.reorder(&sources);
            copied.reorder(&sources);
            assert_eq!(shared.len(), copied.len());
        }
    }
}
