//! Opens files so that no symbolic link on the way leads out of the root, whoever changes the tree meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// The root of a tree.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens the file at a relative path; `ELOOP` where a symbolic link stands in it. Pipes do not block.
    pub(super) fn file(&self, relative: &Path) -> io::Result<File> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match openat2(&self.0, relative, READ, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => self.step_by_step(relative),
            opened => Ok(File::from(opened?)),
        }
    }

    /// For kernels and sandboxes without `openat2`.
    fn step_by_step(&self, relative: &Path) -> io::Result<File> {
        let mut at: Option<OwnedFd> = None;
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            };
            let flags = if components.peek().is_some() { READ | OFlags::DIRECTORY } else { READ };
            at = Some(openat(at.as_ref().unwrap_or(&self.0), name, flags, Mode::empty())?);
        }
        at.map(File::from).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir(inside.path().join("dir")).unwrap();
        std::fs::write(inside.path().join("dir/file"), "y").unwrap();
        symlink(outside.path(), inside.path().join("dir/out")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("link")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        type Open = fn(&Root, &Path) -> io::Result<File>;
        let ways: [Open; 2] = [Root::file, Root::step_by_step];
        for open in ways {
            assert!(open(&root, Path::new("dir/file")).is_ok());
            assert!(open(&root, Path::new("dir/out/secret")).is_err());
            assert!(open(&root, Path::new("link")).is_err());
            assert!(open(&root, Path::new("dir/../../x")).is_err());
        }
    }
}
