//! The file that has our process id while we run.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Takes its file away when it is dropped.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(path: &Path) -> io::Result<PidFile> {
        fs::write(path, format!("{}\n", std::process::id()))?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have taken it, or the folder with it.
        let ours = fs::read_to_string(&self.0)
            .is_ok_and(|text| text.trim() == std::process::id().to_string());
        if ours && let Err(error) = fs::remove_file(&self.0) {
            log::warn!("pid file {}: cannot be removed: {error}", self.0.display());
        }
    }
}
