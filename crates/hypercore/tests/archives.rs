//! Archives that are damaged, and files that fail while one is written or read.

mod common;

use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};

use common::texts;
use hypercore::{Error, Hypercore, Import};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

#[tokio::test]
async fn an_archive_that_was_altered_or_cut_stores_nothing_wrong() {
    let core = common::filled(9).await;
    let mut file = Vec::new();
    core.export(.., &mut file).await.unwrap();
    let mut silent = 0;
    for at in 0..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let Ok(import) = Import::open(altered.as_slice()).await else { continue };
        let key = *import.key();
        let copy = Hypercore::builder().key(key).memory().await.unwrap();
        if import.into_core(&copy).await.is_ok() {
            silent += 1;
            assert_eq!(texts(&copy).await, texts(&core).await, "byte {at}");
        }
        for index in 0..copy.length().min(9) {
            if copy.has(index).await.unwrap() {
                assert_eq!(copy.get(index).await.unwrap(), core.get(index).await.unwrap(), "byte {at}");
            }
        }
    }
    // the ids of the proofs, and the patch field of a signature without patches, mean nothing
    assert!(silent < 30, "{silent} alterations were not noticed");
    for cut in 0..file.len() {
        let Ok(import) = Import::open(&file[..cut]).await else { continue };
        let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
        assert_eq!(import.into_core(&copy).await.unwrap_err().code(), "BAD_ARGUMENT", "{cut}");
    }
}

/// A file that takes, or has, so many bytes, and then fails as a full disk or a broken one does.
struct Failing(usize, std::io::ErrorKind);

impl Failing {
    /// How many of these bytes still pass.
    fn passed(&mut self, wanted: usize) -> std::io::Result<usize> {
        let passed = wanted.min(self.0);
        self.0 -= passed;
        if passed == 0 && wanted > 0 { Err(self.1.into()) } else { Ok(passed) }
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.passed(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(self.passed(1).map(|_| ()))
    }
}

#[tokio::test]
async fn regression_an_archive_that_cannot_be_written_or_read_says_where_and_why() {
    let core = common::filled(9).await;
    let mut file = Vec::new();
    core.export(.., &mut file).await.unwrap();
    let is_archive_error = |error: &Error, kind: ErrorKind| match error {
        Error::Archive { source, position, .. } => source.kind() == kind && *position <= file.len() as u64,
        _ => false,
    };
    for room in 0..file.len() {
        let full = core.export(.., Failing(room, ErrorKind::StorageFull)).await.unwrap_err();
        assert!(is_archive_error(&full, ErrorKind::StorageFull), "{room}: {full:?}");
        assert_eq!(full.code(), "WRITE_FAILED");
        // what was there was read, then the device failed
        let device = Failing(0, ErrorKind::PermissionDenied);
        let broken = match Import::open(file[..room].chain(device)).await {
            Ok(import) => {
                let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
                import.into_core(&copy).await.unwrap_err()
            }
            Err(error) => error,
        };
        assert!(is_archive_error(&broken, ErrorKind::PermissionDenied), "{room}: {broken:?}");
    }
    let full = core.export(.., Failing(52, ErrorKind::StorageFull)).await.unwrap_err();
    assert_eq!(full.to_string(), "writing the archive failed at byte 52: no storage space");
}
