//! `hypercore serve`: everything in a directory, over TCP, to whoever knows a key.

use std::path::PathBuf;

use corestore::{Corestore, Hypercore, Role};
use tokio::net::{TcpListener, TcpStream};

use super::append::{append_all, say_what_is_stored};
use crate::args::Serve;
use crate::failure::{Failure, Result};
use crate::input::{Form, Input};
use crate::signals::Stop;
use crate::{place, show};

pub(crate) async fn run(args: Serve, mut stop: Stop) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let listener = listen(&args).await?;
    let log = match &args.append_stdin {
        Some(name) => Some(store.get(name).await?),
        None => None,
    };
    let before = log.as_ref().map_or(0, Hypercore::length);
    let done = tokio::select! {
        done = accept(&listener, &store) => done,
        done = take_lines(log.as_ref(), &mut stop) => done,
    };
    if let Some(log) = &log {
        say_what_is_stored(log, before);
    }
    let closed = store.close().await;
    match done {
        // that is how a server is meant to end
        Err(Failure::Interrupted(_)) => Ok(closed?),
        done => done,
    }
}

/// Listens, and says where.
async fn listen(args: &Serve) -> Result<TcpListener> {
    // an IPv6 address may be in brackets or not
    let host = args.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&args.host);
    let what = format!("listening on {} port {}", args.host, args.port);
    let failed = |error| Failure::File { what: what.clone(), error };
    let listener = TcpListener::bind((host, args.port)).await.map_err(failed)?;
    show::line(format_args!("listening on {}", listener.local_addr().map_err(failed)?))?;
    Ok(listener)
}

async fn accept(listener: &TcpListener, store: &Corestore) -> Result {
    loop {
        match listener.accept().await {
            Ok((transport, _)) => greet(transport, store),
            // the peer gave up, or we are short of descriptors: others must not suffer
            Err(error) => {
                show::note(format_args!("a connection was not accepted: {error}"));
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

fn greet(transport: TcpStream, store: &Corestore) {
    let from = transport.peer_addr().map_or_else(|_| "a peer".to_owned(), |address| address.to_string());
    let replication = match transport.set_nodelay(true) {
        Ok(()) => store.replicate(transport, Role::Responder),
        Err(error) => return show::note(format_args!("{from}: {error}")),
    };
    match replication {
        Ok(replication) => {
            show::note(format_args!("{from}: connected"));
            tokio::spawn(async move {
                match replication.closed().await {
                    Ok(()) => show::note(format_args!("{from}: gone")),
                    Err(error) => show::note(format_args!("{from}: closed: {error}")),
                }
            });
        }
        Err(error) => show::note(format_args!("{from}: {error}")),
    }
}

/// Appends lines from standard input as they come, if there is a log for them; then waits for a signal.
async fn take_lines(log: Option<&Hypercore>, stop: &mut Stop) -> Result {
    if let Some(log) = log {
        let mut input = Input::read(vec![PathBuf::from("-")], Form::Lines, 0)?;
        append_all(log, &mut input, stop).await?;
    }
    Err(Failure::Interrupted(stop.asked().await))
}
