//! Sends what the protocol has sealed, and keeps idle connections alive.

use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::limits;
use crate::Error;

/// Runs until the connection ends; then what is queued is still sent, as far as the peer takes it at once.
pub(super) async fn run(connection: Arc<Connection>, mut transport: impl AsyncWrite + Unpin) {
    let error = loop {
        let next = tokio::select! {
            biased;
            () = connection.ended.cancelled() => break None,
            () = connection.output.notified() => send(&connection, &mut transport).await,
            () = sleep(limits::KEEP_ALIVE) => {
                connection.protocol.lock().keep_alive();
                send(&connection, &mut transport).await
            }
        };
        if let Err(error) = next {
            break Some(error);
        }
    };
    if error.is_none() {
        let _ = timeout(limits::FAREWELL, send(&connection, &mut transport)).await;
        let _ = timeout(limits::FAREWELL, transport.shutdown()).await;
    }
    connection.end(error);
}

/// Sends everything that is queued.
async fn send(connection: &Connection, transport: &mut (impl AsyncWrite + Unpin)) -> Result<(), Error> {
    loop {
        let Some(bytes) = connection.protocol.lock().poll_transmit() else { break };
        let written = timeout(limits::STALL, transport.write_all(&bytes)).await;
        match written {
            Ok(Ok(())) => connection.work.notify_one(),
            Ok(Err(error)) => return Err(Error::Connection(error.to_string())),
            Err(_) => return Err(Error::Connection("the peer reads nothing".into())),
        }
    }
    transport.flush().await.map_err(|error| Error::Connection(error.to_string()))
}
