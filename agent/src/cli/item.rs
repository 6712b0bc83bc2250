//! What a file of a tree is to the commands that send nothing: a text that is sanitized where it stands, a container whose
//! text is only looked at, or nothing that can be judged.

use std::fs;
use std::path::Path;

use certus_sanitizer::{Document, Format, Learnt, Sanitizer};

use crate::extract::{self, Container};
use crate::limits;

/// Rules for what office programs write into every document by themselves, names of its parts and versions: it counts in
/// the text only.
const OWN: [&str; 1] = ["uuid"];

/// What a file was read as.
pub(super) enum Item {
    /// A text, or one that is only compressed.
    Text(Vec<u8>),
    /// A container: how many bytes it has, and the text in it.
    Container {
        /// Of which sort.
        container: Container,
        /// The file.
        bytes: Vec<u8>,
        /// Its members' texts.
        text: String,
        /// Members whose text is not known.
        unread: usize,
    },
    /// Why it is not looked at.
    LeftOut(String),
}

impl Item {
    pub(super) fn read(path: &Path, name: &str) -> Self {
        match fs::metadata(path) {
            Ok(metadata) if metadata.len() > limits::FILE_BYTES_CEILING => {
                return Self::LeftOut("larger than 1 GiB".to_owned());
            }
            Ok(_) => {}
            Err(error) => return Self::LeftOut(error.to_string()),
        }
        match fs::read(path) {
            Ok(bytes) => Self::of(name, bytes),
            Err(error) => Self::LeftOut(error.to_string()),
        }
    }

    /// What bytes of this name are.
    pub(super) fn of(name: &str, bytes: Vec<u8>) -> Self {
        let container = match Container::detect(name, &bytes) {
            // A message is a text; whether it became clean is asked when it was sanitized.
            None | Some(Container::Mail) if extract::is_text(&bytes) => return Self::Text(bytes),
            None => return Self::LeftOut("binary".to_owned()),
            Some(container) => container,
        };
        match container.decompress(&bytes) {
            Ok(Some(plain)) if Container::detect(name, &plain).is_none() => {
                let text = extract::is_text(&plain);
                return if text { Self::Text(bytes) } else { Self::LeftOut("binary".to_owned()) };
            }
            Ok(_) => {}
            Err(error) => return Self::LeftOut(error.to_string()),
        }
        match container.open(name, &bytes) {
            Ok(contents) => {
                Self::Container { container, bytes, text: contents.text, unread: contents.unread }
            }
            Err(error) => Self::LeftOut(error.to_string()),
        }
    }

    /// The text to look at.
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            Self::Container { text, .. } => Some(text.as_bytes()),
            Self::LeftOut(_) => None,
        }
    }

    /// What may be written of it: a text sanitized; a container as it is, if there is nothing to take out of it.
    pub(super) fn cleaned(
        self,
        name: &str,
        sanitizer: &Sanitizer,
        learnt: &Learnt,
    ) -> Result<Vec<u8>, String> {
        let clean = |bytes: &[u8]| {
            let clean = sanitizer.document_at(name, bytes, Format::detect(name, bytes), learnt);
            clean.map(certus_sanitizer::Clean::into_inner).map_err(|error| error.to_string())
        };
        match self {
            Self::LeftOut(why) => Err(why),
            Self::Container { unread, .. } if unread > 0 => {
                Err(format!("{unread} of its members hold no text that can be read"))
            }
            Self::Container { container, bytes, text, .. } => {
                refuse(container, (name, &bytes, &text), clean)?;
                Ok(bytes)
            }
            Self::Text(bytes) => {
                let cleaned = clean(&bytes)?.bytes;
                if Container::detect(name, &cleaned) != Some(Container::Mail) {
                    return Ok(cleaned);
                }
                let contents = Container::Mail.open(name, &cleaned).map_err(|error| error.to_string())?;
                refuse(Container::Mail, (name, &cleaned, &contents.text), clean)?;
                Ok(cleaned)
            }
        }
    }
}

/// Refuses a container that holds findings in its text, or in anything else of it: nothing of it can be rewritten.
fn refuse(
    container: Container,
    (name, bytes, text): (&str, &[u8], &str),
    clean: impl Fn(&[u8]) -> Result<Document, String>,
) -> Result<(), String> {
    let found = clean(text.as_bytes())?.redactions.len();
    if found > 0 {
        return Err(format!("what it contains holds {found} findings; containers are not rewritten"));
    }
    let everything = container.everything(name, bytes).map_err(|error| error.to_string())?;
    let redactions = clean(everything.as_bytes())?.redactions;
    match redactions.iter().filter(|found| !OWN.contains(&found.rule.as_str())).count() {
        0 => Ok(()),
        found => Err(format!(
            "it holds {found} findings in markup, settings, comments or attachments; containers are not rewritten"
        )),
    }
}
