//! The raw limits of the benchmark: each workload reduced to what no implementation can avoid.
//!
//! `hc-raw WORKLOAD DIR N SIZE BATCH` prints the seconds that N operations took. For the reading workloads DIR holds a store
//! whose only core has N blocks of SIZE bytes; for the others it is made.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hc_crypto::{KeyPair, Manifest, Verifier, signable};
use hc_protocol::{Role, SecretStream};
use hc_storage::{CoreInit, CoreStorage, Kv, KvRead, Store, WriteBatch, keys};
use hc_storage_rocks::RocksKv;
use hc_tree::{Batch, Node, TreeHead};

type Outcome<T = f64> = Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "the time is what this program is for")]
fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, workload, dir, n, size, batch] = args.as_slice() else {
        return Err("usage: hc-raw WORKLOAD DIR N SIZE BATCH".into());
    };
    let (dir, n, size, batch) = (Path::new(dir), n.parse()?, size.parse()?, batch.parse()?);
    let seconds = match workload.as_str() {
        "append_one" => signatures(n),
        "append" => append(dir, n, size, batch)?,
        "get_seq" => points(dir, 0..n, size)?,
        "get_rand" => points(dir, shuffled(n), size)?,
        "read_stream" => iterate(dir)?,
        "open" => open(dir, n)?,
        "replicate_tcp" => receive(dir, n, size)?,
        "fdatasync" => synced_writes(dir, n, size)?,
        other => return Err(format!("unknown workload {other}").into()),
    };
    println!("{seconds}");
    Ok(())
}

/// Signatures of as many heads as there are appends.
fn signatures(n: u64) -> f64 {
    let pair = KeyPair::from_seed(&[1; 32]);
    let hash = hc_crypto::hash::leaf(b"head");
    let started = Instant::now();
    for length in 1..=n {
        std::hint::black_box(pair.sign(&signable::tree(hash.as_bytes(), &hash, length, 0)));
    }
    started.elapsed().as_secs_f64()
}

fn create(dir: &Path) -> Outcome<(Store, CoreStorage, KeyPair, Verifier)> {
    let store = Store::open(Arc::new(RocksKv::open(dir)?))?;
    let pair = KeyPair::from_seed(&[1; 32]);
    let manifest = Manifest::single(pair.public());
    let verifier = Verifier::new(manifest.key(), manifest.clone())?;
    let init = CoreInit {
        key: manifest.key(),
        manifest: Some(manifest),
        key_pair: Some(pair.clone()),
        alias: None,
        user_data: Vec::new(),
    };
    let core = store.create_core(&init)?;
    Ok((store, core, pair, verifier))
}

/// The hashes of all blocks, and batches of the same keys and values.
fn append(dir: &Path, n: u64, size: usize, per_batch: usize) -> Outcome {
    let (store, core, pair, verifier) = create(dir)?;
    let mut head = TreeHead::empty(0);
    let started = Instant::now();
    for start in (0..n).step_by(per_batch) {
        let blocks: Vec<Bytes> = (start..n).take(per_batch).map(|index| block(index, size)).collect();
        let mut batch = Batch::new(&head);
        batch.append_all(&blocks);
        let signed = batch.finish().sign(&verifier, &pair)?;
        let mut write = core.write();
        write.change(&signed, &blocks, 1);
        core.commit(write)?;
        (head, _) = signed.into_head();
    }
    let seconds = started.elapsed().as_secs_f64();
    store.close()?;
    Ok(seconds)
}

fn block(index: u64, size: usize) -> Bytes {
    let [low, ..] = index.to_le_bytes();
    vec![low; size].into()
}

/// As many small writes to a file, each brought to the device.
fn synced_writes(dir: &Path, n: u64, size: usize) -> Outcome {
    std::fs::create_dir_all(dir)?;
    let mut file = std::fs::File::create(dir.join("log"))?;
    let started = Instant::now();
    for index in 0..n {
        file.write_all(&block(index, size))?;
        file.sync_data()?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Point reads of the blocks' keys.
fn points(dir: &Path, indices: impl Iterator<Item = u64>, size: usize) -> Outcome {
    let kv = RocksKv::open(dir)?;
    let started = Instant::now();
    for index in indices {
        let found = kv.get(&keys::block(0, index))?;
        if found.is_none_or(|block| block.len() != size) {
            return Err(format!("block {index} is not there").into());
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

fn shuffled(n: u64) -> impl Iterator<Item = u64> {
    let mut x: u64 = 12345;
    (0..n).map(move |_| {
        x = (x.wrapping_mul(1_103_515_245).wrapping_add(12345)) & 0x7fff_ffff;
        x % n
    })
}

/// Iteration over the blocks' keys.
fn iterate(dir: &Path) -> Outcome {
    let kv = RocksKv::open(dir)?;
    let (start, end) = keys::blocks(0);
    let (started, mut bytes) = (Instant::now(), 0);
    kv.scan(&start, &end, &mut |_, block| {
        bytes += block.len();
        ControlFlow::Continue(())
    })?;
    std::hint::black_box(bytes);
    Ok(started.elapsed().as_secs_f64())
}

/// Opening the database and two reads.
fn open(dir: &Path, n: u64) -> Outcome {
    let started = Instant::now();
    let kv = RocksKv::open(dir)?;
    kv.get(&keys::store_head())?;
    kv.get(&keys::block(0, n.saturating_sub(1)))?;
    Ok(started.elapsed().as_secs_f64())
}

/// The same bytes through a bare secret stream over TCP, the same leaf hashes, batches of the same blocks.
fn receive(dir: &Path, n: u64, size: usize) -> Outcome {
    let kv = RocksKv::open(dir)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let started = Instant::now();
    let sender = std::thread::spawn(move || send(address, n, size).map_err(|error| error.to_string()));
    let (mut socket, _) = listener.accept()?;
    let mut stream = SecretStream::new(Role::Responder, &KeyPair::from_seed(&[2; 32]), [3; 32], [4; 24])?;
    let (mut buffer, mut index) = (vec![0; 256 * 1024], 0);
    while index < n {
        if let Some(bytes) = stream.poll_transmit() {
            socket.write_all(&bytes)?;
        }
        let len = socket.read(&mut buffer)?;
        if len == 0 {
            return Err("the sender stopped".into());
        }
        stream.receive(buffer.get(..len).unwrap_or_default());
        let mut batch = WriteBatch::new();
        while let Some(block) = stream.poll_frame()? {
            std::hint::black_box(Node::of_block(index, &block));
            batch.put(keys::block(0, index), block);
            index += 1;
        }
        kv.commit(batch)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    sender.join().map_err(|_| "the sender panicked")??;
    Ok(seconds)
}

fn send(address: std::net::SocketAddr, n: u64, size: usize) -> Outcome<()> {
    let mut socket = TcpStream::connect(address)?;
    let mut stream = SecretStream::new(Role::Initiator, &KeyPair::from_seed(&[5; 32]), [6; 32], [7; 24])?;
    let mut buffer = vec![0; 4096];
    while stream.handshake().is_none() {
        if let Some(bytes) = stream.poll_transmit() {
            socket.write_all(&bytes)?;
        }
        let len = socket.read(&mut buffer)?;
        stream.receive(buffer.get(..len).unwrap_or_default());
        stream.poll_frame()?;
    }
    for index in 0..n {
        stream.send(&block(index, size));
        if stream.pending_output() > 64 * 1024 || index + 1 == n {
            socket.write_all(&stream.poll_transmit().unwrap_or_default())?;
        }
    }
    Ok(())
}
