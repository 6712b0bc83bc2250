//! Columns of persons and of credentials: CSV and its like below a header, and the rows of an SQL `INSERT`.
//!
//! A header says what stands in each column; every cell of a column for names, streets or dates of birth is one, however it
//! is written; one of a column for passwords or tokens is judged as what is assigned to such a name.

use std::ops::Range;

use super::assignment::{Assigned, Manner};
use super::date::date_at;
use super::{Search, credential};
use crate::rules::Finder;
use crate::work;

/// Bytes of a header at the most.
const HEADER_BYTES: usize = 2048;
/// Bytes of a row at the most.
const ROW_BYTES: usize = 1 << 14;
/// Columns looked at.
const COLUMNS_MAX: usize = 128;
/// Bytes of a cell that is a name, an address or a date at the most.
const CELL_BYTES: usize = 200;

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// A password or another secret, by a name that ends and begins there.
    Credential(Finder, usize, usize),
    Name,
    /// A name if other columns are of a person.
    Perhaps,
    Address,
    Birth,
    /// Of a person, and found otherwise.
    Personal,
    Other,
}

const NAMES: [&str; 34] = [
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "givenname",
    "familyname",
    "middlename",
    "maidenname",
    "displayname",
    "customername",
    "clientname",
    "patientname",
    "employeename",
    "contactname",
    "cardholdername",
    "cardholder",
    "vorname",
    "nachname",
    "familienname",
    "prenom",
    "prénom",
    "nomdefamille",
    "nombre",
    "apellido",
    "apellidos",
    "cognome",
    "voornaam",
    "achternaam",
    "förnamn",
    "efternamn",
    "sobrenome",
    "nomecompleto",
    "imie",
    "nazwisko",
];
const PERHAPS: [&str; 10] =
    ["name", "nom", "nome", "naam", "namn", "navn", "nimi", "customer", "contact", "owner"];
const ADDRESSES: [&str; 20] = [
    "address",
    "address1",
    "address2",
    "addressline1",
    "addressline2",
    "street",
    "streetaddress",
    "homeaddress",
    "postaladdress",
    "billingaddress",
    "shippingaddress",
    "anschrift",
    "adresse",
    "strasse",
    "straße",
    "direccion",
    "dirección",
    "indirizzo",
    "adres",
    "morada",
];
const BIRTHS: [&str; 13] = [
    "birthdate",
    "dateofbirth",
    "dob",
    "birthday",
    "birth",
    "geburtsdatum",
    "datenaissance",
    "datedenaissance",
    "fechanacimiento",
    "fechadenacimiento",
    "datadinascita",
    "geboortedatum",
    "datanascimento",
];
const PERSONAL: [&str; 14] = [
    "email",
    "mail",
    "emailaddress",
    "phone",
    "phonenumber",
    "telephone",
    "mobile",
    "ssn",
    "gender",
    "sex",
    "age",
    "zip",
    "postcode",
    "telefon",
];

impl Column {
    /// By its name in the header.
    fn of(text: &[u8], at: Range<usize>) -> Self {
        let header = &text[at.clone()];
        if let Some(sort) = credential::sort_of(header) {
            return Self::Credential(sort, at.start, at.end);
        }
        let lower = String::from_utf8_lossy(header).to_lowercase();
        let name: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
        let is = |list: &[&str]| list.contains(&name.as_str());
        match () {
            () if is(&NAMES) => Self::Name,
            () if is(&PERHAPS) => Self::Perhaps,
            () if is(&ADDRESSES) => Self::Address,
            () if is(&BIRTHS) => Self::Birth,
            () if is(&PERSONAL) => Self::Personal,
            () => Self::Other,
        }
    }
}

/// Whether the name of a column may end there: before a separator, or the end of the header.
pub(super) fn may_end(text: &[u8], name_end: usize) -> bool {
    let closed = name_end + usize::from(matches!(text.get(name_end), Some(b'"' | b'\'' | b'`' | b']')));
    let blank = usize::from(text.get(closed) == Some(&b' '));
    matches!(text.get(closed + blank), Some(b',' | b';' | b'|' | b'\t' | b')' | b'\r' | b'\n'))
}

/// At a column's name, which begins at `cue`: reads the header around it and the rows below.
pub(super) fn columns(search: &mut Search<'_>, cue: usize) {
    let text = search.text;
    if cue < search.tabled {
        return;
    }
    let line = text[cue.saturating_sub(HEADER_BYTES)..cue].iter().rev().take_while(|b| **b != b'\n').count();
    let start = cue - line;
    let length = text[cue..text.len().min(cue + HEADER_BYTES)].iter().take_while(|b| **b != b'\n').count();
    let end = cue + length;
    search.tabled = end;
    work::count(line + length);
    if line == HEADER_BYTES || length == HEADER_BYTES {
        return;
    }
    let open = text[start..cue].iter().rposition(|b| *b == b'(').map(|at| start + at + 1);
    let close = text[cue..end].iter().position(|b| *b == b')').map(|at| cue + at);
    if let (Some(open), Some(close)) = (open, close) {
        if let Some(header) = header(text, open..close, b',') {
            search.tabled = inserted(search, &header, close + 1);
        }
        return;
    }
    let Some(separator) = [b'\t', b';', b'|', b','].into_iter().find(|sign| text[start..end].contains(sign))
    else {
        return;
    };
    let Some(header) = header(text, start..end, separator) else { return };
    let mut at = end + 1;
    while at < text.len() {
        let Some(next) = row(search, &header, (at, separator)) else { break };
        at = next;
    }
    search.tabled = at.max(end);
}

/// The columns of a header, if it is one of persons or credentials: short names, none of them a value.
fn header(text: &[u8], line: Range<usize>, separator: u8) -> Option<Vec<Column>> {
    let start = line.start;
    let line = &text[line];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let named = |cell: &[u8]| {
        let cell = cell.trim_ascii();
        let sign = |b: &u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'_' | b'-' | b' ' | b'.' | b'"' | b'\'' | b'`' | b'/' | b'[' | b']')
                || *b >= 0x80
        };
        cell.len() <= 48
            && cell.iter().all(sign)
            && (cell.is_empty() || cell.iter().any(u8::is_ascii_alphabetic))
    };
    let cells = || line.split(|b| *b == separator);
    if cells().count() < 2 || cells().count() > COLUMNS_MAX || !cells().all(named) {
        return None;
    }
    let mut at = start;
    let mut columns: Vec<Column> = cells()
        .map(|cell| {
            let from = at;
            at += cell.len() + 1;
            Column::of(text, from..from + cell.len())
        })
        .collect();
    let personal =
        |column: &Column| matches!(column, Column::Name | Column::Address | Column::Birth | Column::Personal);
    // Lists of arguments are indented, or end with a comma; tables of text have bars at both ends.
    let listed = separator != b'|'
        && (line.first().is_some_and(u8::is_ascii_whitespace)
            || cells().any(|cell| cell.trim_ascii().is_empty()));
    if listed {
        let credential = |column: &&mut Column| matches!(column, Column::Credential(..));
        columns.iter_mut().filter(credential).for_each(|column| *column = Column::Other);
    }
    let perhaps = if columns.iter().any(personal) { Column::Name } else { Column::Other };
    columns.iter_mut().filter(|column| **column == Column::Perhaps).for_each(|column| *column = perhaps);
    let read = |column: &Column| !matches!(column, Column::Personal | Column::Other);
    columns.iter().any(read).then_some(columns)
}

/// Takes out a row's cells; behind its line, `None` where it is no row of this table.
fn row(search: &mut Search<'_>, header: &[Column], (start, separator): (usize, u8)) -> Option<usize> {
    let text = search.text;
    let to = text.len().min(start + ROW_BYTES);
    let mut cells: Vec<(usize, usize)> = Vec::with_capacity(header.len());
    let mut at = start;
    let next = loop {
        let quote = text.get(at).copied().filter(|b| *b == b'"');
        let from = at + usize::from(quote.is_some());
        let mut end = from;
        match quote {
            Some(quote) => {
                while end < to && (text[end] != quote || text.get(end + 1) == Some(&quote)) {
                    end += 1 + usize::from(text[end] == quote);
                }
                at = end + 1;
            }
            None => {
                end += text[from..to].iter().take_while(|b| **b != separator && **b != b'\n').count();
                at = end;
            }
        }
        cells.push((from.min(to), end.min(to)));
        if at < to && text[at] == separator && cells.len() <= header.len() {
            at += 1;
            continue;
        }
        at += usize::from(text.get(at) == Some(&b'\r'));
        break match text.get(at) {
            None => text.len(),
            Some(b'\n') => at + 1,
            Some(_) => return None,
        };
    };
    work::count(at - start);
    if cells.len() != header.len() {
        return None;
    }
    for (column, (from, to)) in header.iter().zip(cells) {
        cell(search, *column, from, to);
    }
    Some(next)
}

/// The rows of `VALUES (…), (…)`; behind the last.
fn inserted(search: &mut Search<'_>, header: &[Column], from: usize) -> usize {
    let text = search.text;
    let spaces = |at: usize| {
        at + text[at.min(text.len())..].iter().take(256).take_while(|b| b.is_ascii_whitespace()).count()
    };
    let mut at = spaces(from);
    if !text.get(at..at + 6).is_some_and(|word| word.eq_ignore_ascii_case(b"values")) {
        return from;
    }
    at = spaces(at + 6);
    while text.get(at) == Some(&b'(') {
        let to = text.len().min(at + ROW_BYTES);
        at += 1;
        for column in header {
            at = spaces(at).min(to);
            let quoted = text.get(at) == Some(&b'\'');
            let start = at + usize::from(quoted);
            let mut end = start;
            if quoted {
                while end < to && (text[end] != b'\'' || text.get(end + 1) == Some(&b'\'')) {
                    end += 1 + usize::from(matches!(text[end], b'\'' | b'\\'));
                }
                cell(search, *column, start.min(to), end.min(to));
                at = end + 1;
            } else {
                at +=
                    text[start.min(to)..to].iter().take_while(|b| !matches!(b, b',' | b')' | b'\n')).count();
            }
            at = spaces(at.min(to));
            if text.get(at) != Some(&b',') {
                break;
            }
            at += 1;
        }
        if text.get(at) != Some(&b')') {
            break;
        }
        at = spaces(at + 1);
        if text.get(at) != Some(&b',') {
            break;
        }
        at = spaces(at + 1);
    }
    at
}

fn cell(search: &mut Search<'_>, column: Column, start: usize, end: usize) {
    let text = search.text;
    let lead = text[start..end].iter().take_while(|b| matches!(b, b' ' | b'\'')).count();
    let value = text[start + lead..end].trim_ascii_end();
    let start = start + lead;
    let end = start + value.len();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let null = value.eq_ignore_ascii_case(b"null") || value.eq_ignore_ascii_case(b"none");
    if value.is_empty() || null {
        return;
    }
    let persons = search.scanner.persons;
    let rule = match column {
        Column::Credential(sort, name, name_end) => {
            let found = Assigned { name, name_end, start, end, manner: Manner::Listed };
            return search.offer_credential(sort, &found);
        }
        _ if value.len() > CELL_BYTES => None,
        Column::Name if letters >= 2 && !value.iter().any(u8::is_ascii_digit) => persons.name,
        Column::Address if letters >= 2 => persons.address,
        Column::Birth if date_at(text, start).is_some() => persons.birth,
        _ => None,
    };
    if let Some(rule) = rule {
        search.offer(rule, start, end);
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;
    use crate::scan::Scanner;

    #[test]
    fn a_row_may_break_off_anywhere() {
        let scanner = Scanner::new(&Policy::default()).expect("the tables are right");
        for length in super::ROW_BYTES - 20..super::ROW_BYTES + 4 {
            let cell = "x".repeat(length);
            for text in [
                format!("name,email\n{cell},\"y\n"),
                format!("name,email\n\"{cell}\",\"\"\n"),
                format!("INSERT INTO t (name,email)\nVALUES ('{cell}', '', 'y');"),
                format!("INSERT INTO t (name,email)\nVALUES ({cell}, 'y'"),
            ] {
                assert!(scanner.find(&mut crate::simd::Batch::boxed(), text.as_bytes()).is_ok());
            }
        }
    }
}
