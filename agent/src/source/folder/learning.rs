//! The first of two passes over what is new: only the values in it are learnt.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use super::super::{Purpose, SourceError};
use super::{Pass, readable};
use crate::extract::{self, extract};

impl Pass<'_> {
    /// Learns the values in all that is new.
    pub(super) fn learn_first(&mut self) -> Result<(), SourceError> {
        let mut pass = Pass {
            folder: self.folder,
            intake: self.intake,
            purpose: Purpose::Learn,
            learnt: true,
            path: self.path.clone(),
            root: self.root.clone(),
            only: self.only.clone(),
            whole: false,
            again: BTreeSet::new(),
            ..*self
        };
        pass.run()
    }

    /// Learns the values in a file. Why one is left out is told when it is to be sent.
    pub(super) fn learn(&mut self, path: &Path) {
        let bytes_max = self.folder.config.file_bytes_max;
        let read = |file: &File| -> io::Result<Option<Vec<u8>>> {
            let metadata = file.metadata()?;
            let taken = metadata.is_file() && metadata.len() <= bytes_max;
            if taken { extract::read_text(&readable(path), file, metadata.len()) } else { Ok(None) }
        };
        let content = self.root.file(path).and_then(|file| read(&file));
        if let Ok(Some(content)) = content
            && let Ok(extracted) = extract(&readable(path), &content)
        {
            self.intake.learn(&readable(path), &extracted.content, extracted.format);
        }
    }
}
