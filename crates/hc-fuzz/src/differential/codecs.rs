//! What both sides read: our half. The names are those in `interop/differential.mjs`.

use std::fmt::Debug;
use std::hash::Hash;

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, put};
use hc_crypto::multisig::MultiSignature;
use hc_crypto::{Hash as TreeHash, Key, Manifest, Signature, Verifier};
use hc_protocol::wire::{self, Message};
use hc_storage::keys;
use hc_storage::records::{
    Auth, CoreRecord, Dependency, GroupRecord, HeadRecord, Hints, Sessions, StoreHead,
};
use hc_tree::Node;

use crate::rng::Rng;
use crate::targets;
use crate::values::{bytes, few, some, text};

/// Why we refuse an input: the error as it is shown to developers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal(String);

impl Refusal {
    /// Whether the error names this.
    #[must_use]
    pub fn has(&self, part: &str) -> bool {
        self.0.contains(part)
    }

    /// The error without its numbers.
    pub(super) fn what(&self) -> String {
        self.0.chars().filter(|letter| !letter.is_ascii_digit()).collect()
    }
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(format!("{error:?}"))
    }
}

/// What we make of an input: what we write again.
type Ours = Result<Vec<u8>, Refusal>;

/// One kind of value.
pub(super) struct Codec {
    pub(super) name: &'static str,
    pub(super) seeds: fn(&mut Rng) -> Vec<Vec<u8>>,
    pub(super) ours: fn(&[u8]) -> Ours,
    /// Whether it takes long, and so comes less often.
    pub(super) slow: bool,
}

const fn codec(name: &'static str, seeds: fn(&mut Rng) -> Vec<Vec<u8>>, ours: fn(&[u8]) -> Ours) -> Codec {
    Codec { name, seeds, ours, slow: false }
}

/// A codec whose first inputs are those of the target of its name.
macro_rules! of_target {
    ($name:literal, $ours:expr) => {
        codec($name, |rng| targets::seeds($name, rng), $ours)
    };
}

pub(super) fn all() -> Vec<Codec> {
    let mut all = basic();
    all.extend(crypto());
    all.extend(messages());
    all.extend(storage());
    all
}

fn again<T: for<'a> Decode<'a> + Encode>(input: &[u8]) -> Ours {
    Ok(T::from_prefix(input)?.to_vec())
}

fn read(input: &[u8], copy: impl FnOnce(&mut Reader<'_>, &mut Vec<u8>) -> Result<(), DecodeError>) -> Ours {
    let mut out = Vec::new();
    copy(&mut Reader::new(input), &mut out)?;
    Ok(out)
}

fn numbers(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let mut out = Vec::new();
        put::uint(&mut out, rng.uint());
        out.extend(rng.bytes(8));
        out
    })
}

fn buffers(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let mut out = Vec::new();
        if rng.once_in(2) {
            put::string(&mut out, &text(rng));
        } else {
            put::buffer(&mut out, &bytes(rng));
        };
        out
    })
}

fn lists(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let (mut out, items) = (Vec::new(), few(rng, buffers));
        let items: Vec<u8> = items.into_iter().filter_map(|mut some| some.pop()).flatten().collect();
        put::len(&mut out, rng.below(6));
        out.extend(items);
        out
    })
}

fn basic() -> Vec<Codec> {
    const MOST: usize = 0x0010_0000;
    vec![
        codec("uint", numbers, |input| {
            read(input, |reader, out| reader.uint().map(|value| put::uint(out, value)))
        }),
        codec("uint8", numbers, |input| {
            read(input, |reader, out| reader.uint8().map(|value| put::uint8(out, value)))
        }),
        codec("uint16", numbers, |input| {
            read(input, |reader, out| reader.uint16().map(|value| put::uint16(out, value)))
        }),
        codec("uint24", numbers, |input| {
            read(input, |reader, out| reader.uint24().map(|value| put::uint24(out, value)))
        }),
        codec("uint32", numbers, |input| {
            read(input, |reader, out| reader.uint32().map(|value| put::uint32(out, value)))
        }),
        codec("uint64", numbers, |input| {
            read(input, |reader, out| reader.uint64().map(|value| put::uint64(out, value)))
        }),
        codec("int", numbers, |input| {
            read(input, |reader, out| reader.int().map(|value| put::int(out, value)))
        }),
        codec("bool", numbers, |input| {
            read(input, |reader, out| reader.bool().map(|value| put::bool(out, value)))
        }),
        codec("buffer", buffers, |input| {
            read(input, |reader, out| reader.buffer().map(|value| put::buffer(out, value)))
        }),
        codec("optional-buffer", buffers, |input| {
            read(input, |reader, out| reader.optional_buffer().map(|value| put::optional_buffer(out, value)))
        }),
        codec("string", buffers, |input| {
            read(input, |reader, out| reader.string().map(|value| put::string(out, value)))
        }),
        codec("fixed32", lists, again::<TreeHash>),
        codec("fixed64", lists, again::<Signature>),
        codec("uint32-array", lists, |input| {
            read(input, |reader, out| {
                reader.uint32_array(usize::MAX).map(|value| put::uint32_array(out, &value))
            })
        }),
        codec("uint-list", lists, |input| {
            read(input, |reader, out| {
                reader.list(MOST, 1, Reader::uint).map(|value| put::uint_list(out, &value))
            })
        }),
        codec("buffer-list", lists, |input| {
            read(input, |reader, out| {
                let items = reader.list(MOST, 1, Reader::buffer)?;
                put::len(out, items.len());
                items.iter().for_each(|item| put::buffer(out, item));
                Ok(())
            })
        }),
        codec("framed-uint", buffers, |input| {
            read(input, |reader, out| {
                let len = usize::try_from(reader.uint()?).unwrap_or(usize::MAX);
                let (n, mut inner) = (reader.sub(len)?.uint()?, Vec::new());
                put::uint(&mut inner, n);
                put::buffer(out, &inner);
                Ok(())
            })
        }),
    ]
}

fn crypto() -> Vec<Codec> {
    vec![
        of_target!("manifest", again::<Manifest>),
        codec(
            "manifest-key",
            |rng| targets::seeds("manifest", rng),
            |input| Ok(Manifest::parse(input)?.key().as_bytes().to_vec()),
        ),
        of_target!("multisig", again::<MultiSignature>),
        of_target!("multisig-v0", |input| Ok(MultiSignature::from_v0(input)?.to_vec())),
        Codec { slow: true, ..codec("verify", |rng| targets::seeds("verifier", rng), verify) },
    ]
}

/// A manifest behind its length, a key or none, tree hash, length, fork, then a signature.
fn verify(input: &[u8]) -> Ours {
    let mut reader = Reader::new(input);
    let manifest = Manifest::from_prefix(reader.buffer()?)?;
    let key = reader.optional_buffer()?.and_then(|key| Key::try_from(key).ok());
    let (tree, length, fork) = (TreeHash::decode(&mut reader)?, reader.uint()?, reader.uint()?);
    let key = key.unwrap_or_else(|| manifest.key());
    Verifier::new(key, manifest)?.verify(&tree, length, fork, reader.rest())?;
    Ok(Vec::new())
}

fn messages() -> Vec<Codec> {
    vec![
        of_target!("open", again::<wire::Open>),
        of_target!("sync", again::<wire::Sync>),
        of_target!("request", again::<wire::Request>),
        of_target!("cancel", again::<wire::Cancel>),
        of_target!("data", |input| Ok(Message::decode(3, &Bytes::copy_from_slice(input))?.to_vec())),
        of_target!("no-data", again::<wire::NoData>),
        of_target!("want", again::<wire::Want>),
        codec("unwant", |rng| targets::seeds("want", rng), again::<wire::Want>),
        of_target!("bitfield", again::<wire::Bitfield>),
        of_target!("range", again::<wire::Range>),
        of_target!("extension", again::<wire::Extension>),
    ]
}

fn storage() -> Vec<Codec> {
    vec![
        of_target!("store-head", again::<StoreHead>),
        of_target!("core-record", again::<CoreRecord>),
        of_target!("auth", again::<Auth>),
        of_target!("manifest-stored", |input| {
            let mut out = Vec::new();
            Manifest::decode_stored(&mut Reader::new(input))?.encode_stored(&mut out);
            Ok(out)
        }),
        of_target!("head-record", again::<HeadRecord>),
        of_target!("hints", again::<Hints>),
        of_target!("dependency", again::<Dependency>),
        of_target!("sessions", again::<Sessions>),
        of_target!("group-record", again::<GroupRecord>),
        of_target!("tree-node", again::<Node>),
        codec("key-core", places, |input| Ok(keys::core(&keys::parse_core(input)?).to_vec())),
        codec("key-alias", places, |input| {
            let (namespace, name) = keys::parse_alias(input)?;
            Ok(keys::alias(&namespace, &name).to_vec())
        }),
        codec("key-block", places, |input| Ok(keys::block(0, keys::parse_block(input)?).to_vec())),
        codec("key-bitfield", places, |input| match keys::parse_bitfield_page(input)? {
            Some(page) => Ok(keys::bitfield_page(0, page).to_vec()),
            None => Err(Refusal("another kind of bitfield".into())),
        }),
    ]
}

fn places(rng: &mut Rng) -> Vec<Vec<u8>> {
    targets::seeds("place", rng)
}
