//! The `hypercore` command: make, fill, read, serve and clone append-only logs.
//!
//! A directory is a Corestore, the same as Node's. Commands are thin: each opens the store, calls the library and shows
//! what came back. Exit codes are in [`failure`].

mod args;
mod commands;
mod failure;
mod place;
mod progress;
mod show;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HYPERCORE_LOG").unwrap_or_else(|_| "error".into()),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&failure::Failure::from(error)),
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = run(cli) => done,
            _ = tokio::signal::ctrl_c() => Err(failure::Failure::Interrupted),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}

async fn run(cli: Cli) -> failure::Result {
    match cli.command {
        Command::Create(args) => commands::create::run(args).await,
        Command::Append(args) => commands::append::run(args).await,
        Command::Cat(args) => commands::cat::run(args).await,
        Command::Info(args) => commands::info::run(args).await,
        Command::Ls(args) => commands::ls::run(args).await,
        Command::Serve(args) => commands::serve::run(args).await,
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
    }
}
