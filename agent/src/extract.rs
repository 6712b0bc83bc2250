//! From bytes to text and what is known of it. Content decides; the name only helps to tell the language.
//!
//! What holds text in another form (an archive, an office document, a PDF, a message) gives its text, and says so.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};

use certus_protocol::envelope::ResourceKind;
use certus_sanitizer::{Format, Place, decode::Encoding};

use crate::status::LeftOut;

mod archive;
mod container;
mod mail;
mod office;
mod pdf;

pub use container::{Container, ContainerError, Contents};

/// How much of a file tells whether it is text, in bytes.
pub const HEAD_BYTES: usize = 8 << 10;

/// A fact about a resource: its name, the fact, what sort of text that is.
pub type Attribute = (&'static str, String, Place);

/// A text and what it is.
#[derive(Debug, Clone)]
pub struct Extracted<'a> {
    /// The text.
    pub content: Cow<'a, [u8]>,
    /// How it is sanitized.
    pub format: Format,
    /// Its media type.
    pub media_type: &'static str,
    /// Its language; empty where unknown.
    pub language: &'static str,
    /// Where the text was taken from, if that was a container.
    pub attributes: Vec<Attribute>,
}

impl Extracted<'_> {
    /// What it is as a file of a folder.
    pub fn kind(&self) -> ResourceKind {
        match self.format {
            Format::Sarif => ResourceKind::Sarif,
            Format::Text | Format::Json | Format::Toml | Format::Csv => ResourceKind::File,
        }
    }
}

/// Reads a file of `size` bytes; `None` where it holds no text.
///
/// # Errors
/// The file system's.
pub fn read_text(name: &str, mut file: &File, size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::with_capacity(size as usize);
    Read::by_ref(&mut file).take(HEAD_BYTES as u64).read_to_end(&mut content)?;
    if !is_text(&content) && Container::detect(name, &content).is_none() {
        return Ok(None);
    }
    let rest = size.saturating_sub(content.len() as u64);
    // One byte more tells that it has grown.
    Read::by_ref(&mut file).take(rest + 1).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// How many results a SARIF file holds; `None` where it is none.
pub fn sarif_results(content: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Log {
        runs: Vec<Run>,
    }
    #[derive(serde::Deserialize)]
    struct Run {
        #[serde(default)]
        results: Option<Vec<serde::de::IgnoredAny>>,
    }
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    let log: Log = serde_json::from_slice(content).ok()?;
    Some(log.runs.iter().map(|run| run.results.as_ref().map_or(0, Vec::len) as u64).sum())
}

/// Whether bytes whose first are `head` can be text.
pub fn is_text(head: &[u8]) -> bool {
    let head = &head[..head.len().min(HEAD_BYTES)];
    if Encoding::detect(head) != Encoding::Ascii {
        return true;
    }
    let is_control = |b: &u8| matches!(b, 0x01..=0x07 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    // So few fit into 16 bits, which are summed many at a time.
    let controls: u16 = head.iter().map(|byte| u16::from(is_control(byte))).sum();
    memchr::memchr(0, head).is_none() && usize::from(controls) * 20 <= head.len()
}

/// The text in what is called `name`, and what it is.
///
/// # Errors
/// Why it gives no text.
pub fn extract<'a>(name: &str, bytes: &'a [u8]) -> Result<Extracted<'a>, LeftOut> {
    if let Some(container) = Container::detect(name, bytes) {
        return opened(name, bytes, container);
    }
    if !is_text(bytes) {
        return Err(LeftOut::Binary);
    }
    Ok(text(name, Cow::Borrowed(bytes), Vec::new()))
}

fn text<'a>(name: &str, content: Cow<'a, [u8]>, attributes: Vec<Attribute>) -> Extracted<'a> {
    let bytes = &*content;
    let format = Format::detect(name, bytes);
    let language = language(name, bytes);
    let (media_type, language) = match (format, language) {
        (Format::Sarif, _) => ("application/sarif+json", "sarif"),
        (Format::Json, _) => ("application/json", "json"),
        (Format::Text, "markdown") => ("text/markdown", "markdown"),
        (Format::Text, "html") => ("text/html", "html"),
        (Format::Text | Format::Csv, "csv") => ("text/csv", "csv"),
        (Format::Text | Format::Toml | Format::Csv, other) => ("text/plain", other),
    };
    Extracted { content, format, media_type, language, attributes }
}

/// A container's text. A text that is only compressed is taken as what it is.
fn opened<'a>(name: &str, bytes: &[u8], container: Container) -> Result<Extracted<'a>, LeftOut> {
    let unopened = |error: ContainerError| LeftOut::Unopened(error.to_string());
    let from = ("extracted_from", container.media_type().to_owned(), Place::Message);
    if let Some(plain) = container.decompress(bytes).map_err(unopened)? {
        let name = container::inner_name(name);
        if Container::detect(name, &plain).is_none() && is_text(&plain) {
            return Ok(text(name, Cow::Owned(plain), vec![from]));
        }
    }
    let contents = container.open(name, bytes).map_err(unopened)?;
    if contents.members == contents.unread {
        return Err(LeftOut::Binary);
    }
    let told = match contents.unread {
        0 => format!("text of {} members", contents.members),
        unread => format!("text of {} members; {unread} hold none that can be read", contents.members),
    };
    Ok(Extracted {
        content: Cow::Owned(contents.text.into_bytes()),
        format: Format::Text,
        media_type: "text/plain",
        language: "text",
        attributes: vec![from, ("extracted", told, Place::Message)],
    })
}

fn language(name: &str, bytes: &[u8]) -> &'static str {
    let base = name.rsplit('/').next().unwrap_or(name);
    let lower = base.to_ascii_lowercase();
    match lower.as_str() {
        "dockerfile" | "containerfile" => return "dockerfile",
        "makefile" | "gnumakefile" => return "make",
        "cargo.lock" => return "toml",
        _ => {}
    }
    let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
    let named = LANGUAGES.iter().find(|(_, extensions)| extensions.contains(&extension));
    named.map_or_else(|| interpreter(bytes), |(language, _)| language)
}

/// The language that a `#!` line names.
fn interpreter(bytes: &[u8]) -> &'static str {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(128)]);
    let Some(command) = line.strip_prefix("#!") else { return "" };
    let known =
        [("python", "python"), ("node", "javascript"), ("ruby", "ruby"), ("perl", "perl"), ("sh", "shell")];
    known.into_iter().find(|(word, _)| command.contains(word)).map_or("", |(_, language)| language)
}

/// Language and the extensions of its files.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("c", &["c", "h"]),
    ("cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx"]),
    ("csharp", &["cs"]),
    ("css", &["css", "scss", "less"]),
    ("csv", &["csv", "tsv"]),
    ("elixir", &["ex", "exs"]),
    ("go", &["go"]),
    ("graphql", &["graphql", "gql"]),
    ("haskell", &["hs"]),
    ("hcl", &["tf", "hcl", "tfvars"]),
    ("html", &["html", "htm", "xhtml"]),
    ("ini", &["ini", "cfg", "conf", "properties", "env"]),
    ("java", &["java"]),
    ("javascript", &["js", "mjs", "cjs", "jsx"]),
    ("json", &["json", "jsonl", "ndjson"]),
    ("kotlin", &["kt", "kts"]),
    ("lua", &["lua"]),
    ("make", &["mk"]),
    ("markdown", &["md", "markdown"]),
    ("nix", &["nix"]),
    ("perl", &["pl", "pm"]),
    ("php", &["php"]),
    ("powershell", &["ps1", "psm1"]),
    ("protobuf", &["proto"]),
    ("python", &["py", "pyi"]),
    ("r", &["r"]),
    ("restructuredtext", &["rst"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scala", &["scala"]),
    ("shell", &["sh", "bash", "zsh", "fish"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("text", &["txt", "log"]),
    ("toml", &["toml"]),
    ("typescript", &["ts", "tsx"]),
    ("vue", &["vue"]),
    ("xml", &["xml", "xsd", "svg"]),
    ("yaml", &["yaml", "yml"]),
    ("zig", &["zig"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_what_is_text() {
        assert!(is_text(b"fn main() {}\n"));
        assert!(is_text("Grüße".as_bytes()));
        assert!(is_text(b"caf\xe9 in Latin-1"));
        assert!(is_text(b"\xff\xfeh\0i\0"));
        assert!(is_text(b""));
        assert!(!is_text(b"\x7fELF\x02\x01\x01\0\0\0"));
        assert!(!is_text(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
        assert!(!is_text(&(1..=31).collect::<Vec<u8>>()));
        assert_eq!(extract("image.txt", b"GIF89a\x01\0\x01\0").unwrap_err(), LeftOut::Binary);
    }

    #[test]
    fn sarif_is_known_by_content_whatever_its_name() {
        let sarif = br#"{"version": "2.1.0", "runs": []}"#;
        let extracted = extract("report.out", sarif).unwrap();
        assert_eq!((extracted.kind(), extracted.media_type), (ResourceKind::Sarif, "application/sarif+json"));
        assert_eq!(extract("a/b.RS", b"fn a() {}").unwrap().language, "rust");
        assert_eq!(extract("run", b"#!/usr/bin/env python3\n").unwrap().language, "python");
    }
}
