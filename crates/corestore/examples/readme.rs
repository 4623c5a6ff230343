//! The example of the project's README: one process writes a log and serves it, another copies it and follows.
//!
//! Here both are in one program, each with a directory of its own. `cargo xtask tidy` compares the README with this file.

use corestore::{Corestore, Role};
use futures_util::TryStreamExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mine, theirs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;

    let store = Corestore::open(&mine).await?;
    let log = store.get("log").await?; // by name: writable, and the same log each time
    log.append("hello").await?;
    let served = store.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = served.replicate(socket, Role::Responder); // every log whose key the peer knows
        }
    });

    let copies = Corestore::open(&theirs).await?; // elsewhere
    copies.replicate(TcpStream::connect(addr).await?, Role::Initiator)?;
    let copy = copies.get(*log.key()).await?; // by key: a reader
    assert_eq!(copy.get(0).await?, "hello"); // fetched, verified, stored, returned
    let mut blocks = copy.read_stream(1..).live(true);
    log.append("world").await?;
    assert_eq!(blocks.try_next().await?, Some("world".into()));

    copies.close().await?;
    store.close().await?;
    Ok(())
}
