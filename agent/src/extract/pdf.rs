//! PDF documents (ISO 32000): their properties, and page by page the text that they show.

use lopdf::{Dictionary, Document, LoadOptions, Object, decode_text_string};

use super::container::{Container, ContainerError, Reading};
use super::is_text;
use crate::limits;

/// Properties that people write.
const PROPERTIES: [&[u8]; 5] = [b"Title", b"Author", b"Subject", b"Keywords", b"Creator"];

pub(super) fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
    let options =
        LoadOptions { max_decompressed_size: Some(limits::EXTRACT_BYTES_MAX), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(bytes, options).map_err(|_| ContainerError::Damaged)?;
    if document.is_encrypted() || document.was_encrypted() {
        return Err(ContainerError::Encrypted);
    }
    let information = document.trailer.get(b"Info").and_then(lopdf::Object::as_reference);
    if let Ok(information) = information.and_then(|id| document.get_dictionary(id)) {
        for name in PROPERTIES {
            let value = information.get(name).and_then(decode_text_string);
            if let Ok(value) = value.map(|value| value.trim().to_owned())
                && !value.is_empty()
            {
                let name = String::from_utf8_lossy(name).to_lowercase();
                reading.count(value.len())?;
                reading.text("", &format!("{name}: {value}"));
            }
        }
    }
    if reading.thorough {
        let comments =
            bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| line.starts_with(b"%"));
        comments.filter(|line| is_text(line)).for_each(|line| reading.spelt(line));
        for object in document.objects.values() {
            reading.in_time()?;
            everything(object, reading)?;
        }
    }
    for page in document.get_pages().into_keys() {
        reading.begin()?;
        let text = document.extract_text_with_limit(&[page], limits::EXTRACT_BYTES_MAX);
        let text = text.map_err(|_| ContainerError::Damaged)?;
        reading.count(text.len())?;
        if text.trim().is_empty() {
            // A scan, or a drawing: what it shows is not known.
            reading.contents.unread += 1;
        } else {
            reading.text(&format!("page {page}"), &text);
        }
    }
    Ok(())
}

/// Every string and stream of an object: annotations, links, fields, metadata, files.
fn everything(object: &Object, reading: &mut Reading) -> Result<(), ContainerError> {
    let all = |dictionary: &Dictionary, reading: &mut Reading| {
        dictionary.iter().try_for_each(|(_, value)| everything(value, reading))
    };
    match object {
        Object::String(bytes, _) => {
            reading.count(bytes.len())?;
            match decode_text_string(object) {
                Ok(text) => reading.text("", &text),
                Err(_) => reading.spelt(bytes),
            }
            Ok(())
        }
        Object::Array(objects) => objects.iter().try_for_each(|object| everything(object, reading)),
        Object::Dictionary(dictionary) => all(dictionary, reading),
        Object::Stream(stream) => {
            all(&stream.dict, reading)?;
            let content = stream.decompressed_content().unwrap_or_else(|_| stream.content.clone());
            reading.count(content.len())?;
            if is_text(&content) || Container::detect("", &content).is_some() {
                reading.member("", &content)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
