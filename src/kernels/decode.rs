//! Keys and values on the host, in rows that sequences share, for decoding on the CPU.
//!
//! A row is stored once, whichever and however many sequences have it: reordering beams copies lists of row numbers, not
//! rows, and what beams have in common is read from memory once.
use burn::tensor::{Tensor, TensorData};

use super::cpu::decode::{Rows, attend};

/// Rows by which a layer's memory grows.
const BUCKET: usize = 256;

/// Which rows each sequence has, the same for all layers.
#[derive(Debug, Clone)]
pub struct RowTables {
    /// Of each sequence, oldest first.
    tables: Vec<Vec<u32>>,
    /// Rows below `count` that no sequence has any more.
    free: Vec<u32>,
    count: u32,
}

impl RowTables {
    /// `sequences` of them, each with the same first `rows` rows.
    pub fn new(sequences: usize, rows: usize) -> Self {
        let shared: Vec<u32> = (0..rows as u32).collect();
        Self { tables: vec![shared; sequences], free: Vec::new(), count: rows as u32 }
    }

    /// Rows of each sequence.
    pub fn rows(&self) -> usize {
        self.tables.first().map_or(0, Vec::len)
    }

    /// A row of its own for the next token of every sequence.
    pub fn push(&mut self) {
        for table in &mut self.tables {
            table.push(self.free.pop().unwrap_or_else(|| {
                self.count += 1;
                self.count - 1
            }));
        }
    }

    /// Sequence `i` continues what was sequence `sources[i]`.
    pub fn reorder(&mut self, sources: &[usize]) {
        if sources.iter().enumerate().all(|(to, from)| to == *from) && sources.len() == self.tables.len() {
            return;
        }
        self.tables = sources.iter().map(|source| self.tables[*source].clone()).collect();
        let mut used = vec![false; self.count as usize];
        self.tables.iter().flatten().for_each(|row| used[*row as usize] = true);
        self.free = (0..self.count).filter(|row| !used[*row as usize]).collect();
    }
}

/// Keys and values of one layer, `[heads, capacity, size]` each: a head's rows lie together, as they are read.
#[derive(Debug, Clone)]
pub struct CachedRows {
    keys: Vec<f32>,
    values: Vec<f32>,
    heads: usize,
    capacity: usize,
    size: usize,
}

impl CachedRows {
    /// The first rows: keys and values `[1, heads, rows, size]`.
    pub fn new(keys: Tensor<4>, values: Tensor<4>) -> Self {
        let [_, heads, rows, size] = keys.dims();
        let capacity = (rows + 1).next_multiple_of(BUCKET);
        let host = |x: Tensor<4>| {
            let x = x.into_data();
            let shape = [heads, rows, capacity, size];
            match x.as_slice::<f32>() {
                Ok(values) => spread(values, shape),
                Err(_) => spread(&x.iter().collect::<Vec<f32>>(), shape),
            }
        };
        Self { keys: host(keys), values: host(values), heads, capacity, size }
    }

    /// Stores the newest token of every sequence in the last of its rows, and attends to all of them.
    ///
    /// `qkv` `[sequences, 3 * heads * size]`: queries, keys and values -> `[sequences, heads * size]`.
    pub fn attend(&mut self, qkv: Tensor<2>, tables: &RowTables) -> Tensor<2> {
        let (device, [sequences, stride]) = (qkv.device(), qkv.dims());
        assert_eq!(sequences, tables.tables.len(), "cached rows: other sequences than those held");
        let (heads, size) = (self.heads, self.size);
        assert_eq!(stride, 3 * heads * size, "cached rows: queries, keys and values of another size");
        self.reserve(tables.count as usize);
        let qkv = qkv.into_data();
        let qkv: std::borrow::Cow<'_, [f32]> = match qkv.as_slice::<f32>() {
            Ok(values) => values.into(),
            Err(_) => qkv.iter::<f32>().collect::<Vec<_>>().into(),
        };
        for (table, row) in tables.tables.iter().zip(qkv.chunks_exact(stride)) {
            let at = table.last().map_or(0, |row| *row as usize);
            let (_, rest) = row.split_at(heads * size);
            let (keys, values) = rest.split_at(heads * size);
            for (to, from) in [(&mut self.keys, keys), (&mut self.values, values)] {
                for (head, from) in from.chunks_exact(size).enumerate() {
                    to[(head * self.capacity + at) * size..][..size].copy_from_slice(from);
                }
            }
        }
        let rows = |data| Rows { data, capacity: self.capacity, size };
        let out = attend(&qkv, stride, rows(&self.keys), rows(&self.values), &tables.tables, heads);
        Tensor::from_data(TensorData::new(out, [sequences, heads * size]), &device)
    }

    fn reserve(&mut self, rows: usize) {
        if rows > self.capacity {
            let capacity = rows.next_multiple_of(BUCKET);
            for held in [&mut self.keys, &mut self.values] {
                *held = spread(held, [self.heads, self.capacity, capacity, self.size]);
            }
            self.capacity = capacity;
        }
    }
}

/// `[heads, rows, size]` to `[heads, capacity, size]`.
fn spread(x: &[f32], [heads, rows, capacity, size]: [usize; 4]) -> Vec<f32> {
    let mut wide = vec![0.0; heads * capacity * size];
    if rows * size > 0 {
        for (to, from) in wide.chunks_exact_mut(capacity * size).zip(x.chunks_exact(rows * size)) {
            to[..rows * size].copy_from_slice(from);
        }
    }
    wide
}
