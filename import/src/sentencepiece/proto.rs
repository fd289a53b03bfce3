//! The fields of SentencePiece's `ModelProto` that matter, read from untrusted bytes.

/// `TrainerSpec.ModelType`.
pub const BPE: u64 = 2;
const UNIGRAM: u64 = 1;

/// `SentencePiece.Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

#[derive(Debug, Clone)]
pub struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: PieceKind,
}

impl Piece {
    /// Whether the piece can come from text.
    pub fn is_text(&self) -> bool {
        matches!(self.kind, PieceKind::Normal | PieceKind::UserDefined)
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    pub pieces: Vec<Piece>,
    pub model_type: u64,
    pub byte_fallback: bool,
    pub suffix_whitespace: bool,
    pub character_map: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespace: bool,
    pub escape_whitespace: bool,
}

/// Reads a serialised `ModelProto`.
pub fn read(bytes: &[u8]) -> Result<Model, String> {
    // Defaults of the schema.
    let mut model = Model {
        pieces: Vec::new(),
        model_type: UNIGRAM,
        byte_fallback: false,
        suffix_whitespace: false,
        character_map: Vec::new(),
        add_dummy_prefix: true,
        remove_extra_whitespace: true,
        escape_whitespace: true,
    };
    for field in Fields(bytes) {
        match field? {
            (1, Content::Bytes(piece)) => model.pieces.push(read_piece(piece)?),
            (2, Content::Bytes(trainer)) => {
                for field in Fields(trainer) {
                    match field? {
                        (3, Content::Number(n)) => model.model_type = n,
                        (24, Content::Number(n)) => model.suffix_whitespace = n != 0,
                        (35, Content::Number(n)) => model.byte_fallback = n != 0,
                        _ => {}
                    }
                }
            }
            (3, Content::Bytes(normalizer)) => {
                for field in Fields(normalizer) {
                    match field? {
                        (2, Content::Bytes(map)) => model.character_map = map.to_vec(),
                        (3, Content::Number(n)) => model.add_dummy_prefix = n != 0,
                        (4, Content::Number(n)) => model.remove_extra_whitespace = n != 0,
                        (5, Content::Number(n)) => model.escape_whitespace = n != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if model.pieces.is_empty() { Err("it holds no pieces".into()) } else { Ok(model) }
}

fn read_piece(bytes: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
    for field in Fields(bytes) {
        match field? {
            (1, Content::Bytes(text)) => {
                piece.text = String::from_utf8(text.to_vec()).map_err(|_| "a piece is not UTF-8")?;
            }
            (2, Content::Fixed32(bits)) => piece.score = f32::from_bits(bits),
            (3, Content::Number(kind)) => {
                piece.kind = match kind {
                    1 => PieceKind::Normal,
                    2 => PieceKind::Unknown,
                    3 => PieceKind::Control,
                    4 => PieceKind::UserDefined,
                    5 => PieceKind::Unused,
                    6 => PieceKind::Byte,
                    other => return Err(format!("a piece has the unknown type {other}")),
                }
            }
            _ => {}
        }
    }
    Ok(piece)
}

/// A field's content, by wire type.
enum Content<'a> {
    Number(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of a message, in order; an error ends the iteration.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Content<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "it is cut off or not a SentencePiece model".into()))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Content<'a>)> {
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Content::Fixed64
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, content))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }
}
