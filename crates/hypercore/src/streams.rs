//! Many blocks in order: [`ReadStream`], [`ByteStream`], [`WriteStream`].
//!
//! Runs of blocks that are stored here are read in one scan of the store, off the async threads, a chunk ahead of the
//! reader. Blocks that are not here are fetched from peers, with a linear download running ahead.
//!
//! [`ByteStream`] is the same by bytes, [`WriteStream`] the way in.
//!
//! Follows npm hypercore 11.37.1, `lib/streams.js`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Sink, Stream, StreamExt, TryStreamExt};

use crate::download::{BlockRange, Download, DownloadOptions};
use crate::{Error, GetOptions, Hypercore, Result};

/// Blocks of a range, in order. Made by [`Hypercore::read_stream`].
///
/// A slow reader holds at most one chunk (of 1 MiB or one block) in memory. Once the session is closed, the stream ends with
/// [`Error::SessionClosed`] or [`Error::RequestCancelled`].
#[must_use = "streams do nothing unless polled"]
pub struct ReadStream {
    session: Hypercore,
    state: State,
    ready: VecDeque<Bytes>,
}

enum State {
    Idle(Reader),
    Reading(BoxFuture<'static, (Reader, Result<Chunk>)>),
    Done,
}

/// Where a stream stands, and how it reads on.
struct Reader {
    core: Hypercore,
    next: u64,
    end: Option<u64>,
    live: bool,
    opened: bool,
    options: GetOptions,
    ahead: Option<Download>,
}

enum Chunk {
    Blocks(VecDeque<Bytes>),
    End,
}

impl ReadStream {
    pub(crate) fn new(core: Hypercore, range: BlockRange) -> Self {
        let reader = Reader {
            core: core.clone(),
            next: range.start,
            end: range.end,
            live: false,
            opened: false,
            options: GetOptions::new(),
            ahead: None,
        };
        Self { session: core, state: State::Idle(reader), ready: VecDeque::new() }
    }

    /// Goes on at the end of the log with what is appended later, for good. Only of ranges without an end.
    ///
    /// Set before the stream is polled.
    pub fn live(self, live: bool) -> Self {
        self.with(|reader| reader.live = live && reader.end.is_none())
    }

    /// Whether to wait for blocks that are not here (default: as the session has it). If not, the first one that is
    /// missing ends the stream with [`Error::BlockNotAvailable`].
    ///
    /// Set before the stream is polled.
    pub fn wait(self, wait: bool) -> Self {
        self.with(|reader| reader.options = reader.options.wait(wait))
    }

    /// How long to wait for each block that is not here.
    ///
    /// Set before the stream is polled.
    pub fn timeout(self, timeout: Option<Duration>) -> Self {
        self.with(|reader| reader.options = reader.options.timeout(timeout))
    }

    fn with(mut self, change: impl FnOnce(&mut Reader)) -> Self {
        if let State::Idle(reader) = &mut self.state {
            change(reader);
        }
        self
    }
}

impl std::fmt::Debug for ReadStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadStream").field("buffered", &self.ready.len()).finish_non_exhaustive()
    }
}

impl Stream for ReadStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if !self.ready.is_empty()
                && let Err(closed) = self.session.check_open()
            {
                self.ready.clear();
                self.state = State::Done;
                return Poll::Ready(Some(Err(closed)));
            }
            if let Some(block) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(block)));
            }
            let (reader, chunk) = match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Idle(reader) => {
                    self.state = State::Reading(Box::pin(reader.read()));
                    continue;
                }
                State::Reading(mut reading) => match reading.as_mut().poll(cx) {
                    Poll::Ready(read) => read,
                    Poll::Pending => {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    }
                },
            };
            match chunk {
                Ok(Chunk::Blocks(blocks)) => {
                    self.ready = blocks;
                    self.state = State::Idle(reader);
                }
                Ok(Chunk::End) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Reader {
    async fn read(mut self) -> (Self, Result<Chunk>) {
        let chunk = self.chunk().await;
        (self, chunk)
    }

    async fn chunk(&mut self) -> Result<Chunk> {
        self.core.check_open()?;
        self.open().await?;
        if self.end.is_some_and(|end| self.next >= end) {
            return Ok(Chunk::End);
        }
        let local = self.core.read_chunk(self.next, self.end).await?;
        let blocks = if local.is_empty() { VecDeque::from([self.fetch().await?]) } else { local };
        self.next = self.next.saturating_add(u64::try_from(blocks.len()).unwrap_or(u64::MAX));
        Ok(Chunk::Blocks(blocks))
    }

    /// Fixes the end of a stream that is not live to the length of the log now, as far as peers know it.
    async fn open(&mut self) -> Result<()> {
        if !self.opened && self.end.is_none() {
            self.core.update().await?;
            if !self.live {
                self.end = Some(self.core.length());
            }
        }
        self.opened = true;
        Ok(())
    }

    async fn fetch(&mut self) -> Result<Bytes> {
        let wanted = self.options.wait.unwrap_or(true);
        if self.ahead.is_none() && wanted && self.core.core().has_peers() {
            let range = BlockRange { start: self.next, end: self.end };
            self.ahead = Some(range.download(&self.core));
        }
        let block = self.core.get_with(self.next, self.options).await?;
        block.ok_or_else(|| Error::BlockNotAvailable {
            index: self.next,
            discovery_key: *self.core.discovery_key(),
        })
    }
}

impl BlockRange {
    fn download(self, core: &Hypercore) -> Download {
        let options = DownloadOptions { linear: true };
        match self.end {
            Some(end) => core.download_with(self.start..end, options),
            None => core.download_with(self.start.., options),
        }
    }
}

/// The bytes of a part of a log, in order, a block at a time. Made by [`Hypercore::byte_stream`].
#[must_use = "streams do nothing unless polled"]
pub struct ByteStream(BoxStream<'static, Result<Bytes>>);

/// Where a stream of bytes stands.
struct Bytewise {
    core: Hypercore,
    start: u64,
    /// Bytes that are still to come; none before the first poll of a stream without an end.
    left: Option<u64>,
    blocks: Option<ReadStream>,
    /// Bytes to leave out of the first block.
    skip: usize,
}

impl ByteStream {
    pub(crate) fn new(core: Hypercore, range: BlockRange) -> Self {
        let left = range.end.map(|end| end.saturating_sub(range.start));
        let state = Bytewise { core, start: range.start, left, blocks: None, skip: 0 };
        Self(futures_util::stream::try_unfold(state, Bytewise::next).boxed())
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteStream")
    }
}

impl Bytewise {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        self.core.check_open()?;
        let left = match self.left {
            Some(left) => left,
            None => {
                self.core.update().await?;
                self.core.byte_length().saturating_sub(self.start)
            }
        };
        if left == 0 {
            return Ok(None);
        }
        let blocks = match &mut self.blocks {
            Some(blocks) => blocks,
            None => {
                let Some((first, skip)) = self.core.seek(self.start).await? else { return Ok(None) };
                self.skip = usize::try_from(skip).unwrap_or(usize::MAX);
                self.blocks.insert(self.core.read_stream(first..))
            }
        };
        let Some(block) = blocks.try_next().await? else { return Ok(None) };
        let block = block.slice(std::mem::take(&mut self.skip).min(block.len())..);
        let block = block.slice(..block.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        self.left = Some(left - u64::try_from(block.len()).unwrap_or(left));
        Ok(Some((block, self)))
    }
}

/// How many blocks a write stream gathers while an append is under way.
const GATHERED_BLOCKS: usize = 4096;

/// Blocks that are appended as they come. Made by [`Hypercore::write_stream`].
///
/// While one batch is appended, the next one gathers; flushing or closing the stream waits until everything is stored.
#[must_use = "what was sent is stored only when the stream is flushed or closed"]
pub struct WriteStream {
    core: Hypercore,
    gathered: Vec<Bytes>,
    appending: Option<BoxFuture<'static, Result<()>>>,
}

impl WriteStream {
    pub(crate) const fn new(core: Hypercore) -> Self {
        Self { core, gathered: Vec::new(), appending: None }
    }

    /// Waits for the append that is under way, and begins the next one if there is anything to append.
    fn poll_append(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(appending) = &mut self.appending {
                let done = ready!(appending.as_mut().poll(cx));
                self.appending = None;
                done?;
            }
            if self.gathered.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let (core, blocks) = (self.core.clone(), std::mem::take(&mut self.gathered));
            self.appending = Some(Box::pin(async move { core.append_batch(blocks).await.map(drop) }));
        }
    }
}

impl std::fmt::Debug for WriteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteStream").field("gathered", &self.gathered.len()).finish_non_exhaustive()
    }
}

impl Sink<Bytes> for WriteStream {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.core.check_open()?;
        if self.gathered.len() < GATHERED_BLOCKS {
            return Poll::Ready(Ok(()));
        }
        self.poll_append(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, block: Bytes) -> Result<()> {
        self.gathered.push(block);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_append(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(cx)
    }
}
