//! Texts that an expression matches, drawn from the expression itself.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::next;

/// How often a repetition without an end is repeated beyond what it must.
const MORE_MAX: u32 = 6;

/// A text that this expression matches, where what stands around it lets it.
pub(super) fn drawn(expression: &str, seed: &mut u64) -> Vec<u8> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    let hir = parser.parse(expression).expect("it compiles");
    let mut text = Vec::new();
    draw(&hir, seed, &mut text);
    text
}

fn below(seed: &mut u64, n: usize) -> usize {
    (next(seed) % n.max(1) as u64) as usize
}

fn draw(hir: &Hir, seed: &mut u64, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => text.extend(member(class, seed)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min + MORE_MAX);
            let times = repetition.min + below(seed, (most - repetition.min + 1) as usize) as u32;
            (0..times).for_each(|_| draw(&repetition.sub, seed, text));
        }
        HirKind::Capture(capture) => draw(&capture.sub, seed, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| draw(part, seed, text)),
        HirKind::Alternation(parts) => draw(&parts[below(seed, parts.len())], seed, text),
    }
}

/// A member of a class: printable, if one is.
fn member(class: &Class, seed: &mut u64) -> Vec<u8> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        Class::Unicode(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
    };
    let all: Vec<u32> = ranges.iter().flat_map(|(from, to)| *from..=*to.min(&0xFF)).collect();
    let printable: Vec<u32> = all.iter().copied().filter(|c| (0x21..0x7F).contains(c)).collect();
    let from = if printable.is_empty() { &all } else { &printable };
    from.get(below(seed, from.len())).map(|c| vec![*c as u8]).unwrap_or_default()
}
