//! Members of ZIP and tape archives, read in memory one after the other.

use std::io::Cursor;

use zip::ZipArchive;
use zip::result::ZipError;

use super::container::{ContainerError, Reading};
use super::office;

pub(super) fn zip(bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refused(&error))?;
    if archive.len() > crate::limits::EXTRACT_MEMBERS_MAX {
        return Err(ContainerError::Bound("members"));
    }
    if reading.thorough {
        reading.spelt(archive.comment());
    } else if office::is_office(&archive) {
        return office::read(&mut archive, reading);
    }
    for number in 0..archive.len() {
        let file = archive.by_index(number).map_err(|error| refused(&error))?;
        if file.is_dir() {
            continue;
        }
        let name = file.name().map_err(|error| refused(&error))?.into_owned();
        if reading.thorough {
            reading.spelt(file.comment().as_bytes());
        }
        let content = reading.unpacked(file)?;
        reading.member(&name, &content)?;
    }
    Ok(())
}

pub(super) fn refused(error: &ZipError) -> ContainerError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            ContainerError::Encrypted
        }
        _ => ContainerError::Damaged,
    }
}

pub(super) fn tar(bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
    if reading.thorough {
        // Headers, and what stands behind the end.
        reading.spelt(bytes);
    }
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(|_| ContainerError::Damaged)? {
        let mut entry = entry.map_err(|_| ContainerError::Damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_contiguous() {
            let content = reading.unpacked(&mut entry)?;
            reading.member(&name, &content)?;
        } else if !kind.is_dir() {
            // A link's target is a name as well.
            reading.begin()?;
            let target = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
            reading.text(&name, &target.unwrap_or_default());
        }
    }
    Ok(())
}
