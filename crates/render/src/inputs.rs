//! Files that templates read by `file`.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::fcntl::OFlag;

/// A template is text for people; what is larger was meant for something else.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What was read and what it looked like then. What cannot be read (any more) keeps the content
/// that it had: like an error of the catalog, that is no answer.
#[derive(Default)]
pub(crate) struct Inputs {
    files: BTreeMap<PathBuf, Input>,
}

struct Input {
    stamp: Option<Stamp>,
    content: Option<Arc<str>>,
    trouble: Option<String>,
}

/// Another stamp, another content, as far as a file system can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Inputs {
    /// Follows this file; its content if it is read now and there is one.
    pub(crate) fn follow(&mut self, path: &Path) -> Option<Arc<str>> {
        if self.files.contains_key(path) {
            return None;
        }
        let input = self.files.entry(path.to_owned()).or_insert(Input {
            stamp: None,
            content: None,
            trouble: None,
        });
        input.read(path)
    }

    /// Whether this file is followed.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Does not follow the others any more.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&Path) -> bool) {
        self.files.retain(|path, _| wanted(path));
    }

    /// Whether no file is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Why this one cannot be read.
    pub(crate) fn trouble(&self, path: &Path) -> Option<&str> {
        self.files.get(path)?.trouble.as_deref()
    }

    /// Looks at all of them, and returns those whose content has changed.
    pub(crate) fn look(&mut self) -> Vec<(PathBuf, Arc<str>)> {
        let changed =
            |(path, input): (&PathBuf, &mut Input)| Some((path.clone(), input.read(path)?));
        self.files.iter_mut().filter_map(changed).collect()
    }
}

impl Input {
    /// The content, if it is another than before.
    fn read(&mut self, path: &Path) -> Option<Arc<str>> {
        match read(path, self.stamp) {
            Ok(None) => None,
            Ok(Some((stamp, content))) => {
                self.stamp = Some(stamp);
                self.trouble = None;
                if self.content.as_deref() == Some(content.as_str()) {
                    return None;
                }
                let content: Arc<str> = content.into();
                self.content = Some(Arc::clone(&content));
                Some(content)
            }
            Err(trouble) => {
                if self.content.is_some() && self.trouble.as_ref() != Some(&trouble) {
                    log::warn!("{}: {trouble}; what was in it stands", path.display());
                }
                self.stamp = None;
                self.trouble = Some(trouble);
                None
            }
        }
    }
}

/// `None`: it has the same stamp as before.
fn read(path: &Path, before: Option<Stamp>) -> Result<Option<(Stamp, String)>, String> {
    let in_words = |error: std::io::Error| error.to_string();
    if before.is_some() && before == Some(Stamp::of(&fs::metadata(path).map_err(in_words)?)) {
        return Ok(None);
    }
    // Without waiting for a writer, should it be a pipe.
    let flags = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(in_words)?;
    let found = file.metadata().map_err(in_words)?;
    if !found.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(in_words)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("has more than {} MB", LARGEST >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is no text (UTF-8)".to_owned())?;
    Ok(Some((Stamp::of(&found), text)))
}

impl Stamp {
    fn of(found: &fs::Metadata) -> Stamp {
        Stamp {
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn content_is_told_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("motd");
        let mut inputs = Inputs::default();
        assert_eq!(inputs.follow(&path), None);
        assert!(inputs.trouble(&path).unwrap().starts_with("No such file"));
        fs::write(&path, "one").unwrap();
        assert_eq!(inputs.look(), [(path.clone(), Arc::from("one"))]);
        assert_eq!((inputs.look(), inputs.trouble(&path)), (vec![], None));
        // As editors do it, and with the same content.
        fs::write(folder.path().join("new"), "one").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(inputs.look(), []);
        fs::write(&path, "two").unwrap();
        assert_eq!(inputs.look(), [(path.clone(), Arc::from("two"))]);
        // Gone: its content stands until there is another.
        fs::remove_file(&path).unwrap();
        assert_eq!(inputs.look(), []);
        assert!(inputs.trouble(&path).is_some());
        fs::write(&path, "two").unwrap();
        assert_eq!((inputs.look(), inputs.trouble(&path)), (vec![], None));
        inputs.keep(|_| false);
        assert!(inputs.is_empty());
    }

    #[test]
    fn what_is_no_text_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let trouble = |path: &Path| {
            let mut inputs = Inputs::default();
            assert_eq!(inputs.follow(path), None);
            inputs.trouble(path).unwrap().to_owned()
        };
        assert_eq!(trouble(folder.path()), "is no regular file");
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert_eq!(trouble(&pipe), "is no regular file");
        let bytes = folder.path().join("bytes");
        fs::write(&bytes, [0xff, 0xfe]).unwrap();
        assert_eq!(trouble(&bytes), "is no text (UTF-8)");
        let large = folder.path().join("large");
        fs::File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(trouble(&large), "has more than 16 MB");
    }
}
