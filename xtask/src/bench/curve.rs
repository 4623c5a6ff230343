//! `cargo xtask bench --curve`: what an operation costs as the log grows, and how much memory a long log takes.
//!
//! One log grows from 10^4 to 10^7 blocks of 100 bytes: so small that ten million of them fit the disk, and that what a
//! block costs beside its bytes is what shows. Growing to each length is timed, and the store compacted; then a fresh process
//! reads blocks at random, and some open the log and read its last block. Node's log grows to 10^6.

use hc_interop::json;
use serde_json::Value;

use super::plot::{self, Curve};
use super::report::{spread, write};
use super::workloads::{self, call, seconds};
use super::{Bench, Options, Side};
use crate::{Outcome, shell};

/// Bytes of a block.
const SIZE: u64 = 100;
/// Blocks of a batch.
const BATCH: u64 = 1000;
/// Blocks that are appended at once: each request must be answered in time.
const STEP: u64 = 500_000;
/// Blocks that are read to see what reading costs.
const READ: u64 = 50_000;
/// Openings, of which the median counts.
const OPENINGS: usize = 5;
/// Powers of ten of the lengths.
const POWERS: std::ops::RangeInclusive<u32> = 4..=7;
/// Node's log grows no longer than this power of ten: it takes minutes.
const NODE_POWER: u32 = 6;
/// Blocks that are read at random before memory is looked at.
const MEMORY_READ: u64 = 1000;

/// What was measured at one length, in microseconds for one operation.
struct Point {
    blocks: u64,
    append: f64,
    get: f64,
    open: f64,
    /// Resident bytes of a fresh process that has read the last block and some at random.
    rss: u64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Outcome {
    let most = if options.smoke { *POWERS.start() } else { *POWERS.end() };
    let ours = grow(bench, Side::Rust, most)?;
    let node = grow(bench, Side::Node, most.min(NODE_POWER))?;
    println!(
        "\n{:<6} {:>10} {:>16} {:>14} {:>14} {:>10}",
        "", "blocks", "append_batch", "get_rand", "open", "RSS"
    );
    for (side, points) in [("Rust", &ours), ("Node", &node)] {
        for point in points {
            println!(
                "{side:<6} {:>10} {:>13.2} µs {:>11.2} µs {:>11.0} µs {:>6.1} MiB",
                point.blocks,
                point.append,
                point.get,
                point.open,
                point.rss as f64 / f64::from(1 << 20),
            );
        }
    }
    println!(
        "\nBlocks of {SIZE} bytes. RSS: of a fresh process that opened the log and read {MEMORY_READ} blocks of it."
    );
    if let Some(file) = &options.json {
        write(file, &format!("{:#}\n", relative(&ours, &node)))?;
    }
    if options.smoke {
        return Ok(());
    }
    let figure = options.plot.clone().unwrap_or_else(|| shell::root().join("docs/figures/curve.svg"));
    write(&figure, &draw(&ours, &node))
}

fn grow(bench: &Bench, side: Side, most: u32) -> Result<Vec<Point>, String> {
    let name = if side == Side::Rust { "curve-rust" } else { "curve-node" };
    let dir = bench.empty_dir(name)?;
    let (mut points, mut length) = (Vec::new(), 0);
    for power in *POWERS.start()..=most {
        println!("10^{power} blocks, {} …", if side == Side::Rust { "Rust" } else { "Node" });
        let blocks = 10_u64.pow(power);
        let append = append(bench, side, &dir, length, blocks)?;
        length = blocks;
        settle(bench, side, &dir)?;
        let get = get(bench, side, &dir, blocks)?;
        let open = open(bench, side, &dir, blocks)?;
        let rss = memory(bench, side, &dir, blocks)?;
        points.push(Point { blocks, append, get, open, rss });
    }
    Ok(points)
}

/// Makes the log so long; microseconds for each block.
fn append(bench: &Bench, side: Side, dir: &str, from: u64, to: u64) -> Result<f64, String> {
    let open = workloads::log(bench, side, dir)?;
    let (mut at, mut total) = (from, 0.0);
    while at < to {
        let n = STEP.min(to - at);
        let fields = json!({ "core": open.core, "start": at, "n": n, "size": SIZE, "batch": BATCH });
        let done = call(&open.peer, "appendMany", fields)?;
        at += n;
        total += seconds(&done)?;
        if done["length"] != at {
            return Err(format!("the log should have {at} blocks: {done}"));
        }
    }
    open.close()?;
    Ok(total * 1e6 / (to - from) as f64)
}

/// Has the store tidied up what appending left to be done in the background: else a read shows that work, too.
fn settle(bench: &Bench, side: Side, dir: &str) -> Result<(), String> {
    let open = workloads::log(bench, side, dir)?;
    call(&open.peer, "core.compact", json!({ "core": open.core }))?;
    open.close()
}

/// Microseconds for one block, read at random by a fresh process.
fn get(bench: &Bench, side: Side, dir: &str, blocks: u64) -> Result<f64, String> {
    let open = workloads::log(bench, side, dir)?;
    let took = read(&open, blocks, READ)?;
    open.close()?;
    Ok(took * 1e6 / READ as f64)
}

fn read(open: &workloads::Open, blocks: u64, n: u64) -> Result<f64, String> {
    let fields = json!({
        "core": open.core, "start": 0, "n": n, "among": blocks, "order": "rand", "size": SIZE,
    });
    let done = call(&open.peer, "getMany", fields)?;
    if done["bytes"] != n * SIZE {
        return Err(format!("{n} gets brought {} bytes", done["bytes"]));
    }
    seconds(&done)
}

/// Microseconds until the last block is read, the median of some openings.
fn open(bench: &Bench, side: Side, dir: &str, blocks: u64) -> Result<f64, String> {
    let once = |_| -> Result<f64, String> {
        let (open, took) = workloads::open_and_read_last(bench, side, dir, blocks, SIZE)?;
        open.close()?;
        Ok(took * 1e6)
    };
    let times = (0..OPENINGS).map(once).collect::<Result<Vec<_>, _>>()?;
    spread(times.into_iter()).map(|times| times.median).ok_or_else(|| "nothing was opened".into())
}

fn memory(bench: &Bench, side: Side, dir: &str, blocks: u64) -> Result<u64, String> {
    let (open, _) = workloads::open_and_read_last(bench, side, dir, blocks, SIZE)?;
    read(&open, blocks, MEMORY_READ)?;
    let rss = workloads::rss(&open.peer)?;
    open.close()?;
    Ok(rss)
}

fn draw(ours: &[Point], node: &[Point]) -> String {
    let panel = |cost: fn(&Point) -> f64| {
        let curve = |ours, points: &[Point]| Curve {
            ours,
            points: points.iter().map(|point| (point.blocks as f64, cost(point))).collect(),
        };
        vec![curve(true, ours), curve(false, node)]
    };
    let panels = [
        ("append_batch", panel(|point| point.append)),
        ("get_rand", panel(|point| point.get)),
        ("open", panel(|point| point.open)),
    ];
    plot::curves("What an operation costs as a log grows (blocks of 100 bytes)", &panels)
}

/// Only what does not depend on the machine: each cost by the one at the shortest length, and resident bytes.
fn relative(ours: &[Point], node: &[Point]) -> Value {
    let side = |points: &[Point]| -> Value {
        let Some(first) = points.first() else { return Value::Null };
        let row = |point: &Point| {
            json!({
                "blocks": point.blocks,
                "appendBatch": point.append / first.append,
                "getRand": point.get / first.get,
                "open": point.open / first.open,
                "rssBytes": point.rss,
            })
        };
        points.iter().map(row).collect()
    };
    json!({ "blockBytes": SIZE, "rust": side(ours), "node": side(node) })
}
