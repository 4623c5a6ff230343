//! What the command line looks like.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hypercore::Key;

use crate::values::{Address, count, seconds};

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
  6  something in the directory or the file does not fit together
  130, 143  interrupted by Ctrl-C, or by a request to terminate (`serve` ends with 0)
  141  nobody reads the output any more";

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
    /// Shows what is appended to a log by another process, as it comes.
    Tail(Tail),
    /// Cuts a log: the blocks behind a length are gone for good.
    Truncate(Truncate),
    /// Takes blocks away from here; the log stays as long as it is.
    Clear(Clear),
    /// Takes a log away from a directory, with everything that belongs to it.
    Rm(Rm),
    /// Reclaims the space on disk of what was deleted.
    Compact(Compact),
    /// Checks everything in a directory: signatures, hashes, blocks, names.
    Verify(Verify),
    /// Shows what would be done about what does not fit, and does it if asked to.
    Repair(Repair),
    /// Writes a log, or a part of it, to one file that verifies with nothing but the key.
    Export(Export),
    /// Verifies such a file, and stores what it holds.
    Import(Import),
}

impl Command {
    /// The directory with the store, where there is one.
    pub(crate) fn dir(&self) -> Option<&Path> {
        Some(match self {
            Self::Create(args) => &args.dir,
            Self::Append(args) => &args.dir,
            Self::Cat(args) => &args.dir,
            Self::Info(args) => &args.dir,
            Self::Ls(args) => &args.dir,
            Self::Serve(args) => &args.dir,
            Self::Clone(args) => &args.dir,
            Self::Tail(args) => &args.dir,
            Self::Truncate(args) => &args.dir,
            Self::Clear(args) => &args.dir,
            Self::Rm(args) => &args.dir,
            Self::Compact(args) => &args.dir,
            Self::Verify(args) => &args.dir,
            Self::Repair(args) => &args.dir,
            Self::Export(args) => &args.dir,
            Self::Import(args) => return args.dir.as_deref(),
        })
    }

    /// Whether it brings its work to an end by itself when it is asked to end: it says then how far it came.
    pub(crate) const fn ends_itself(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Serve(_))
    }
}

/// Which log of a directory is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// The log with this name (default: the log that was made first in the directory or, once that was removed, the only one
    /// that is left).
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
    /// Leaves out the first lines (with --whole: files) of the input. An append that ends early says how many blocks it has
    /// stored; with them left out, the same command goes on where it ended.
    #[arg(long, value_name = "BLOCKS", default_value_t = 0, value_parser = count())]
    pub(crate) skip: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The directory.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// The first block, from 0.
    #[arg(long, default_value_t = 0, value_parser = count())]
    pub(crate) start: u64,
    /// One past the last block (default: the end of the log).
    #[arg(long, conflicts_with = "live", value_parser = count())]
    pub(crate) end: Option<u64>,
    /// Goes on with what the peer sends (`tail` goes on with what another process appends here).
    #[arg(long, requires = "connect")]
    pub(crate) live: bool,
    /// Fetches blocks that are not here from this peer, and keeps them. Without it nothing is written to the directory.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Option<Address>,
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
    pub(crate) connect: Address,
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

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// The directory. Another process may have it open for writing.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// How many of the last blocks are shown first.
    #[arg(long, default_value_t = 10, value_parser = count())]
    pub(crate) last: u64,
    /// Looks for more every so many seconds; 0 shows what is there and ends.
    #[arg(long, value_name = "SECONDS", default_value = "0.2", value_parser = seconds)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Truncate {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// How many blocks stay.
    #[arg(value_parser = count())]
    pub(crate) length: u64,
    #[command(flatten)]
    pub(crate) which: Which,
    /// The fork to go to (default: the next one).
    #[arg(long, value_parser = count())]
    pub(crate) fork: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The first block that goes.
    #[arg(value_parser = count())]
    pub(crate) start: u64,
    /// One past the last block that goes (default: only the first).
    #[arg(value_parser = count())]
    pub(crate) end: Option<u64>,
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The directory.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Does it. Without this, what would go is only shown.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// The directory.
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The directory. Nothing in it is written; another process may have it open.
    pub(crate) dir: PathBuf,
    /// Only the log with this key (z-base-32 or hex).
    #[arg(long)]
    pub(crate) key: Option<Key>,
    /// Prints JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// Does it. Without this, what would be done is only shown.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The directory.
    pub(crate) dir: PathBuf,
    /// The file; `-` is standard output. It is replaced only by a whole archive.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) which: Which,
    /// The first block, from 0.
    #[arg(long, default_value_t = 0, value_parser = count())]
    pub(crate) start: u64,
    /// One past the last block (default: the end of the log).
    #[arg(long, value_parser = count())]
    pub(crate) end: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,
    /// The directory to store it in; it is made if it is missing. None only verifies.
    pub(crate) dir: Option<PathBuf>,
    /// The key that the file must be of (z-base-32 or hex).
    #[arg(long)]
    pub(crate) key: Option<Key>,
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
