//! What is to be appended: lines, or whole files, read on a thread of its own.
//!
//! A read may take as long as it likes (a terminal, a FIFO that nobody writes): nobody but that thread waits for it, and the
//! process can end meanwhile. What arrives together is handed over together, and nothing waits for more to come. Memory is
//! bounded: so many bytes wait to be appended, or one block that is larger.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hypercore::MAX_BLOCK_LEN;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::failure::{Failure, Result};

/// Bytes that are read at once, at most.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes that may wait to be appended, beside those that are.
const WAITING_BYTES: u32 = 2 << 20;
/// What a block costs in memory beside its bytes.
const BLOCK_BYTES: usize = 64;
/// Blocks that are appended at once: about so many bytes, and about so many blocks.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_BLOCKS: usize = 4096;

type Blocks = Vec<Vec<u8>>;

/// Blocks that wait to be appended, and the room that they take.
type Waiting = (Blocks, OwnedSemaphorePermit);

/// What one block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line, without its end.
    Lines,
    /// A whole file.
    Whole,
}

/// Blocks that are being read.
#[derive(Debug)]
pub(crate) struct Input {
    arriving: mpsc::UnboundedReceiver<Result<Waiting>>,
    /// What went wrong behind the blocks that were handed over last.
    failed: Option<Failure>,
}

impl Input {
    /// Starts to read files in order, without the first blocks of them all together; `-` is standard input. Needs a runtime.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn read(files: Vec<PathBuf>, form: Form, skip: u64) -> Result<Self> {
        let (send, arriving) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(usize::try_from(WAITING_BYTES).unwrap_or(usize::MAX)));
        let mut reader = Reader { send, room, runtime: Handle::current(), form, skip, seen: 0 };
        let work = move || {
            if let Err(End::Failed(failure)) = reader.read_all(&files) {
                // nobody listens any more if this fails
                let _ = reader.send.send(Err(failure));
            }
        };
        let thread = std::thread::Builder::new().name("input".into()).spawn(work);
        thread.map_err(|error| Failure::File { what: "reading the input".into(), error })?;
        Ok(Self { arriving, failed: None })
    }

    /// Waits for the next blocks, and returns what has arrived; nothing at the end of the input. Can be given up and called
    /// again.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::BlockTooLarge`], [`Failure::Refused`]: what was read before has been returned.
    pub(crate) async fn next(&mut self) -> Result<Blocks> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        let Some(arrived) = self.arriving.recv().await else { return Ok(Blocks::new()) };
        let (mut blocks, _) = arrived?;
        let mut bytes = bytes_of(&blocks);
        while bytes < BATCH_BYTES && blocks.len() < BATCH_BLOCKS {
            match self.arriving.try_recv() {
                Ok(Ok((more, _))) => {
                    bytes += bytes_of(&more);
                    blocks.extend(more);
                }
                Ok(Err(failure)) => {
                    self.failed = Some(failure);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(blocks)
    }
}

fn bytes_of(blocks: &Blocks) -> usize {
    blocks.iter().map(Vec::len).sum()
}

/// Why reading ended early.
enum End {
    Failed(Failure),
    /// Nobody wants the blocks any more.
    Unwanted,
}

struct Reader {
    send: mpsc::UnboundedSender<Result<Waiting>>,
    room: Arc<Semaphore>,
    runtime: Handle,
    form: Form,
    /// Blocks that are to be left out.
    skip: u64,
    /// Blocks that were read, with those that are left out.
    seen: u64,
}

impl Reader {
    fn read_all(&mut self, files: &[PathBuf]) -> Result<(), End> {
        // before anything is appended: a name that is wrong is the most frequent mistake
        files.iter().try_for_each(|file| can_be_read(file))?;
        for file in files {
            match self.form {
                Form::Lines => self.lines(file)?,
                Form::Whole => self.whole(file)?,
            }
        }
        if self.seen < self.skip {
            let (seen, skip) = (self.seen, self.skip);
            let what = if self.form == Form::Lines { "lines" } else { "files" };
            return Err(End::Failed(Failure::Refused(format!(
                "the input has only {seen} {what}: {skip} cannot be skipped"
            ))));
        }
        Ok(())
    }

    fn whole(&mut self, file: &Path) -> Result<(), End> {
        if self.seen < self.skip {
            self.seen += 1;
            return Ok(());
        }
        // one more byte than fits tells that it does not
        let limit = u64::try_from(MAX_BLOCK_LEN).unwrap_or(u64::MAX).saturating_add(1);
        let mut block = Vec::new();
        let read = open(file).and_then(|input| input.take(limit).read_to_end(&mut block));
        read.map_err(|error| failed(file, error))?;
        if block.len() > MAX_BLOCK_LEN {
            return Err(End::Failed(Failure::BlockTooLarge { what: called(file) }));
        }
        self.hand_over(vec![block])
    }

    fn lines(&mut self, file: &Path) -> Result<(), End> {
        let input = open(file).map_err(|error| failed(file, error))?;
        let mut input = BufReader::with_capacity(CHUNK_BYTES, input);
        let (mut line, mut number) = (Vec::new(), 1_u64);
        loop {
            let chunk = match input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(file, error)),
            };
            let len = chunk.len();
            if len == 0 {
                break;
            }
            let mut blocks = Blocks::new();
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                let text = part.strip_suffix(b"\n").unwrap_or(part);
                if line.len() + text.len() > MAX_BLOCK_LEN {
                    self.hand_over(blocks)?;
                    let what = format!("{}: line {number}", called(file));
                    return Err(End::Failed(Failure::BlockTooLarge { what }));
                }
                line.extend_from_slice(text);
                if text.len() < part.len() {
                    blocks.push(std::mem::take(&mut line));
                    number += 1;
                }
                if blocks.len() >= BATCH_BLOCKS {
                    self.hand_over(std::mem::take(&mut blocks))?;
                }
            }
            input.consume(len);
            self.hand_over(blocks)?;
        }
        // the last line of a file may have no end
        if line.is_empty() { Ok(()) } else { self.hand_over(vec![line]) }
    }

    /// Hands over what is not to be skipped.
    fn hand_over(&mut self, mut blocks: Blocks) -> Result<(), End> {
        let left_out = usize::try_from(self.skip.saturating_sub(self.seen)).unwrap_or(usize::MAX);
        self.seen = self.seen.saturating_add(u64::try_from(blocks.len()).unwrap_or(u64::MAX));
        blocks.drain(..left_out.min(blocks.len()));
        if blocks.is_empty() {
            return if self.send.is_closed() { Err(End::Unwanted) } else { Ok(()) };
        }
        let bytes = bytes_of(&blocks).saturating_add(blocks.len().saturating_mul(BLOCK_BYTES));
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(WAITING_BYTES);
        let room = self.runtime.block_on(Arc::clone(&self.room).acquire_many_owned(bytes));
        let waiting = (blocks, room.map_err(|_| End::Unwanted)?);
        self.send.send(Ok(waiting)).map_err(|_| End::Unwanted)
    }
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

/// What a file is called in messages.
fn called(file: &Path) -> String {
    if is_standard_input(file) { "standard input".into() } else { file.display().to_string() }
}

fn failed(file: &Path, error: std::io::Error) -> End {
    End::Failed(Failure::File { what: called(file), error })
}

/// Fails if a file is missing, is a directory, or may not be read. A FIFO is not opened: that could wait for a writer.
fn can_be_read(file: &Path) -> Result<(), End> {
    if is_standard_input(file) {
        return Ok(());
    }
    let metadata = std::fs::metadata(file).map_err(|error| failed(file, error))?;
    if metadata.is_dir() {
        return Err(failed(file, ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() {
        std::fs::File::open(file).map_err(|error| failed(file, error))?;
    }
    Ok(())
}

fn open(file: &Path) -> std::io::Result<Box<dyn Read>> {
    if is_standard_input(file) {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(Box::new(std::fs::File::open(file)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(mut input: Input) -> (Blocks, Option<Failure>) {
        let mut blocks = Blocks::new();
        loop {
            match input.next().await {
                Ok(more) if more.is_empty() => return (blocks, None),
                Ok(more) => blocks.extend(more),
                Err(failure) => return (blocks, Some(failure)),
            }
        }
    }

    #[tokio::test]
    async fn lines_lose_their_end_and_a_last_line_without_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "a\n\nb").unwrap();
        let input = |skip| Input::read(vec![file.clone(), file.clone()], Form::Lines, skip).unwrap();
        let (blocks, failure) = all(input(0)).await;
        assert_eq!(blocks, [&b"a"[..], b"", b"b", b"a", b"", b"b"]);
        assert!(failure.is_none());
        assert_eq!(all(input(4)).await.0, [&b""[..], b"b"]);
        assert!(matches!(all(input(6)).await, (blocks, None) if blocks.is_empty()));
        assert!(matches!(all(input(7)).await, (_, Some(Failure::Refused(_)))));
    }

    #[tokio::test]
    async fn a14_a_line_of_the_largest_size_is_read_and_a_longer_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        for (extra, fits) in [(0, true), (1, false)] {
            let line = "x".repeat(MAX_BLOCK_LEN + extra);
            std::fs::write(&file, format!("first\n{line}\nlast\n")).unwrap();
            let (blocks, failure) = all(Input::read(vec![file.clone()], Form::Lines, 0).unwrap()).await;
            assert_eq!(blocks.len(), if fits { 3 } else { 1 });
            let failure = failure.map(|failure| failure.to_string()).unwrap_or_default();
            assert_eq!(failure.contains(&format!("{}: line 2", file.display())), !fits, "{failure}");
        }
    }

    #[tokio::test]
    async fn what_waits_to_be_appended_is_bounded_and_all_of_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let total = 8000;
        std::fs::write(&file, format!("{}\n", "x".repeat(999)).repeat(total)).unwrap();
        let mut input = Input::read(vec![file], Form::Lines, 0).unwrap();
        let mut held = Vec::new();
        // nobody takes what was read: the reader waits
        while let Ok(Some(Ok(waiting))) =
            tokio::time::timeout(std::time::Duration::from_millis(300), input.arriving.recv()).await
        {
            held.push(waiting);
        }
        let bytes: usize = held.iter().map(|(blocks, _)| bytes_of(blocks)).sum();
        assert!((1..=WAITING_BYTES as usize).contains(&bytes), "{bytes}");
        let first: usize = held.iter().map(|(blocks, _)| blocks.len()).sum();
        drop(held);
        assert_eq!(first + all(input).await.0.len(), total);
    }

    #[tokio::test]
    async fn nothing_is_read_when_a_later_file_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let (file, missing) = (dir.path().join("file"), dir.path().join("missing"));
        std::fs::write(&file, "a\n").unwrap();
        for form in [Form::Lines, Form::Whole] {
            let files = vec![file.clone(), missing.clone()];
            let (blocks, failure) = all(Input::read(files, form, 0).unwrap()).await;
            assert!(blocks.is_empty());
            assert!(failure.unwrap().to_string().contains("missing"));
        }
    }
}
