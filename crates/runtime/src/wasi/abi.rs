//! Numbers of WASI preview1.

/// Error numbers, as the guest sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Errno {
    /// No error.
    Success = 0,
    /// Bad file descriptor.
    BadDescriptor = 8,
    /// File exists.
    Exists = 20,
    /// File too large.
    FileTooBig = 22,
    /// Illegal byte sequence.
    IllegalSequence = 25,
    /// Invalid argument.
    Invalid = 28,
    /// I/O error.
    Io = 29,
    /// Is a directory.
    IsDirectory = 31,
    /// Too many open files.
    TooManyFiles = 33,
    /// Name too long.
    NameTooLong = 37,
    /// No such file or directory.
    NoEntry = 44,
    /// No space left.
    NoSpace = 51,
    /// Not a directory.
    NotDirectory = 54,
    /// Directory not empty.
    NotEmpty = 55,
    /// Not supported.
    NotSupported = 58,
    /// Value too large.
    Overflow = 61,
    /// Read-only file system.
    ReadOnly = 69,
    /// Invalid seek.
    Seek = 70,
    /// Capabilities insufficient.
    NotCapable = 76,
}

impl Errno {
    /// The number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }
}

/// File types.
pub mod filetype {
    /// Unknown: what stdin, stdout and stderr are, as with pipes.
    pub const UNKNOWN: u8 = 0;
    /// Directory.
    pub const DIRECTORY: u8 = 3;
    /// Regular file.
    pub const REGULAR_FILE: u8 = 4;
}

/// Rights of descriptors, the ones that are enforced.
pub mod rights {
    /// `fd_datasync`.
    pub const FD_DATASYNC: u64 = 1;
    /// `fd_read`, and with seek `fd_pread`.
    pub const FD_READ: u64 = 1 << 1;
    /// `fd_seek`.
    pub const FD_SEEK: u64 = 1 << 2;
    /// `fd_fdstat_set_flags`.
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    /// `fd_sync`.
    pub const FD_SYNC: u64 = 1 << 4;
    /// `fd_tell`.
    pub const FD_TELL: u64 = 1 << 5;
    /// `fd_write`, and with seek `fd_pwrite`.
    pub const FD_WRITE: u64 = 1 << 6;
    /// `fd_advise`.
    pub const FD_ADVISE: u64 = 1 << 7;
    /// `fd_allocate`.
    pub const FD_ALLOCATE: u64 = 1 << 8;
    /// `path_create_directory`.
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    /// `path_open` with `creat`.
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    /// `path_open`.
    pub const PATH_OPEN: u64 = 1 << 13;
    /// `fd_readdir`.
    pub const FD_READDIR: u64 = 1 << 14;
    /// `path_rename`, source.
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    /// `path_rename`, target.
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    /// `path_filestat_get`.
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    /// `path_open` with `trunc`.
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    /// `path_filestat_set_times`.
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    /// `fd_filestat_get`.
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    /// `fd_filestat_set_size`.
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    /// `fd_filestat_set_times`.
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    /// `path_remove_directory`.
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    /// `path_unlink_file`.
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    /// `poll_oneoff`.
    pub const POLL_FD_READWRITE: u64 = 1 << 27;

    /// Every right preview1 knows.
    pub const ALL: u64 = (1 << 30) - 1;
    /// What makes sense for a file.
    pub const FILE: u64 = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_SIZE
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE;
    /// What makes sense for a directory.
    pub const DIRECTORY: u64 = FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_DATASYNC
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_OPEN
        | FD_READDIR
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE
        | POLL_FD_READWRITE;
    /// Of stdin.
    pub const STDIN: u64 = FD_READ | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE;
    /// Of stdout and stderr.
    pub const STDOUT: u64 =
        FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | FD_SYNC | FD_DATASYNC | POLL_FD_READWRITE;
}

/// Flags of `path_open`.
pub mod oflags {
    /// Create the file if it is not there.
    pub const CREAT: u64 = 1;
    /// It must be a directory.
    pub const DIRECTORY: u64 = 2;
    /// It must not be there.
    pub const EXCL: u64 = 4;
    /// Cut it to nothing.
    pub const TRUNC: u64 = 8;
    /// Every flag.
    pub const ALL: u64 = 15;
}

/// Flags of descriptors.
pub mod fdflags {
    /// Writes go to the end.
    pub const APPEND: u16 = 1;
    /// Every flag: append, dsync, nonblock, rsync, sync.
    pub const ALL: u16 = 31;
}

/// Flags of `*_set_times`.
pub mod fstflags {
    /// Access time is given.
    pub const ATIM: u64 = 1;
    /// Access time is now.
    pub const ATIM_NOW: u64 = 2;
    /// Modification time is given.
    pub const MTIM: u64 = 4;
    /// Modification time is now.
    pub const MTIM_NOW: u64 = 8;
    /// Every flag.
    pub const ALL: u64 = 15;
}
