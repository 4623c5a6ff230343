//! The reader of the basic types, one after the other in any order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use compact_encoding::{Decode, DecodeError, Encode, Reader, put};

use super::decoder;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Target, Verdict, stable_by};
use crate::values::{bytes, some, text};
use crate::vectors;

pub(super) fn targets() -> Vec<Target> {
    const ADDRESSES: &[&str] = &[
        "compact-encoding-rs Ipv4Addr",
        "compact-encoding-rs Ipv6Addr",
        "compact-encoding-rs IpAddr",
        "compact-encoding-rs SocketAddrV4",
        "compact-encoding-rs SocketAddrV6",
        "compact-encoding-rs SocketAddr",
    ];
    vec![
        decoder("reader", &[], seeds, |probe, input| stable_by(probe, input, read, Vec::clone)),
        decoder("address", ADDRESSES, address_seeds, addresses),
    ]
}

/// How many kinds of values there are.
const KINDS: u8 = 36;
/// Most words of an array, which take no more memory than their encoding.
const MAX_WORDS: usize = 1 << 20;
/// Most numbers of a list. A number of one byte takes eight in memory, so whoever reads such a list bounds it: no list
/// of the stack has more (`hc_crypto`, the nodes of a patch).
const MAX_NUMBERS: usize = 4_096;

/// A count of kinds, the kinds, a value of each. Gives the same, written by us.
fn read(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let count = usize::from(reader.uint8()? % 8);
    let kinds = reader.take(count)?;
    let mut out = vec![count as u8];
    out.extend_from_slice(kinds);
    for kind in kinds {
        copy(*kind % KINDS, reader, &mut out)?;
    }
    Ok(out)
}

fn copy(kind: u8, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match kind {
        0 => put::uint(out, reader.uint()?),
        1 => put::uint8(out, reader.uint8()?),
        2 => put::uint16(out, reader.uint16()?),
        3 => put::uint24(out, reader.uint24()?),
        4 => put::uint32(out, reader.uint32()?),
        5 => put::uint64(out, reader.uint64()?),
        6 => put::uint64be(out, reader.uint64be()?),
        7 => put::int(out, reader.int()?),
        8 => put::bool(out, reader.bool()?),
        9 => put::buffer(out, reader.buffer()?),
        10 => put::optional_buffer(out, reader.optional_buffer()?),
        11 => put::string(out, reader.string()?),
        12 => put::uint_list(out, &reader.list(MAX_NUMBERS, 1, Reader::uint)?),
        13 => put::uint32_array(out, &reader.uint32_array(MAX_WORDS)?),
        14 => {
            let buffers = reader.list(1_024, 1, Reader::buffer)?;
            put::len(out, buffers.len());
            buffers.iter().for_each(|bytes| put::buffer(out, bytes));
        }
        15 => out.extend_from_slice(&reader.array::<32>()?),
        16 => out.extend_from_slice(&reader.array::<64>()?),
        17 => {
            let len = usize::try_from(reader.uint()?).unwrap_or(usize::MAX);
            let mut inner = reader.sub(len)?;
            put::buffer(out, inner.rest());
        }
        18 => out.extend_from_slice(reader.take(3)?),
        20.. => more(kind, reader, out)?,
        _ => out.extend_from_slice(reader.rest()),
    }
    Ok(())
}

/// What only other users of the encoding than Hypercore have.
fn more(kind: u8, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match kind {
        20 => put::uint32be(out, reader.uint32be()?),
        21 => put::uint40(out, reader.uint40()?),
        22 => put::uint48(out, reader.uint48()?),
        23 => put::uint56(out, reader.uint56()?),
        24 => put::int8(out, reader.int8()?),
        25 => put::int16(out, reader.int16()?),
        26 => put::int24(out, reader.int24()?),
        27 => put::int32(out, reader.int32()?),
        28 => put::int40(out, reader.int40()?),
        29 => put::int48(out, reader.int48()?),
        30 => put::int56(out, reader.int56()?),
        31 => put::int64(out, reader.int64()?),
        32 => put::float64(out, reader.float64()?),
        33 => put::biguint(out, &reader.biguint(MAX_WORDS)?),
        34 => put::bits(out, &reader.bits(4_096)?),
        _ => put::string_record(out, &reader.string_record(256)?),
    }
    Ok(())
}

/// An address of each kind.
fn addresses(probe: &mut Probe, input: &[u8]) -> Verdict {
    stable_by(
        probe,
        input,
        |reader| {
            let ips = (Ipv4Addr::decode(reader)?, Ipv6Addr::decode(reader)?, IpAddr::decode(reader)?);
            let v4 =
                (SocketAddrV4::decode(reader)?, SocketAddrV6::decode(reader)?, SocketAddr::decode(reader)?);
            Ok::<_, DecodeError>((ips, v4))
        },
        |((a, b, c), (d, e, f))| {
            [a.to_vec(), b.to_vec(), c.to_vec(), d.to_vec(), e.to_vec(), f.to_vec()].concat()
        },
    )
}

fn address_seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    some(rng, |rng| {
        let mut out = rng.bytes(20);
        for len in [0, 24, 2] {
            out.extend(rng.bytes(len));
            let (family, bytes) = if rng.once_in(2) { (4, 4) } else { (6, 16) };
            out.push(family);
            out.extend(rng.bytes(bytes));
        }
        out.extend(rng.bytes(2));
        out
    })
}

fn seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = some(rng, |rng| {
        let kinds: Vec<u8> = (0..rng.below(8)).map(|_| rng.byte() % KINDS).collect();
        let mut out = vec![kinds.len() as u8];
        out.extend_from_slice(&kinds);
        for kind in kinds {
            value(rng, kind, &mut out);
        }
        out
    });
    for encoded in
        vectors::field(&vectors::file("compact-encoding-rs", "codec.json"), "values", "encoded", |_| true)
    {
        let kind = rng.byte() % KINDS;
        seeds.push([vec![1, kind], encoded].concat());
    }
    seeds
}

fn value(rng: &mut Rng, kind: u8, out: &mut Vec<u8>) {
    match kind {
        0 | 7 => put::uint(out, rng.uint()),
        8 => put::bool(out, rng.once_in(2)),
        9 | 10 | 17 => put::buffer(out, &bytes(rng)),
        11 => put::string(out, &text(rng)),
        12 => put::uint_list(out, &[rng.uint(), rng.uint()]),
        13 => put::uint32_array(out, &[1, 2, 3]),
        14 => {
            put::len(out, 2);
            put::buffer(out, &bytes(rng));
            put::buffer(out, &bytes(rng));
        }
        16 => out.extend(rng.bytes(64)),
        15 => out.extend(rng.bytes(32)),
        _ => out.extend(rng.bytes(8)),
    }
}
