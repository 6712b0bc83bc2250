//! Messages (RFC 5322, MIME): headers and texts as people read them, attachments as members.

use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders, PartType};

use super::container::{ContainerError, Reading};

/// Headers with which messages begin.
const FIRST: [&str; 10] = [
    "return-path:",
    "received:",
    "delivered-to:",
    "mime-version:",
    "message-id:",
    "from:",
    "to:",
    "date:",
    "subject:",
    "x-",
];
/// How far a message is looked at to tell that it is one.
const HEAD_BYTES: usize = 8 << 10;

/// By its name, or by the headers that a message has.
pub(super) fn is_mail(name: &str, bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD_BYTES)]).to_ascii_lowercase();
    let begins = FIRST.iter().any(|header| head.starts_with(header));
    let named = name.to_ascii_lowercase().ends_with(".eml");
    begins && (named || head.contains("\nmime-version:") && head.contains("\ncontent-type:"))
}

pub(super) fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
    let message = MessageParser::default().parse(bytes).ok_or(ContainerError::Damaged)?;
    message_text(&message, reading, 0)
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
