//! Cells of a table in a text: CSV (RFC 4180) and its like. A value does not reach out of its cell.

/// Signs between cells, of which the first line has most.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Where what cells say stands, in order: without the quotes around it.
pub(super) fn cells(text: &[u8]) -> Vec<(usize, usize)> {
    let head = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |sign: &u8| head.iter().filter(|byte| *byte == sign).count();
    let separator = SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',');
    let mut cells = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let quoted = text[at] == b'"';
        let start = at + usize::from(quoted);
        let mut end = start;
        if quoted {
            while end < text.len() && (text[end] != b'"' || text.get(end + 1) == Some(&b'"')) {
                end += 1 + usize::from(text[end] == b'"');
            }
            end = end.min(text.len());
            at = end;
        }
        let rest = &text[at..];
        let behind = rest.iter().position(|byte| *byte == separator || *byte == b'\n').unwrap_or(rest.len());
        at += behind;
        if !quoted {
            end = at - usize::from(text[start..at].ends_with(b"\r"));
        }
        cells.push((start, end));
        at += 1;
    }
    cells
}

/// The pieces of `start..end` that lie in cells.
pub(super) fn pieces(
    cells: &[(usize, usize)],
    start: usize,
    end: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let first = cells.partition_point(|cell| cell.1 <= start);
    let touched = cells[first..].iter().take_while(move |cell| cell.0 < end);
    touched.map(move |cell| (cell.0.max(start), cell.1.min(end))).filter(|(start, end)| start < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_end_at_separators_and_quotes() {
        let said = |text: &'static str| -> Vec<&str> {
            cells(text.as_bytes()).into_iter().map(|(start, end)| &text[start..end]).collect()
        };
        assert_eq!(said("a,b c\r\n1,\"x, \"\"y\"\"\"\n,2"), ["a", "b c", "1", "x, \"\"y\"\"", "", "2"]);
        assert_eq!(said("a;b\n1,5;2"), ["a", "b", "1,5", "2"]);
        assert_eq!(said("a\tb,c\td"), ["a", "b,c", "d"]);
        assert_eq!(said("\"open, "), ["open, "]);
        let text = "ab,cd\nef";
        let cells = cells(text.as_bytes());
        assert_eq!(pieces(&cells, 1, 7).collect::<Vec<_>>(), [(1, 2), (3, 5), (6, 7)]);
        assert_eq!(pieces(&cells, 2, 3).count(), 0);
    }
}
