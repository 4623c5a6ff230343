//! How commands fail: a message that says what to do, and an exit code.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hypercore::{Error, MAX_BLOCK_LEN};
use thiserror::Error as ThisError;

use crate::signals::Signal;

pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// The exit code of a command whose output nobody reads any more: what shells say of one that SIGPIPE ended.
const NOBODY_READS: u8 = 141;

#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    #[error("{0}")]
    CommandLine(String),
    #[error("{0}")]
    Core(#[from] Error),
    /// What happened to a store's directory, or to an archive.
    #[error("{}: {failure}", path.display())]
    At { path: PathBuf, failure: Box<Self> },
    #[error("what was received could not be stored: {0}")]
    NotStored(String),
    #[error("{what}: {error}")]
    File { what: String, error: std::io::Error },
    #[error("standard output: {0}")]
    Output(std::io::Error),
    /// The system does not give what a command needs to run.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    #[error("{what} has more than {MAX_BLOCK_LEN} bytes, the most that a block may have")]
    BlockTooLarge { what: String },
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Missing(String),
    #[error("cannot reach {address}: {error}")]
    Unreachable { address: String, error: std::io::Error },
    #[error("{0}")]
    NotDelivered(String),
    #[error("{0}")]
    DoesNotFit(String),
    #[error("interrupted")]
    Interrupted(Signal),
    #[error("the command ended in the middle: this is a mistake in it")]
    Panicked,
}

impl Failure {
    /// Says where it happened.
    pub(crate) fn at(self, path: &Path) -> Self {
        Self::At { path: path.to_owned(), failure: Box::new(self) }
    }

    /// Says where it happened, if it is the matter of a store in this directory.
    pub(crate) fn of_store(self, dir: &Path) -> Self {
        match self {
            Self::Core(Error::Storage(_) | Error::StorageConflict { .. } | Error::StorageEmpty { .. })
            | Self::NotStored(_) => self.at(dir),
            other => other,
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::CommandLine(_) => 2,
            Self::Missing(_) => 3,
            Self::At { failure, .. } => failure.code(),
            Self::Core(error) => match error.code() {
                "STORAGE_EMPTY" => 3,
                "SESSION_NOT_WRITABLE" => 4,
                "STORAGE_CONFLICT" | "INVALID_PROOF" | "INVALID_CHECKSUM" | "INVALID_SIGNATURE" => 6,
                "REQUEST_TIMEOUT" | "CONNECTION_FAILED" => 5,
                _ => 1,
            },
            Self::Unreachable { .. } | Self::NotDelivered(_) => 5,
            Self::DoesNotFit(_) => 6,
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => NOBODY_READS,
            Self::File { .. }
            | Self::Output(_)
            | Self::Start(_)
            | Self::NotStored(_)
            | Self::BlockTooLarge { .. }
            | Self::Refused(_)
            | Self::Panicked => 1,
            Self::Interrupted(signal) => signal.code(),
        }
    }

    /// Whether there is nothing to say: who asked for the end knows of it.
    fn is_quiet(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::Output(error) => error.kind() == ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}

pub(crate) fn report(failure: &Failure) -> ExitCode {
    if !failure.is_quiet() {
        crate::show::note(format_args!("hypercore: {failure}"));
    }
    ExitCode::from(failure.code())
}
