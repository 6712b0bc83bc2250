//! Cuts a text into pieces that are found and shown as a whole: some lines each, never across a line but where one is too long.

use crate::index::Chunk;
use crate::limits::{CHUNK_BYTES, CHUNK_BYTES_MAX, CHUNKS_MAX};

/// The chunks of a text, in order; at least one, so that a document can be found by its path.
pub fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open = Chunk { ordinal: 0, line_start: 1, line_end: 1, text: String::new() };
    for (line, piece) in (1..).zip(text.split_inclusive('\n')) {
        for part in parts(piece) {
            if !open.text.is_empty() && open.text.len() + part.len() > CHUNK_BYTES {
                let ordinal = open.ordinal + 1;
                chunks.push(open);
                if chunks.len() == CHUNKS_MAX {
                    return chunks;
                }
                open = Chunk { ordinal, line_start: line, line_end: line, text: String::new() };
            }
            open.text.push_str(part);
            open.line_end = line;
        }
    }
    if !open.text.is_empty() || chunks.is_empty() {
        chunks.push(open);
    }
    chunks
}

/// A line, or pieces of one that is too long, cut between characters.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = if rest.len() <= CHUNK_BYTES_MAX {
            rest.len()
        } else {
            (0..=CHUNK_BYTES_MAX).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_make_up_the_text_and_know_their_lines() {
        let text: String = (1..=400).map(|n| format!("line {n} of a text\n")).collect();
        let cut = chunks(&text);
        assert!(cut.len() > 3);
        assert_eq!(cut.iter().map(|chunk| chunk.text.as_str()).collect::<String>(), text);
        for pair in cut.windows(2) {
            assert_eq!(pair[0].line_end + 1, pair[1].line_start);
            assert_eq!(pair[0].ordinal + 1, pair[1].ordinal);
        }
        assert!(cut[1].text.starts_with(&format!("line {} ", cut[1].line_start)));
    }

    #[test]
    fn a_line_without_end_is_cut_between_characters() {
        let text = "ü".repeat(10_000);
        let cut = chunks(&text);
        assert!(cut.iter().all(|chunk| chunk.text.len() <= CHUNK_BYTES_MAX && chunk.line_start == 1));
        assert_eq!(cut.iter().map(|chunk| chunk.text.len()).sum::<usize>(), text.len());
        assert_eq!(chunks("").len(), 1);
    }
}
