//! Files whole or not at all: what every source, table, model and plot is read and written with.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that whoever opens `path`, even after a crash, finds the old content or the new, never a part.
///
/// The bytes go to a temporary file in the same folder, which is flushed to the disk and then renamed over `path`; the
/// rename is flushed too. If `write` fails, `path` is untouched and the temporary file is gone. A symbolic link is
/// followed, and the permissions of a file that is replaced are kept. A device or a pipe, such as `/dev/stdout`, is
/// written to as it is: there is nothing to replace.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("note.txt");
/// fb_data::file::write_atomic(&path, |writer| writer.write_all(b"all of it"))?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `write` failed, or the folder does not exist, is full or cannot be written to.
pub fn write_atomic(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    try_write(path, write).map_err(|source| Error::File {
        action: "write",
        path: path.to_path_buf(),
        help: match source.kind() {
            io::ErrorKind::NotFound => "create the folder first; only the file itself is made",
            io::ErrorKind::StorageFull => {
                "free some space; the file that was there before is untouched"
            }
            _ => "check the path and its permissions; the file that was there before is untouched",
        },
        source,
    })
}

/// All bytes of a file.
///
/// # Errors
/// The file does not exist or cannot be read.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    fs::read(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_path_buf(),
        help: match source.kind() {
            io::ErrorKind::NotFound => "check the path; relative paths start in the current folder",
            _ => "check the path and its permissions",
        },
        source,
    })
}

fn try_write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Renaming over a symbolic link would replace the link, not what it points to.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(is_special) {
        let mut file = BufWriter::new(File::options().write(true).open(&target)?);
        write(&mut file)?;
        return file.flush();
    }
    let folder = folder_of(&target);
    // Made by ourselves: the crate's own way marks errors with the temporary name, which nobody asked for, and makes files
    // private, while these become ordinary files.
    let mut temporary = tempfile::Builder::new()
        .prefix(".fb-")
        .suffix(".tmp")
        .make_in(&folder, |path| File::create_new(path))?;
    let mut writer = BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    if let Some(old) = old {
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(&target)?;
    sync_folder(&folder)
}

/// Whether this is neither a file nor a folder: a rename would take a device or a pipe away from everybody.
fn is_special(metadata: &fs::Metadata) -> bool {
    !metadata.is_file() && !metadata.is_dir()
}

/// The folder that holds the file.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// A rename survives a power cut only once its folder is on the disk. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        write_atomic(&path, |writer| writer.write_all(b"old")).unwrap();
        let error = write_atomic(&path, |writer| {
            writer.write_all(&[7; 1 << 20])?;
            Err(io::Error::other("the disk went away"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("the disk went away"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_shorter_file_replaces_a_longer_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        for content in [&b"a long content"[..], b"short", b""] {
            write_atomic(&path, |writer| writer.write_all(content)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomic(folder.path().join("no/such/file"), |_| Ok(())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("help: create the folder first"), "{text}");
        // The temporary file in the same folder is nobody's business.
        assert!(text.contains("no/such/file\n"), "{text}");
        assert_eq!(text.matches("no/such").count(), 1, "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_stays() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        write_atomic(&link, |writer| writer.write_all(b"gone")).unwrap();
        let kind = fs::metadata("/dev/null").unwrap().file_type();
        assert!(kind.is_char_device());
        assert_eq!(fs::read(&link).unwrap(), b"");
        assert_eq!(names(folder.path()), ["null"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_atomic(&link, |writer| writer.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(
            fs::symlink_metadata(&link)
                .unwrap()
                .file_type()
                .is_symlink()
        );
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }
}
