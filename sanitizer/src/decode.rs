//! Texts that are spelt otherwise than in UTF-8, with the way back: offsets in what was decoded become offsets in what was given.

/// How a document's text is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 or any other superset of ASCII, taken as bytes.
    Ascii,
    /// UTF-16, little-endian; the number is the length of its byte order mark.
    Utf16Le(usize),
    /// UTF-16, big-endian; the number is the length of its byte order mark.
    Utf16Be(usize),
}

impl Encoding {
    /// Tells by the byte order mark, or by zeros at every other place.
    pub fn detect(bytes: &[u8]) -> Self {
        match bytes {
            [0xFF, 0xFE, ..] => return Self::Utf16Le(2),
            [0xFE, 0xFF, ..] => return Self::Utf16Be(2),
            _ => {}
        }
        let head = &bytes[..bytes.len().min(4096) & !1];
        let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count() * 2;
        let (even, odd) = (zeros(0), zeros(1));
        if head.len() >= 8 && odd * 10 >= head.len() * 7 && even * 10 < head.len() {
            Self::Utf16Le(0)
        } else if head.len() >= 8 && even * 10 >= head.len() * 7 && odd * 10 < head.len() {
            Self::Utf16Be(0)
        } else {
            Self::Ascii
        }
    }

    /// The text in UTF-8; `None` where it is that already. What is no character becomes U+FFFD.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let units = self.units(bytes)?;
        Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }

    /// The offsets in `bytes` of ascending offsets in what [`Encoding::decode`] gave.
    pub(crate) fn offsets(self, bytes: &[u8], ascending: &[usize]) -> Vec<usize> {
        let (Some(units), Self::Utf16Le(mark) | Self::Utf16Be(mark)) = (self.units(bytes), self) else {
            return ascending.to_vec();
        };
        let mut mapped = Vec::with_capacity(ascending.len());
        let (mut decoded, mut raw) = (0, mark);
        let mut wanted = ascending.iter().peekable();
        for unit in char::decode_utf16(units) {
            while wanted.next_if(|at| **at <= decoded).is_some() {
                mapped.push(raw);
            }
            match unit {
                Ok(c) => {
                    decoded += c.len_utf8();
                    raw += 2 * c.len_utf16();
                }
                Err(_) => {
                    decoded += char::REPLACEMENT_CHARACTER.len_utf8();
                    raw += 2;
                }
            }
        }
        mapped.extend(wanted.map(|_| raw));
        mapped
    }

    /// ASCII text as it stands in this encoding.
    pub(crate) fn encode(self, ascii: &str) -> Vec<u8> {
        match self {
            Self::Ascii => ascii.as_bytes().to_vec(),
            Self::Utf16Le(_) => ascii.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be(_) => ascii.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    fn units(self, bytes: &[u8]) -> Option<impl Iterator<Item = u16>> {
        let (mark, unit): (usize, fn([u8; 2]) -> u16) = match self {
            Self::Ascii => return None,
            Self::Utf16Le(mark) => (mark, u16::from_le_bytes),
            Self::Utf16Be(mark) => (mark, u16::from_be_bytes),
        };
        Some(bytes[mark..].chunks_exact(2).map(move |pair| unit([pair[0], pair[1]])))
    }
}
