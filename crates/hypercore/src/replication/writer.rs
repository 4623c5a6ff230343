//! Sends what the protocol has sealed, and keeps idle connections alive.

use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::limits;
use crate::Error;

/// Runs until the connection ends; then what is queued is still sent, as far as the peer takes it at once.
pub(super) async fn run(connection: Arc<Connection>, mut transport: impl AsyncWrite + Unpin) {
    loop {
        tokio::select! {
            biased;
            () = connection.ended.cancelled() => break,
            () = connection.output.notified() => {}
            () = sleep(limits::KEEP_ALIVE) => connection.protocol.lock().keep_alive(),
        }
        match send_or_end(&connection, &mut transport).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return connection.end(Some(error)),
            None => return,
        }
    }
    // the peer may be gone, and then there is nobody to say farewell to
    let _ = timeout(limits::FAREWELL, send(&connection, &mut transport)).await;
    let _ = timeout(limits::FAREWELL, transport.shutdown()).await;
}

/// Sends everything that is queued. None if the connection ended meanwhile and the peer did not take the rest.
async fn send_or_end(
    connection: &Connection,
    transport: &mut (impl AsyncWrite + Unpin),
) -> Option<Result<(), Error>> {
    let sending = send(connection, transport);
    tokio::pin!(sending);
    tokio::select! {
        biased;
        sent = &mut sending => Some(sent),
        () = connection.ended.cancelled() => timeout(limits::FAREWELL, sending).await.ok(),
    }
}

/// Sends what the peer takes, and returns what is left. A slow peer is given time as long as it takes anything at all.
async fn write_some<'a>(
    transport: &mut (impl AsyncWrite + Unpin),
    bytes: &'a [u8],
) -> Result<&'a [u8], Error> {
    match timeout(limits::STALL, transport.write(bytes)).await {
        Ok(Ok(0)) => Err(Error::Connection("the transport takes no more bytes".into())),
        Ok(Ok(written)) => Ok(bytes.get(written..).unwrap_or_default()),
        Ok(Err(error)) => Err(Error::Connection(error.to_string())),
        Err(_) => Err(Error::Connection("the peer reads nothing".into())),
    }
}

/// Sends everything that is queued.
async fn send(connection: &Connection, transport: &mut (impl AsyncWrite + Unpin)) -> Result<(), Error> {
    loop {
        let Some(bytes) = connection.protocol.lock().poll_transmit() else { break };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            rest = write_some(transport, rest).await?;
        }
        // there is room for answers again
        connection.work.notify_one();
    }
    transport.flush().await.map_err(|error| Error::Connection(error.to_string()))
}
