//! `feat1.pt` and `feat2.pt`: bare tensors at the root of the pickle.
use crate::support::{Io, golden};
use indextts_import::{Vars, tables};

#[test]
fn bare_tensors_are_read() {
    let io = Io::open("e2e/io.safetensors");
    for (table, file) in [(tables::feat1(), "e2e/feat1.pt"), (tables::feat2(), "e2e/feat2.pt")] {
        let tensors = indextts_import::convert(&table.unwrap(), &Vars::default(), &golden(file)).unwrap();
        assert_eq!(tensors.len(), 1);
        println!("{file}: {} {:?}", tensors[0].name, tensors[0].shape);
        assert_eq!(tensors[0].shape.len(), 2);
        assert!(tensors[0].to_bytes().unwrap().len() == tensors[0].shape.iter().product::<usize>() * 4);
    }
    assert!(io.has("text_ids"));
}
