//! A diff whose sides stand beside each other, for a wide terminal: what is there, what would leave.

use similar::{ChangeTag, DiffOp, DiffTag, TextDiff};

/// Lines around a change.
const CONTEXT_LINES: usize = 2;
/// Between the sides.
const MARK: &str = " | ";
const SAME: &str = "   ";

/// The changed lines of a file and what stands around them, in so many columns.
pub(super) fn shown(name: &str, diff: &TextDiff<'_, '_, '_, str>, columns: usize) -> String {
    let side = (columns - MARK.len()) / 2;
    let mut shown = format!("{name}\n");
    for (number, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if number > 0 {
            shown.push_str("...\n");
        }
        for op in group {
            for (left, right, mark) in rows(diff, op) {
                let row = format!("{}{mark}{}", cell(&left, side), cell(&right, side));
                shown.push_str(row.trim_end());
                shown.push('\n');
            }
        }
    }
    shown
}

/// Lines that stand beside each other; the shorter side is filled up with empty ones.
fn rows(diff: &TextDiff<'_, '_, '_, str>, op: &DiffOp) -> Vec<(String, String, &'static str)> {
    let of = |tag: ChangeTag| -> Vec<String> {
        let changes = diff.iter_changes(op).filter(|change| change.tag() == tag);
        changes.map(|change| change.value().to_owned()).collect()
    };
    if op.tag() == DiffTag::Equal {
        return of(ChangeTag::Equal).into_iter().map(|line| (line.clone(), line, SAME)).collect();
    }
    let (left, right) = (of(ChangeTag::Delete), of(ChangeTag::Insert));
    let at = |lines: &[String], number: usize| lines.get(number).cloned().unwrap_or_default();
    (0..left.len().max(right.len())).map(|number| (at(&left, number), at(&right, number), MARK)).collect()
}

/// A line in exactly so many columns.
fn cell(line: &str, columns: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut cell: String = line.trim_end_matches(['\n', '\r']).chars().map(plain).take(columns).collect();
    let length = cell.chars().count();
    cell.extend(std::iter::repeat_n(' ', columns - length));
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_stand_beside_what_they_become() {
        let (before, after) = ("one\nkey = ****\nthree\n", "one\nkey = TOKEN\nthree\n");
        let shown = shown("a.txt", &TextDiff::from_lines(before, after), 33);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines,
            ["a.txt", "one               one", "key = ****      | key = TOKEN", "three             three"]
        );
    }
}
