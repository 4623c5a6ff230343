//! Messages of a core's channel.

use bytes::Bytes;
use compact_encoding::{Encode, put};
use hc_protocol::wire::{
    Bitfield, Cancel, Data, Extension, Message, NoData, Open, Range, Request, Sync, Want,
};
use hc_tree::{BlockRequest, HashRequest, Node, SeekRequest, UpgradeRequest};

use super::decoder;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Target, Verdict, described, stable, value_class};
use crate::values::{bytes, data, few, maybe, node, some, text};
use crate::vectors;

pub(super) fn targets() -> Vec<Target> {
    vec![
        decoder("open", &["hc-protocol Open"], opens, stable::<Open>),
        decoder("sync", &["hc-protocol Sync"], |rng| with(rng, "sync", sync), stable::<Sync>),
        decoder("request", &["hc-protocol Request"], |rng| with(rng, "request", request), stable::<Request>),
        decoder("cancel", &["hc-protocol Cancel"], |rng| with(rng, "cancel", uints::<1>), stable::<Cancel>),
        decoder(
            "data",
            &["hc-protocol Data::decode_from", "hc-protocol Data::from_bytes"],
            |rng| with(rng, "data", |rng| data(rng).to_vec()),
            proof,
        ),
        decoder("no-data", &["hc-protocol NoData"], |rng| with(rng, "noData", uints::<3>), stable::<NoData>),
        decoder("want", &["hc-protocol Want"], |rng| with(rng, "want", uints::<3>), stable::<Want>),
        decoder(
            "bitfield",
            &["hc-protocol Bitfield"],
            |rng| with(rng, "bitfield", bitfield),
            stable::<Bitfield>,
        ),
        decoder("range", &["hc-protocol Range"], |rng| with(rng, "range", uints::<3>), stable::<Range>),
        decoder(
            "extension",
            &["hc-protocol Extension"],
            |rng| with(rng, "extension", extension),
            stable::<Extension>,
        ),
        decoder("message", &["hc-protocol Message::decode"], messages, message),
        decoder("tree-node", &["hc-tree Node"], |rng| some(rng, |rng| node(rng).to_vec()), stable::<Node>),
    ]
}

fn with(rng: &mut Rng, name: &str, make: impl FnMut(&mut Rng) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut seeds =
        vectors::of_kind(&vectors::file("hc-protocol", "wire.json"), "messages", "name", name, "hex");
    seeds.extend(some(rng, make));
    seeds
}

fn uints<const N: usize>(rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    (0..N).for_each(|_| put::uint(&mut out, rng.uint()));
    out
}

fn opens(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| [vec![rng.byte() % 4], rng.bytes(32)].concat())
}

fn sync(rng: &mut Rng) -> Vec<u8> {
    uints::<4>(rng)
}

fn request(rng: &mut Rng) -> Vec<u8> {
    let request = Request {
        id: rng.uint(),
        fork: rng.uint(),
        block: maybe(rng, |rng| BlockRequest { index: rng.uint(), nodes: rng.uint() }),
        hash: maybe(rng, |rng| HashRequest { index: rng.uint(), nodes: rng.uint() }),
        seek: maybe(rng, |rng| SeekRequest { bytes: rng.uint(), padding: rng.uint() }),
        upgrade: maybe(rng, |rng| UpgradeRequest { start: rng.uint(), length: rng.uint() }),
        manifest: rng.once_in(2),
        priority: rng.uint(),
    };
    request.to_vec()
}

fn bitfield(rng: &mut Rng) -> Vec<u8> {
    let words = few(rng, |rng| rng.next() as u32);
    Bitfield { start: rng.uint(), bitfield: words }.to_vec()
}

fn extension(rng: &mut Rng) -> Vec<u8> {
    Extension { name: text(rng), message: Bytes::from(bytes(rng)) }.to_vec()
}

/// All messages, each behind its type, as on a channel.
pub(super) fn messages(rng: &mut Rng) -> Vec<Vec<u8>> {
    let file = vectors::file("hc-protocol", "wire.json");
    let entries = file["messages"].as_array().into_iter().flatten();
    let seed = |entry: &serde_json::Value| {
        let mut out = Vec::new();
        put::uint(&mut out, entry["type"].as_u64()?);
        out.extend(hex::decode(entry["hex"].as_str()?).ok()?);
        Some(out)
    };
    let mut seeds: Vec<Vec<u8>> = entries.filter_map(seed).collect();
    seeds.extend(some(rng, |rng| [vec![3], data(rng).to_vec()].concat()));
    seeds
}

fn proof(probe: &mut Probe, input: &[u8]) -> Verdict {
    let whole = Bytes::copy_from_slice(input);
    let alone = probe.watch(|| Data::from_bytes(&whole));
    match (typed(probe, 3, &whole), alone) {
        (verdict @ Verdict::Accepted(_), Ok(data))
            if Data::from_bytes(&data.to_bytes().into()).as_ref() == Ok(&data) =>
        {
            verdict
        }
        (verdict @ Verdict::Refused(_), Err(_)) => verdict,
        (verdict, alone) => Verdict::Broken(format!("as a message {verdict:?}, alone {alone:?}")),
    }
}

fn message(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = compact_encoding::Reader::new(input);
    let Ok(type_id) = reader.uint() else { return Verdict::Refused(0) };
    typed(probe, type_id, &Bytes::copy_from_slice(reader.rest()))
}

fn typed(probe: &mut Probe, type_id: u64, body: &Bytes) -> Verdict {
    match probe.watch(|| Message::decode(type_id, body)) {
        Err(violation) => Verdict::Refused(described(&violation)),
        Ok(message) => {
            let written = Bytes::from(message.to_vec());
            match Message::decode(type_id, &written) {
                Ok(again) if again == message && again.type_id() == type_id => {
                    Verdict::Accepted(value_class(&written, body.len()).wrapping_add(type_id.min(11)))
                }
                other => Verdict::Broken(format!("what it wrote is {other:?}")),
            }
        }
    }
}
