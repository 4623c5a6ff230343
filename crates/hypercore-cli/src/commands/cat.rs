//! `hypercore cat`: the blocks of a log on standard output.

use std::time::Duration;

use corestore::{Corestore, Hypercore};
use futures_util::{FutureExt, TryStreamExt};
use hypercore::ReadStream;

use crate::args::Cat;
use crate::failure::{Failure, Result};
use crate::peer::{self, Peer};
use crate::show::Blocks;
use crate::{place, values};

/// How long a peer may take to say what it has of the log.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: Cat) -> Result {
    values::in_order(args.start, args.end)?;
    let store = match &args.connect {
        // blocks that are fetched are kept
        Some(_) => place::existing(&args.dir, Corestore::builder()).await?,
        None => place::to_read(&args.dir).await?,
    };
    let log = place::stored(&store, &args.which, &args.dir).await?;
    let peer = match &args.connect {
        Some(address) => {
            let mut peer = Peer::start(peer::reach(address).await?, address, &store, &log)?;
            peer.learn_length(&log, PATIENCE).await?;
            Some(peer)
        }
        None => None,
    };
    if !args.live {
        if let Some(peer) = peer.as_ref().filter(|_| log.is_empty()) {
            return Err(peer.has_nothing());
        }
        values::within(args.start, args.end, log.length())?;
    }
    let end = if args.live { None } else { Some(args.end.unwrap_or_else(|| log.length())) };
    let mut reading = Reading {
        log,
        next: args.start,
        end,
        block_end: if args.raw { b"" } else { b"\n" },
        out: Blocks::new(),
    };
    let done = match peer {
        Some(peer) => reading.with_peer(peer).await,
        None => reading.what_is_here().await,
    };
    // what came before a block that is missing is shown
    reading.out.flush().await?;
    done?;
    store.close().await?;
    Ok(())
}

/// Blocks on their way to standard output.
struct Reading {
    log: Hypercore,
    /// The block that is written next.
    next: u64,
    /// One past the last block; none goes on for good.
    end: Option<u64>,
    /// What stands behind each block.
    block_end: &'static [u8],
    out: Blocks,
}

impl Reading {
    fn stream(&self) -> ReadStream {
        match self.end {
            Some(end) => self.log.read_stream(self.next..end),
            None => self.log.read_stream(self.next..).live(true),
        }
    }

    async fn write(&mut self, block: &[u8]) -> Result {
        self.next = self.next.saturating_add(1);
        self.out.write(block, self.block_end).await
    }

    /// Copies up to the first block that is not stored here.
    async fn what_is_here(&mut self) -> Result {
        let mut blocks =
            self.log.read_stream(self.next..self.end.unwrap_or_else(|| self.log.length())).wait(false);
        while let Some(block) = blocks.try_next().await? {
            self.write(&block).await?;
        }
        Ok(())
    }

    /// Copies blocks that are here, or that a peer sends.
    async fn with_peer(&mut self, mut peer: Peer<'_>) -> Result {
        let mut blocks = self.stream();
        loop {
            let block = match blocks.try_next().now_or_never() {
                Some(block) => block,
                None => {
                    self.out.flush().await?;
                    tokio::select! {
                        biased;
                        block = blocks.try_next() => block,
                        trouble = peer.trouble() => return self.without_peer(trouble).await,
                    }
                }
            };
            match block? {
                Some(block) => self.write(&block).await?,
                None => return Ok(()),
            }
        }
    }

    /// Nothing more comes: what is here is still copied, and is enough if it is all.
    async fn without_peer(&mut self, trouble: Failure) -> Result {
        let copied = self.what_is_here().await;
        match copied {
            Ok(()) if self.end.is_some_and(|end| self.next >= end) => Ok(()),
            Ok(()) | Err(Failure::Core(hypercore::Error::BlockNotAvailable { .. })) => Err(trouble),
            failed => failed,
        }
    }
}
