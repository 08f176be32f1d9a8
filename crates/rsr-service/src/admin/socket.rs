//! The admin socket's file: private, replaced when its server is dead, refused when it lives.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another server holds this path.
    #[error(
        "a server is already running on the admin socket {path}: stop it, or set RSR_ADMIN_SOCKET to another path",
        path = path.display()
    )]
    InUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is no socket stands at this path; it is left alone.
    #[error("{path} is not a socket: choose another path for the admin socket", path = path.display())]
    NotASocket {
        /// The path as given.
        path: PathBuf,
    },
    /// Others could put a socket of theirs at this path.
    #[error("the folder of the admin socket {path} can be written by others (mode {mode:04o}): give it a folder of its own", path = path.display())]
    OpenFolder {
        /// The socket's path.
        path: PathBuf,
        /// The folder's permissions.
        mode: u32,
    },
    /// The operating system refused.
    #[error("the admin socket {path} cannot be made", path = path.display())]
    Io {
        /// The path that was worked on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound admin socket. Its file goes when this does.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    path: PathBuf,
    inode: (u64, u64),
    owner_uid: u32,
    _lock: File,
}

impl AdminSocket {
    /// Binds `path` with mode 0600, in a folder that is made with mode 0700 where it is missing.
    ///
    /// A lock on a file beside the socket, held as long as the server lives, decides between two servers that start at
    /// once; what a dead server left is replaced.
    pub(crate) fn bind(path: &Path) -> Result<(Self, UnixListener), SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        private_folder(folder, path)?;
        let lock = lock(path)?;
        clear_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let socket = Self {
            path: path.to_owned(),
            inode: (metadata.dev(), metadata.ino()),
            owner_uid: metadata.uid(),
            _lock: lock,
        };
        Ok((socket, listener))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The user who owns the socket's file: the one this process runs as.
    pub(crate) const fn owner_uid(&self) -> u32 {
        self.owner_uid
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the admin socket's file stays behind");
        }
    }
}

fn private_folder(folder: &Path, path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
        path: folder.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let mode = fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(SocketError::OpenFolder {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let failed = |source| SocketError::Io {
        path: lock_path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SocketError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn clear_stale(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket {
            path: path.to_owned(),
        });
    }
    if UnixStream::connect(path).is_ok() {
        return Err(SocketError::InUse {
            path: path.to_owned(),
        });
    }
    tracing::info!(path = %path.display(), "replacing the admin socket of a server that is gone");
    fs::remove_file(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_and_its_folder_are_private_and_go_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/admin.sock");
        let (socket, _listener) = AdminSocket::bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_servers_socket_is_replaced_and_a_live_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a killed server leaves its file");
        let (first, listener) = AdminSocket::bind(&path).unwrap();
        let second = AdminSocket::bind(&path).unwrap_err();
        assert!(matches!(second, SocketError::InUse { .. }), "{second}");
        drop((first, listener));
        AdminSocket::bind(&path).unwrap();
    }

    #[tokio::test]
    async fn a_live_server_without_a_lock_is_seen_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _live = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(
            AdminSocket::bind(&path),
            Err(SocketError::InUse { .. })
        ));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn other_peoples_files_and_folders_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(
            AdminSocket::bind(&path),
            Err(SocketError::NotASocket { .. })
        ));
        assert_eq!(fs::metadata(&path).unwrap().len(), 4);

        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            AdminSocket::bind(&open.join("admin.sock")),
            Err(SocketError::OpenFolder { mode: 0o777, .. })
        ));
    }
}
