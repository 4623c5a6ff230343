//! What the command line looks like.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hypercore::Key;

/// Secure, append-only logs that anybody can copy and verify.
///
/// A directory holds many logs ("cores"). Your own have names and can be appended to; those of others are copies that
/// are checked block by block against their key. The same directories work with Node's Corestore.
#[derive(Debug, Parser)]
#[command(version, about, long_about, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Example, in two terminals:
  hypercore create ./mine                    # prints the key of a new log
  echo hello | hypercore append ./mine       # one block for each line
  hypercore serve ./mine --port 9000         # stays in the foreground

  hypercore clone KEY --connect 127.0.0.1:9000 ./copy
  hypercore cat ./copy

Exit codes:
  0  done
  1  failed, see the message
  2  the command line is wrong
  3  there is no such store or log
  4  the log cannot be written here
  5  the peer could not be reached, or did not deliver
  130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a log that you can append to, and prints its key.
    Create(Create),
    /// Appends blocks: lines or whole files, from paths or from standard input.
    Append(Append),
    /// Writes the blocks of a log to standard output.
    Cat(Cat),
    /// Says what is known of a log.
    Info(Info),
    /// Lists the logs of a directory.
    Ls(Ls),
    /// Serves all logs of a directory to whoever connects and knows a key.
    Serve(Serve),
    /// Copies a log from a peer and verifies every block.
    Clone(CloneArgs),
}

/// Which log of a directory is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// The log with this name (default: the first log that was made in the directory).
    #[arg(long, conflicts_with = "key")]
    pub(crate) name: Option<String>,
    /// The log with this key (z-base-32 or hex).
    #[arg(long)]
    pub(crate) key: Option<Key>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The directory; it is made if it is missing.
    pub(crate) dir: PathBuf,
    /// The name of the log. The same name in the same directory is always the same log.
    #[arg(long, default_value = "log")]
    pub(crate) name: String,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Append {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// What to append; `-` or nothing is standard input.
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Each file becomes one block (default: each line does, without its line end).
    #[arg(long)]
    pub(crate) whole: bool,
    /// Returns only when the blocks would survive a power failure.
    #[arg(long)]
    pub(crate) sync: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The directory.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// The first block, from 0.
    #[arg(long, default_value_t = 0)]
    pub(crate) start: u64,
    /// One past the last block (default: the end of the log).
    #[arg(long, conflicts_with = "live")]
    pub(crate) end: Option<u64>,
    /// Goes on with what is appended. Alone it shows what this process receives, so use it with --connect.
    #[arg(long)]
    pub(crate) live: bool,
    /// Fetches blocks that are not here from this peer.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Option<String>,
    /// Writes blocks as they are, with nothing between them (default: a line end after each).
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The directory.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The TCP port; 0 takes a free one and says which.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The address to listen on. Peers need a log's key to read it, but everybody who reaches the port can try.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Also takes lines from standard input and appends them to this log while it serves.
    #[arg(long, value_name = "NAME")]
    pub(crate) append_stdin: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CloneArgs {
    /// The key of the log (z-base-32 or hex).
    pub(crate) key: Key,
    /// The directory to copy into; it is made if it is missing.
    pub(crate) dir: PathBuf,
    /// The peer.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: String,
    /// Stays connected and follows the log.
    #[arg(long)]
    pub(crate) live: bool,
    /// Gives up if nothing arrives for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Prints JSON at the end, and no progress.
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a number of seconds".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
