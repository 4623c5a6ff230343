//! Records and keys of a store.

use compact_encoding::{Encode, put};
use hc_crypto::{DiscoveryKey, Hash, Key, Namespace};
use hc_storage::keys::{self, Place};
use hc_storage::records::{
    Alias, Auth, CoreRecord, Dependency, GroupRecord, HeadRecord, Hints, Record, Session, Sessions,
    StoreHead, StoredKeyPair,
};

use hypercore::Conflict;

use super::decoder;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Classed, Target, Verdict, class, stable, value_class};
use crate::values::{bytes, few, manifest, maybe, pair, some, text};
use crate::vectors;

pub(super) fn targets() -> Vec<Target> {
    const PLACES: &[&str] = &["hc-storage Place::parse", "hc-storage read_uint", "hc-storage read_text"];
    const SCANNED: &[&str] = &[
        "hc-storage parse_core",
        "hc-storage parse_alias",
        "hc-storage parse_block",
        "hc-storage parse_bitfield_page",
        "hc-storage parse_user_data",
    ];
    vec![
        decoder("store-head", &["hc-storage StoreHead"], store_heads, stable::<StoreHead>),
        decoder("core-record", &["hc-storage CoreRecord"], core_records, stable::<CoreRecord>),
        decoder("auth", &["hc-storage Auth"], auths, stable::<Auth>),
        decoder("stored-key-pair", &["hc-storage StoredKeyPair"], key_pairs, stored_key_pair),
        decoder("head-record", &["hc-storage HeadRecord"], heads, stable::<HeadRecord>),
        decoder("hints", &["hc-storage Hints"], hints, stable::<Hints>),
        decoder("dependency", &["hc-storage Dependency"], dependencies, stable::<Dependency>),
        decoder("sessions", &["hc-storage Sessions"], sessions, stable::<Sessions>),
        decoder("group-record", &["hc-storage GroupRecord"], groups, stable::<GroupRecord>),
        decoder("conflict", &["hypercore Conflict"], conflicts, stable::<Conflict>),
        decoder("record", &["hc-storage Record::parse"], records, record),
        decoder("place", PLACES, places, place),
        decoder("scanned-key", SCANNED, places, scanned),
    ]
}

fn of(kind: &str) -> Vec<Vec<u8>> {
    vectors::of_kind(&vectors::file("hc-storage", "storage.json"), "records", "kind", kind, "bytes")
}

fn and(kind: &str, mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.extend(of(kind));
    seeds
}

fn store_heads(rng: &mut Rng) -> Vec<Vec<u8>> {
    let seeds = some(rng, |rng| {
        let head = StoreHead {
            cores: rng.uint(),
            datas: rng.uint(),
            groups: rng.uint(),
            seed: maybe(rng, Rng::array),
            default_discovery_key: maybe(rng, |rng| DiscoveryKey::from(rng.array::<32>())),
        };
        head.to_vec()
    });
    and(
        "store-head",
        [seeds, vec![vec![1, 1, 3, 4], vec![1, 0], [vec![0, 3, 1, 2], vec![7; 32]].concat()]].concat(),
    )
}

fn core_records(rng: &mut Rng) -> Vec<Vec<u8>> {
    let alias = |rng: &mut Rng| Alias { namespace: Namespace::from(rng.array::<32>()), name: text(rng) };
    let record = |rng: &mut Rng| CoreRecord {
        version: rng.next() % 3,
        core_pointer: rng.uint(),
        data_pointer: rng.uint(),
        alias: maybe(rng, alias),
    };
    and("core", some(rng, |rng| record(rng).to_vec()))
}

fn key_pair(rng: &mut Rng) -> StoredKeyPair {
    let pair = pair(rng);
    if rng.once_in(3) { StoredKeyPair::Public(pair.public()) } else { StoredKeyPair::Full(pair) }
}

fn auth(rng: &mut Rng) -> Auth {
    let manifest = maybe(rng, manifest);
    let key = manifest.as_ref().map_or_else(|| Key::from(rng.array::<32>()), hc_crypto::Manifest::key);
    Auth {
        key,
        discovery_key: key.discovery_key(),
        manifest,
        key_pair: maybe(rng, key_pair),
        encryption_key: maybe(rng, bytes),
    }
}

fn auths(rng: &mut Rng) -> Vec<Vec<u8>> {
    and("auth", some(rng, |rng| auth(rng).to_vec()))
}

/// It is only written within an [`Auth`], so here it stands alone in one.
fn stored_key_pair(probe: &mut Probe, input: &[u8]) -> Verdict {
    let wrapped = [[0; 64].as_slice(), &[2], input].concat();
    stable::<Auth>(probe, &wrapped)
}

fn key_pairs(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let (pair, mut out) = (pair(rng), Vec::new());
        put::buffer(&mut out, pair.public().as_bytes());
        let secret = pair.secret_bytes();
        put::optional_buffer(&mut out, maybe(rng, |_| secret.as_slice()));
        out
    })
}

fn heads(rng: &mut Rng) -> Vec<Vec<u8>> {
    let head = |rng: &mut Rng| HeadRecord {
        fork: rng.uint(),
        length: rng.uint(),
        root_hash: Hash::from(rng.array::<32>()),
        signature: maybe(rng, bytes),
        timestamp: rng.uint(),
    };
    and("head", some(rng, |rng| head(rng).to_vec()))
}

fn hints(rng: &mut Rng) -> Vec<Vec<u8>> {
    let hints = |rng: &mut Rng| Hints {
        contiguous_length: rng.uint(),
        remote_contiguous_length: rng.uint(),
        recovering: rng.uint(),
    };
    and("hints", some(rng, |rng| hints(rng).to_vec()))
}

fn dependencies(rng: &mut Rng) -> Vec<Vec<u8>> {
    let make = |rng: &mut Rng| Dependency { data_pointer: rng.uint(), length: rng.uint() };
    and("dependency", some(rng, |rng| make(rng).to_vec()))
}

fn sessions(rng: &mut Rng) -> Vec<Vec<u8>> {
    let session = |rng: &mut Rng| Session { name: text(rng).into(), data_pointer: rng.uint() };
    and("sessions", some(rng, |rng| Sessions(few(rng, session)).to_vec()))
}

fn groups(rng: &mut Rng) -> Vec<Vec<u8>> {
    let make = |rng: &mut Rng| GroupRecord { topic: maybe(rng, Rng::array), pointer: rng.uint() };
    and("group", some(rng, |rng| make(rng).to_vec()))
}

fn conflicts(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let (ours, theirs) = (Hash::from(rng.array::<32>()), Hash::from(rng.array::<32>()));
        let (our_signature, their_signature) = ((rng.uint(), bytes(rng)), bytes(rng));
        Conflict { fork: rng.uint(), length: rng.uint(), ours, our_signature, theirs, their_signature }
            .to_vec()
    })
}

/// A key behind its length, then the record that is under it.
fn record(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = compact_encoding::Reader::new(input);
    let place = match reader.buffer().and_then(Place::parse) {
        Ok(place) => place,
        Err(error) => return Verdict::Refused(error.class()),
    };
    let bytes = reader.rest();
    match probe.watch(|| Record::parse(&place, bytes)) {
        Err(error) => Verdict::Refused(error.class()),
        Ok(record) => {
            let written = record.to_vec();
            match Record::parse(&place, &written) {
                Ok(again) if again.to_vec() == written => {
                    Verdict::Accepted(value_class(&written, bytes.len()))
                }
                other => Verdict::Broken(format!("what it wrote is {other:?}")),
            }
        }
    }
}

fn records(_: &mut Rng) -> Vec<Vec<u8>> {
    let file = vectors::file("hc-storage", "storage.json");
    let entries = file["store"]["entries"].as_array().into_iter().flatten();
    let seed = |entry: &serde_json::Value| {
        let mut out = Vec::new();
        put::buffer(&mut out, &hex::decode(entry[0].as_str()?).ok()?);
        out.extend(hex::decode(entry[1].as_str()?).ok()?);
        Some(out).filter(|seed| seed.len() < 600)
    };
    let mut seeds: Vec<Vec<u8>> = entries.filter_map(seed).collect();
    // a record of each kind under a key of its kind
    for entry in file["keys"].as_array().into_iter().flatten() {
        let (kind, key) =
            (entry["kind"].as_str().unwrap_or_default(), entry["key"].as_str().unwrap_or_default());
        for bytes in of(kind).into_iter().take(4) {
            let mut out = Vec::new();
            put::buffer(&mut out, &hex::decode(key).unwrap_or_default());
            out.extend(bytes);
            seeds.push(out);
        }
    }
    seeds
}

fn place(probe: &mut Probe, input: &[u8]) -> Verdict {
    match probe.watch(|| Place::parse(input)) {
        Err(error) => Verdict::Refused(error.class()),
        Ok(place) => {
            let key = place.key();
            match Place::parse(&key) {
                Ok(again) if again == place => Verdict::Accepted(value_class(&key, input.len())),
                other => Verdict::Broken(format!("{place:?} is written as the key of {other:?}")),
            }
        }
    }
}

/// What is read of a key in a scan is what the whole of it says.
fn scanned(probe: &mut Probe, input: &[u8]) -> Verdict {
    let parts = probe.watch(|| {
        (
            keys::parse_core(input).ok(),
            keys::parse_alias(input).ok(),
            keys::parse_block(input).ok(),
            keys::parse_bitfield_page(input).ok().flatten(),
            keys::parse_user_data(input).ok(),
        )
    });
    let (core, alias, block, page, user_data) = parts;
    let agrees = match Place::parse(input) {
        Ok(Place::Core(discovery_key)) => core == Some(discovery_key),
        Ok(Place::Alias { namespace, name }) => alias == Some((namespace, name)),
        Ok(Place::Block { index, .. }) => block == Some(index),
        Ok(Place::UserData { name, .. }) => user_data == Some(name),
        Ok(Place::BitfieldPage { page: number, .. }) => page == Some(number),
        _ => true,
    };
    if !agrees {
        return Verdict::Broken("a scan reads another key than the whole says".into());
    }
    let seen = [core.is_some(), alias.is_some(), block.is_some(), page.is_some(), user_data.is_some()];
    if seen == [false; 5] {
        Verdict::Refused(class(input.len().min(50)))
    } else {
        Verdict::Accepted(class(seen))
    }
}

fn places(_: &mut Rng) -> Vec<Vec<u8>> {
    vectors::field(&vectors::file("hc-storage", "storage.json"), "keys", "key", |_| true)
}
