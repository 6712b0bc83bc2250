//! Office documents: OOXML (ECMA-376) and OpenDocument (ISO/IEC 26300) are XML files in a ZIP archive.
//!
//! Taken are the texts of all parts that people write (body, headers, notes, comments, cells, slides, properties), and
//! where links lead to; looks and settings are not.

use std::io::Cursor;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;

use super::archive::refused;
use super::container::{ContainerError, Reading};

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Parts that hold no text of anybody, by how their names end or what stands in them.
const LOOKS: [&str; 9] = [
    "styles",
    "theme",
    "settings",
    "fontTable",
    "[Content_Types]",
    "calcChain",
    "presProps",
    "viewProps",
    "manifest",
];
/// Elements behind which a line ends.
const LINES: [&str; 7] = ["p", "h", "row", "table-row", "si", "br", "comment"];
/// Elements behind which a cell ends.
const CELLS: [&str; 5] = ["tc", "c", "table-cell", "tab", "line-break"];
/// Attributes that hold what people wrote.
const TOLD: [&str; 7] = ["author", "creator", "initials", "Target", "href", "descr", "title"];

pub(super) fn is_office(archive: &Archive<'_>) -> bool {
    let open_document =
        || archive.index_for_name("mimetype").is_some() && archive.index_for_name("content.xml").is_some();
    archive.index_for_name("[Content_Types].xml").is_some() || open_document()
}

pub(super) fn read(archive: &mut Archive<'_>, reading: &mut Reading) -> Result<(), ContainerError> {
    let shared = match archive.index_for_name("xl/sharedStrings.xml") {
        Some(number) => shared_strings(&part(archive, number, reading)?.1)?,
        None => Vec::new(),
    };
    for number in 0..archive.len() {
        let (name, content) = part(archive, number, reading)?;
        let looks = LOOKS.iter().any(|look| name.contains(look)) || name == "mimetype";
        if name.ends_with('/') || looks || name == "xl/sharedStrings.xml" {
            continue;
        }
        if !(name.ends_with(".xml") || name.ends_with(".rels")) {
            // Pictures, embedded documents, macros.
            reading.member(&name, &content)?;
            continue;
        }
        let text = texts(&content, &shared)?;
        if !text.trim().is_empty() {
            reading.begin()?;
            reading.text(&name, &text);
        }
    }
    Ok(())
}

fn part(
    archive: &mut Archive<'_>,
    number: usize,
    reading: &mut Reading,
) -> Result<(String, Vec<u8>), ContainerError> {
    let file = archive.by_index(number).map_err(|error| refused(&error))?;
    let name = file.name().map_err(|error| refused(&error))?.into_owned();
    let content = reading.unpacked(file)?;
    Ok((name, content))
}

/// The strings that cells refer to by number.
fn shared_strings(xml: &[u8]) -> Result<Vec<String>, ContainerError> {
    let mut strings = Vec::new();
    let mut string = String::new();
    walk(xml, |event| match event {
        Told::Text(text) => string.push_str(text),
        Told::End("si") => strings.push(std::mem::take(&mut string)),
        Told::Start(..) | Told::End(_) => {}
    })?;
    Ok(strings)
}

/// A part's text, a paragraph or row a line.
fn texts(xml: &[u8], shared: &[String]) -> Result<String, ContainerError> {
    let mut text = String::new();
    let mut cell = String::new();
    let mut refers = false;
    walk(xml, |event| match event {
        Told::Start("c", element) => refers = attribute(element, "t").as_deref() == Some("s"),
        Told::Start(_, element) => {
            for name in TOLD {
                if let Some(value) = attribute(element, name).filter(|value| !value.is_empty()) {
                    text.push_str(&format!("{}: {value}\n", name.to_ascii_lowercase()));
                }
            }
        }
        Told::Text(found) if refers => cell.push_str(found),
        Told::Text(found) => text.push_str(found),
        Told::End(name) => {
            if name == "c" && std::mem::take(&mut refers) {
                let number = cell.trim().parse::<usize>().ok();
                text.push_str(number.and_then(|number| shared.get(number)).map_or("", String::as_str));
                cell.clear();
            }
            if CELLS.contains(&name) {
                text.push('\t');
            } else if LINES.contains(&name) && !text.ends_with('\n') {
                text.push('\n');
            }
        }
    })?;
    Ok(text)
}

/// What a part says, piece by piece; names are without their prefix.
enum Told<'a> {
    Start(&'a str, &'a BytesStart<'a>),
    Text(&'a str),
    End(&'a str),
}

fn walk(xml: &[u8], mut each: impl FnMut(Told<'_>)) -> Result<(), ContainerError> {
    let xml = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().check_end_names = false;
    loop {
        match reader.read_event().map_err(|_| ContainerError::Damaged)? {
            Event::Start(element) => each(Told::Start(element.local_name().as_ref(), &element)),
            Event::Empty(element) => {
                each(Told::Start(element.local_name().as_ref(), &element));
                each(Told::End(element.local_name().as_ref()));
            }
            Event::End(element) => each(Told::End(element.local_name().as_ref())),
            Event::Text(text) => each(Told::Text(&text.xml10_content())),
            Event::CData(text) => each(Told::Text(&text.xml10_content())),
            Event::GeneralRef(reference) => {
                let named = quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                let numbered = || reference.resolve_char_ref().ok().flatten().map(String::from);
                each(Told::Text(&named.or_else(numbered).unwrap_or_default()));
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found =
        element.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(
        found
            .normalized_value(XmlVersion::Implicit1_0)
            .map_or_else(|_| found.value.to_string(), |value| value.into_owned()),
    )
}
