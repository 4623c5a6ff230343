//! Finding Node and the pinned packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

/// Why there is no Node peer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeMissing {
    /// No Node on this machine.
    #[error("Node is not installed, or older than version 20; `cargo xtask setup` installs it where it may")]
    Node,
    /// Its packages are not installed.
    #[error(
        "the Node packages are not installed in interop/; run `cargo xtask setup`, or `npm ci` in that folder"
    )]
    Packages,
}

/// The folder of the Node peers.
#[must_use]
pub fn interop_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop")
}

pub(crate) fn find() -> Result<(), NodeMissing> {
    let version = Command::new("node").arg("--version").output().map_err(|_| NodeMissing::Node)?;
    let version = String::from_utf8_lossy(&version.stdout);
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        return Err(NodeMissing::Node);
    }
    if interop_dir().join("node_modules/hypercore/package.json").is_file() {
        Ok(())
    } else {
        Err(NodeMissing::Packages)
    }
}

/// Whether tests with Node can run here. Only where the environment says `HYPERCORE_SKIP_NODE=1` may they be left out, and
/// then they say so.
///
/// # Panics
/// If Node or its packages are missing and nothing says that they may be.
#[must_use]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn node_or_skip(test: &str) -> bool {
    if std::env::var_os("HYPERCORE_SKIP_NODE").is_some_and(|value| value == "1") {
        eprintln!("{test}: LEFT OUT, since HYPERCORE_SKIP_NODE=1");
        return false;
    }
    match find() {
        Ok(()) => true,
        Err(missing) => panic!("{test} needs Node: {missing}. HYPERCORE_SKIP_NODE=1 leaves such tests out."),
    }
}
