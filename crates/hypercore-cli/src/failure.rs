//! How commands fail: a message that says what to do, and an exit code.

use std::process::ExitCode;

use hypercore::Error;
use thiserror::Error as ThisError;

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    #[error("{0}")]
    Core(#[from] Error),
    #[error("{what}: {error}")]
    File { what: String, error: std::io::Error },
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Missing(String),
    #[error("cannot reach {address}: {error}")]
    Unreachable { address: String, error: std::io::Error },
    #[error("{0}")]
    NotDelivered(String),
    #[error("{0}")]
    DoesNotFit(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Missing(_) => 3,
            Self::Core(error) => match error.code() {
                "STORAGE_EMPTY" => 3,
                "SESSION_NOT_WRITABLE" => 4,
                "STORAGE_CONFLICT" | "INVALID_PROOF" | "INVALID_CHECKSUM" | "INVALID_SIGNATURE" => 6,
                "REQUEST_TIMEOUT" | "CONNECTION_FAILED" => 5,
                _ => 1,
            },
            Self::Unreachable { .. } | Self::NotDelivered(_) => 5,
            Self::DoesNotFit(_) => 6,
            Self::File { .. } | Self::Io(_) => 1,
            Self::Interrupted => 130,
        }
    }
}

pub(crate) fn report(failure: &Failure) -> ExitCode {
    if !matches!(failure, Failure::Interrupted) {
        use std::io::Write;
        // nobody is left to tell if this fails
        let _ = writeln!(std::io::stderr(), "hypercore: {failure}");
    }
    ExitCode::from(failure.code())
}
