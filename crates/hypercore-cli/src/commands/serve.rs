//! `hypercore serve`: everything in a directory, over TCP, to whoever knows a key.

use std::io::BufRead;

use corestore::{Corestore, Hypercore, Role};
use tokio::net::{TcpListener, TcpStream};

use crate::args::Serve;
use crate::failure::{Failure, Result};
use crate::{place, show};

pub(crate) async fn run(args: Serve) -> Result {
    let store = place::existing(&args.dir, Corestore::builder()).await?;
    let address = format!("{}:{}", args.host, args.port);
    let unreachable = |error| Failure::Unreachable { address: address.clone(), error };
    let listener = TcpListener::bind(&address).await.map_err(unreachable)?;
    let log = match &args.append_stdin {
        Some(name) => Some(store.get(name).await?),
        None => None,
    };
    show::line(format_args!("listening on {}", listener.local_addr()?))?;
    tokio::select! {
        done = accept(&listener, &store) => done?,
        done = append_lines(log) => done?,
        _ = tokio::signal::ctrl_c() => {}
    }
    store.close().await?;
    Ok(())
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

/// Appends lines from standard input as they come; never done without a log.
async fn append_lines(log: Option<Hypercore>) -> Result {
    let Some(log) = log else { return std::future::pending().await };
    let (send, mut lines) = tokio::sync::mpsc::channel(64);
    // standard input blocks, so it has a thread of its own, which ends with the process
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        log.append(line).await?;
    }
    std::future::pending().await
}
