//! `hypercore append`: lines or whole files become blocks.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use corestore::{Corestore, Hypercore};
use hypercore::{Durability, MAX_BLOCK_LEN};

use crate::args::Append;
use crate::failure::{Failure, Result};
use crate::{place, show};

/// Lines are appended in batches of about so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// And of at most so many blocks.
const BATCH_BLOCKS: usize = 4096;

pub(crate) async fn run(args: Append) -> Result {
    let durability = if args.sync { Durability::Sync } else { Durability::Buffered };
    let store = place::existing(&args.dir, Corestore::builder().durability(durability)).await?;
    let log = place::stored(&store, &args.which, &args.dir).await?;
    if !log.writable() {
        // said before anything is read from standard input
        return Err(hypercore::Error::SessionNotWritable { discovery_key: *log.discovery_key() }.into());
    }
    let before = log.length();
    let files = if args.files.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    for file in &files {
        append_file(&log, file, args.whole).await?;
    }
    show::note(format_args!(
        "{} blocks appended; the log has {} blocks, {} bytes",
        log.length().saturating_sub(before),
        log.length(),
        log.byte_length(),
    ));
    store.close().await?;
    Ok(())
}

async fn append_file(log: &Hypercore, file: &Path, whole: bool) -> Result {
    let failed = |error| Failure::File { what: file.display().to_string(), error };
    let mut input: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(std::fs::File::open(file).map_err(failed)?))
    };
    if whole {
        // one more byte than fits, so that the library refuses it by its size
        let limit = u64::try_from(MAX_BLOCK_LEN).unwrap_or(u64::MAX).saturating_add(1);
        let mut block = Vec::new();
        input.by_ref().take(limit).read_to_end(&mut block).map_err(failed)?;
        log.append(block).await?;
        return Ok(());
    }
    loop {
        let lines = next_lines(&mut *input).map_err(failed)?;
        if lines.is_empty() {
            return Ok(());
        }
        log.append_batch(lines).await?;
    }
}

/// The next lines, without their ends; none at the end of the input.
fn next_lines(input: &mut dyn BufRead) -> std::io::Result<Vec<Vec<u8>>> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while lines.len() < BATCH_BLOCKS && bytes < BATCH_BYTES {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        bytes += line.len();
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_end_and_a_last_line_without_one_counts() {
        let mut input = std::io::Cursor::new(b"a\n\nb".to_vec());
        assert_eq!(next_lines(&mut input).unwrap(), [b"a".to_vec(), b"".to_vec(), b"b".to_vec()]);
        assert!(next_lines(&mut input).unwrap().is_empty());
    }
}
