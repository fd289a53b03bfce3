//! Keys and values of the tokens decoded so far, kept outside the module that makes them.
use burn::tensor::{DType, Int, Tensor, TensorData};

/// Rows by which the cache grows.
const BUCKET: usize = 256;

/// One [`LayerCache`] per layer, all of the same length.
#[derive(Debug, Clone, Default)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    /// Rows from the start that are the same in every sequence: a reordering leaves them alone.
    shared: usize,
}

impl KvCache {
    /// An empty cache; memory is taken when the first rows arrive.
    pub fn new(layers: usize) -> Self {
        Self { layers: (0..layers).map(|_| LayerCache::default()).collect(), shared: 0 }
    }

    /// With rows kept in `dtype`, if not in the type they come in; before the first rows arrive.
    pub fn kept_as(mut self, dtype: Option<DType>) -> Self {
        self.layers.iter_mut().for_each(|layer| layer.dtype = dtype);
        self
    }

    /// Tokens held per sequence.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    /// Whether nothing has been stored yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The caches in layer order.
    pub fn layers_mut(&mut self) -> impl Iterator<Item = &mut LayerCache> {
        self.layers.iter_mut()
    }

    /// Copies the single sequence held into `sequences` equal ones (a prompt into the beams that continue it).
    pub fn expand(&mut self, sequences: usize) {
        self.shared = self.len();
        if sequences > 1 {
            for layer in &mut self.layers {
                layer.map(|rows| rows.repeat_dim(0, sequences));
            }
        }
    }

    /// Sequence `i` continues what was sequence `sources[i]`. Copies only sequences that change, and only the rows that
    /// can differ.
    pub fn reorder(&mut self, sources: &[usize]) {
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

/// Keys and values of one layer: `[sequences, heads, capacity, size]`, of which the first `len` rows are filled.
#[derive(Debug, Clone, Default)]
pub struct LayerCache {
    keys: Option<Tensor<4>>,
    values: Option<Tensor<4>>,
    len: usize,
    /// In which rows are kept, if not in the type they come in.
    dtype: Option<DType>,
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
    use burn::tensor::Device;

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
        cache.expand(3);
        held(&mut cache, &[10.0, 20.0, 30.0], 3);
        cache.reorder(&[2, 0, 2]);
        let all = held(&mut cache, &[11.0, 21.0, 31.0], 3);
        assert_eq!(all, [1.0, 2.0, 30.0, 11.0, 1.0, 2.0, 10.0, 21.0, 1.0, 2.0, 30.0, 31.0]);
        cache.reorder(&[0, 1, 2]);
        assert_eq!(held(&mut cache, &[0.0; 3], 3).len(), 15);
    }
}
