//! The log: appending, reading, fetching.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::TryStreamExt;
use hypercore::{
    AppendOptions, DownloadOptions, GetOptions, Hypercore, SeekOptions, TruncateOptions, UpdateOptions,
};
use serde_json::{Value, json};

use super::nothing;
use crate::agent::Agent;
use crate::fields::{Fields, b64};
use crate::fill;
use crate::reply::{Failure, Result};

pub(super) async fn append(agent: &Agent, fields: &Fields) -> Result {
    let mut options = AppendOptions::new();
    if let Some(length) = fields.opt_uint("maxLength")? {
        options = options.max_length(length);
    }
    if let Some(signature) = fields.opt_hex_bytes("signature")? {
        options = options.signature(signature);
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        options = options.key_pair(pair);
    }
    let appended = agent.core(fields)?.append_with(fields.b64_list("blocks")?, options).await?;
    Ok(json!({ "length": appended.length, "byteLength": appended.byte_length }))
}

pub(super) async fn append_many(agent: &Agent, fields: &Fields) -> Result {
    let (core, n, batch) = (agent.core(fields)?, fields.uint("n")?, fields.uint("batch")?.max(1));
    let size = block_size(fields)?;
    let mut next = fields.opt_uint("start")?.unwrap_or(0);
    let last = next.saturating_add(n);
    let started = Instant::now();
    while next < last {
        let end = next.saturating_add(batch).min(last);
        core.append_batch((next..end).map(|index| fill::block(index, size))).await?;
        next = end;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({ "length": core.length(), "byteLength": core.byte_length(), "seconds": seconds }))
}

/// Tasks that each wait for one append after the other. The sum of the lengths that they were told shows that each append
/// had a place of its own.
pub(super) async fn append_concurrent(agent: &Agent, fields: &Fields) -> Result {
    let (core, n, size) = (agent.core(fields)?, fields.uint("n")?, block_size(fields)?);
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..fields.uint("tasks")?)
        .map(|_| {
            let (core, next) = (core.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut lengths = 0_u64;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= n {
                        return Ok::<u64, Failure>(lengths);
                    }
                    lengths += core.append(fill::block(index, size)).await?.length;
                }
            })
        })
        .collect();
    let mut lengths = 0;
    for task in tasks {
        lengths += task.await.map_err(|_| Failure::bad_argument("a task panicked"))??;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({
        "length": core.length(), "byteLength": core.byte_length(), "lengths": lengths, "seconds": seconds,
    }))
}

fn block_size(fields: &Fields) -> Result<usize> {
    usize::try_from(fields.uint("size")?).map_err(|_| Failure::bad_argument("size is too large"))
}

fn get_options(fields: &Fields) -> Result<GetOptions> {
    let mut options = GetOptions::new();
    if let Some(wait) = fields.opt_bool("wait")? {
        options = options.wait(wait);
    }
    if let Some(timeout) = fields.millis("timeout")? {
        options = options.timeout(timeout);
    }
    Ok(options.raw(fields.flag("raw")?).decrypt(fields.opt_bool("decrypt")?.unwrap_or(true)))
}

pub(super) async fn get(agent: &Agent, fields: &Fields) -> Result {
    let block = agent.core(fields)?.get_with(fields.uint("index")?, get_options(fields)?).await?;
    Ok(json!({ "block": block.map(|block| b64(&block)) }))
}

pub(super) async fn get_many(agent: &Agent, fields: &Fields) -> Result {
    let (core, start, n) = (agent.core(fields)?, fields.uint("start")?, fields.uint("n")?);
    let check = fill::Check::new(fields.opt_uint("size")?);
    let started = Instant::now();
    let bytes = match fields.text("order")? {
        "seq" => get_each(&core, start..start.saturating_add(n), &check).await?,
        "rand" => {
            let among = fields.opt_uint("among")?.unwrap_or(n).max(1);
            get_each(&core, fill::random_order(start, n, among), &check).await?
        }
        "stream" => stream(&core, start, n, &check).await?,
        other => return Err(Failure::bad_argument(format!("unknown order {other}"))),
    };
    Ok(json!({ "bytes": bytes, "seconds": started.elapsed().as_secs_f64() }))
}

async fn get_each(core: &Hypercore, indices: impl Iterator<Item = u64>, check: &fill::Check) -> Result<u64> {
    let mut bytes = 0;
    for index in indices {
        let block = core.get(index).await?;
        check.block(index, &block)?;
        bytes += length(&block);
    }
    Ok(bytes)
}

async fn stream(core: &Hypercore, start: u64, n: u64, check: &fill::Check) -> Result<u64> {
    let mut blocks = core.read_stream(start..start.saturating_add(n));
    let (mut bytes, mut index) = (0, start);
    while let Some(block) = blocks.try_next().await? {
        check.block(index, &block)?;
        bytes += length(&block);
        index += 1;
    }
    Ok(bytes)
}

fn length(block: &[u8]) -> u64 {
    u64::try_from(block.len()).unwrap_or(u64::MAX)
}

pub(super) async fn has(agent: &Agent, fields: &Fields) -> Result {
    let start = fields.uint("start")?;
    let end = fields.opt_uint("end")?.unwrap_or_else(|| start.saturating_add(1));
    Ok(json!({ "has": agent.core(fields)?.has_range(start..end).await? }))
}

pub(super) async fn update(agent: &Agent, fields: &Fields) -> Result {
    let mut options = UpdateOptions::new().force(fields.flag("force")?);
    if let Some(wait) = fields.opt_bool("wait")? {
        options = options.wait(wait);
    }
    Ok(json!({ "updated": agent.core(fields)?.update_with(options).await? }))
}

fn wanted(agent: &Agent, fields: &Fields) -> Result<hypercore::Download> {
    let core = agent.core(fields)?;
    if let Some(blocks) = fields.uint_list("blocks")? {
        return Ok(core.download_blocks(blocks));
    }
    let start = fields.opt_uint("start")?.unwrap_or(0);
    let options = DownloadOptions { linear: fields.flag("linear")? };
    // as in Node, an end of -1 follows the log
    let end = fields.0.get("end").and_then(Value::as_u64);
    Ok(match end {
        Some(end) => core.download_with(start..end, options),
        None => core.download_with(start.., options),
    })
}

pub(super) async fn download(agent: &Agent, fields: &Fields) -> Result {
    wanted(agent, fields)?.done().await?;
    Ok(nothing())
}

pub(super) fn start_download(agent: &Agent, fields: &Fields) -> Result {
    let download = wanted(agent, fields)?;
    let id = agent.fresh();
    agent.handles().downloads.put(id, download);
    Ok(json!({ "download": id }))
}

pub(super) fn stop_download(agent: &Agent, fields: &Fields) -> Result {
    drop(agent.handles().downloads.take(fields.uint("download")?));
    Ok(nothing())
}

pub(super) async fn bytes(agent: &Agent, fields: &Fields) -> Result {
    let start = fields.opt_uint("byteOffset")?.unwrap_or(0);
    let core = agent.core(fields)?;
    let mut parts = match fields.opt_uint("byteLength")? {
        Some(length) => core.byte_stream(start..start.saturating_add(length)),
        None => core.byte_stream(start..),
    };
    let mut data = Vec::new();
    while let Some(part) = parts.try_next().await? {
        data.extend_from_slice(&part);
    }
    Ok(json!({ "data": b64(&data) }))
}

pub(super) async fn seek(agent: &Agent, fields: &Fields) -> Result {
    let mut options = SeekOptions::new();
    if let Some(wait) = fields.opt_bool("wait")? {
        options = options.wait(wait);
    }
    if let Some(timeout) = fields.millis("timeout")? {
        options = options.timeout(timeout);
    }
    let found = agent.core(fields)?.seek_with(fields.uint("bytes")?, options).await?;
    Ok(found.map_or_else(
        || json!({ "index": null }),
        |(index, offset)| json!({ "index": index, "offset": offset }),
    ))
}

pub(super) async fn truncate(agent: &Agent, fields: &Fields) -> Result {
    let mut options = TruncateOptions::new();
    if let Some(fork) = fields.opt_uint("fork")? {
        options = options.fork(fork);
    }
    if let Some(signature) = fields.opt_hex_bytes("signature")? {
        options = options.signature(signature);
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        options = options.key_pair(pair);
    }
    agent.core(fields)?.truncate_with(fields.uint("length")?, options).await?;
    Ok(nothing())
}

pub(super) async fn clear(agent: &Agent, fields: &Fields) -> Result {
    let start = fields.uint("start")?;
    let end = fields.opt_uint("end")?.unwrap_or_else(|| start.saturating_add(1));
    Ok(json!({ "blocks": agent.core(fields)?.clear(start..end).await? }))
}
