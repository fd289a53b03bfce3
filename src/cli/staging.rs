//! Files that appear under their names only when they are complete.
use std::path::Path;

use indextts::Error;
use tempfile::NamedTempFile;

use super::Failure;

/// A temporary file beside `target`, whose directory is made.
pub fn staged(target: &Path) -> Result<NamedTempFile, Failure> {
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; a result has the permissions of any other new file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    Ok(builder.tempfile_in(parent).map_err(Error::io("write into", parent))?)
}

/// Gives a complete file its name. A device or a pipe of that name is kept.
pub fn publish(file: NamedTempFile, target: &Path) -> Result<(), Failure> {
    if std::fs::metadata(target).is_ok_and(|m| !m.is_file()) {
        let what = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it is not a regular file; name another");
        return Err(Error::io("put in place", target)(what).into());
    }
    file.as_file().sync_all().map_err(Error::io("write", target))?;
    file.persist(target).map_err(|e| Error::io("put in place", target)(e.error))?;
    Ok(())
}
