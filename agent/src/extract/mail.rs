//! Messages (RFC 5322, MIME): headers and texts as people read them, attachments as members.

use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders, PartType};

use super::container::{ContainerError, Reading};

/// How far a message is looked at to tell that it is one.
const HEAD_BYTES: usize = 8 << 10;

/// By its name and a first header, or by the headers that a message has; or a mailbox of messages.
pub(super) fn is_mail(name: &str, bytes: &[u8]) -> bool {
    let headers = if is_mailbox(bytes) { memchr::memchr(b'\n', bytes).unwrap_or(0) + 1 } else { 0 };
    let head = &bytes[headers..bytes.len().min(headers + HEAD_BYTES)];
    let named = head.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    if named == 0 || head.get(named) != Some(&b':') {
        return false;
    }
    let head = [b"\n", head].concat().to_ascii_lowercase();
    let has = |header: &[u8]| memchr::memmem::find(&head, header).is_some();
    name.to_ascii_lowercase().ends_with(".eml") || has(b"\nmime-version:") && has(b"\ncontent-type:")
}

/// A mailbox (RFC 4155): messages, each behind a line of where it came from.
fn is_mailbox(bytes: &[u8]) -> bool {
    bytes.starts_with(b"From ")
}

pub(super) fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
    let parser = MessageParser::default();
    if !is_mailbox(bytes) {
        return message_text(&parser.parse(bytes).ok_or(ContainerError::Damaged)?, reading, 0);
    }
    for message in MessageIterator::new(bytes) {
        let message = message.map_err(|_| ContainerError::Damaged)?;
        let message = parser.parse(message.contents()).ok_or(ContainerError::Damaged)?;
        message_text(&message, reading, 0)?;
    }
    Ok(())
}

fn message_text(message: &Message<'_>, reading: &mut Reading, depth: usize) -> Result<(), ContainerError> {
    if depth >= crate::limits::EXTRACT_DEPTH_MAX {
        return Err(ContainerError::Bound("messages in messages"));
    }
    let headers = headers(message);
    reading.count(headers.len())?;
    reading.text("", &headers);
    for part in &message.parts {
        let name = part.attachment_name().unwrap_or_default();
        match &part.body {
            PartType::Text(text) | PartType::Html(text) => {
                reading.begin()?;
                reading.count(text.len())?;
                reading.text(name, text);
            }
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                reading.count(bytes.len())?;
                reading.member(if name.is_empty() { "attachment" } else { name }, bytes)?;
            }
            PartType::Message(inner) => {
                reading.begin()?;
                message_text(inner, reading, depth + 1)?;
            }
            PartType::Multipart(_) => {}
        }
    }
    Ok(())
}

/// A header a line, encoded words decoded.
fn headers(message: &Message<'_>) -> String {
    let raw: Vec<(&str, &str)> = message.headers_raw().collect();
    let mut lines = String::new();
    for header in message.headers() {
        let value = match &header.value {
            HeaderValue::Address(address) => {
                let one = |address: &mail_parser::Addr<'_>| match (&address.name, &address.address) {
                    (Some(name), Some(address)) => format!("{name} <{address}>"),
                    (name, address) => {
                        name.as_ref().or(address.as_ref()).map_or_else(String::new, ToString::to_string)
                    }
                };
                address.iter().map(one).collect::<Vec<_>>().join(", ")
            }
            HeaderValue::Text(text) => text.to_string(),
            HeaderValue::TextList(texts) => texts.join(", "),
            _ => {
                let found = raw.iter().find(|(name, _)| *name == header.name());
                found.map_or("", |(_, value)| value.trim()).split_whitespace().collect::<Vec<_>>().join(" ")
            }
        };
        lines.push_str(&format!("{}: {value}\n", header.name()));
    }
    lines
}
