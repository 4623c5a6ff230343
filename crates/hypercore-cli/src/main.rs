//! The `hypercore` command: make, fill, read, serve and clone append-only logs.
//!
//! A directory is a Corestore, the same as Node's. Commands are thin: each opens the store, calls the library and shows
//! what came back. Exit codes are in [`failure`].

mod args;
mod commands;
mod failure;
mod input;
mod peer;
mod place;
mod progress;
mod show;
mod signals;
mod values;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use clap::Parser;

use args::{Cli, Command};
use failure::{Failure, Result};
use signals::{Signal, Stop};

/// What is logged where `HYPERCORE_LOG` does not say it. Commands that fetch say themselves what could not be stored.
const LOGGED: &str = "error,hypercore::core::apply=off";
/// How long a command that was asked to end may take to bring to its end what it has begun.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what is being written may take when the process ends.
const LAST_WRITES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HYPERCORE_LOG").unwrap_or_else(|_| LOGGED.into()),
        )
        .init();
    match conduct(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}

/// What happens to a command.
enum News {
    Asked(Signal),
    Done(Result),
}

/// Runs a command until it is done, or until a signal asks it to end.
fn conduct(cli: Cli) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Start)?;
    let (tell, news) = channel();
    let asked = tell.clone();
    // nobody listens any more when this fails
    let seen = move |signal| drop(asked.send(News::Asked(signal)));
    let stop = signals::watch(seen).map_err(Failure::Start)?;
    let ends_itself = cli.command.ends_itself();
    let command = runtime.spawn(run(cli, stop));
    let abort = command.abort_handle();
    runtime.spawn(async move {
        let done = command.await.unwrap_or(Err(Failure::Panicked));
        drop(tell.send(News::Done(done)));
    });
    let done = outcome(&news, ends_itself);
    abort.abort();
    runtime.shutdown_timeout(LAST_WRITES);
    done
}

/// Waits for the end of a command. One that brings its work to an end by itself when it is asked to gets some time for it; a
/// second signal ends that, too.
fn outcome(news: &Receiver<News>, ends_itself: bool) -> Result {
    let signal = match news.recv() {
        Ok(News::Done(done)) => return done,
        Ok(News::Asked(signal)) => signal,
        Err(_) => return Err(Failure::Panicked),
    };
    match news.recv_timeout(if ends_itself { PATIENCE } else { Duration::ZERO }) {
        Ok(News::Done(done)) => done,
        _ => Err(Failure::Interrupted(signal)),
    }
}

async fn run(cli: Cli, stop: Stop) -> Result {
    let dir = cli.command.dir().map(ToOwned::to_owned);
    let done = match cli.command {
        Command::Create(args) => commands::create::run(args).await,
        Command::Append(args) => commands::append::run(args, stop).await,
        Command::Cat(args) => commands::cat::run(args).await,
        Command::Info(args) => commands::info::run(args).await,
        Command::Ls(args) => commands::ls::run(args).await,
        Command::Serve(args) => commands::serve::run(args, stop).await,
        Command::Clone(args) => commands::clone::run(args).await,
        Command::Tail(args) => commands::tail::run(args).await,
        Command::Truncate(args) => commands::truncate::run(args).await,
        Command::Clear(args) => commands::clear::run(args).await,
        Command::Rm(args) => commands::rm::run(args).await,
        Command::Compact(args) => commands::compact::run(args).await,
        Command::Verify(args) => commands::verify::run(args).await,
        Command::Repair(args) => commands::repair::run(args).await,
        Command::Export(args) => commands::export::run(args).await,
        Command::Import(args) => commands::import::run(args).await,
    };
    match dir {
        Some(dir) => done.map_err(|failure| failure.of_store(&dir)),
        None => done,
    }
}
