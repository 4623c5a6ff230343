//! Values of the types that other layers do not use yet have the bytes that Node writes. The vectors are made by
//! `interop/generate/codec.mjs`. Floats are shown as their bits, large integers as text.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use compact_encoding::{Decode, DecodeError, Encode, Reader, put};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A type: how its values are written, and read and shown as the script shows them.
struct Type {
    name: &'static str,
    write: fn(&mut Vec<u8>, &Value),
    read: fn(&mut Reader<'_>) -> Result<Value, DecodeError>,
}

const fn of(
    name: &'static str,
    write: fn(&mut Vec<u8>, &Value),
    read: fn(&mut Reader<'_>) -> Result<Value, DecodeError>,
) -> Type {
    Type { name, write, read }
}

/// A number that is shown as one.
fn n<N: TryFrom<i64>>(value: &Value) -> N {
    N::try_from(value.as_i64().unwrap()).ok().unwrap()
}

/// A value that is shown as text.
fn t<T: FromStr<Err: Debug>>(value: &Value) -> T {
    value.as_str().unwrap().parse().unwrap()
}

fn each<'a, T>(value: &'a Value, item: impl Fn(&'a Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(item).collect()
}

fn texts<T: Display>(items: &[T]) -> Value {
    items.iter().map(T::to_string).collect()
}

fn single(value: &Value) -> f32 {
    f32::from_bits(n(value))
}

fn double(value: &Value) -> f64 {
    f64::from_bits(t(value))
}

fn numbers() -> Vec<Type> {
    vec![
        of("uint32be", |o, v| put::uint32be(o, n(v)), |r| Ok(r.uint32be()?.into())),
        of("uint40", |o, v| put::uint40(o, n(v)), |r| Ok(r.uint40()?.into())),
        of("uint48", |o, v| put::uint48(o, n(v)), |r| Ok(r.uint48()?.into())),
        of("uint56", |o, v| put::uint56(o, n(v)), |r| Ok(r.uint56()?.into())),
        of("int8", |o, v| put::int8(o, n(v)), |r| Ok(r.int8()?.into())),
        of("int16", |o, v| put::int16(o, n(v)), |r| Ok(r.int16()?.into())),
        of("int24", |o, v| put::int24(o, n(v)), |r| Ok(r.int24()?.into())),
        of("int32", |o, v| put::int32(o, n(v)), |r| Ok(r.int32()?.into())),
        of("int40", |o, v| put::int40(o, n(v)), |r| Ok(r.int40()?.into())),
        of("int48", |o, v| put::int48(o, n(v)), |r| Ok(r.int48()?.into())),
        of("int56", |o, v| put::int56(o, n(v)), |r| Ok(r.int56()?.into())),
        of("int64", |o, v| put::int64(o, n(v)), |r| Ok(r.int64()?.into())),
        of("biguint64", |o, v| put::uint64(o, t(v)), |r| Ok(r.uint64()?.to_string().into())),
        of("bigint64", |o, v| put::int64(o, t(v)), |r| Ok(r.int64()?.to_string().into())),
        of("biguint", |o, v| put::biguint(o, &each(v, t::<u64>)), |r| Ok(texts(&r.biguint(9)?))),
        of("float32", |o, v| put::float32(o, single(v)), |r| Ok(r.float32()?.to_bits().into())),
        of("float64", |o, v| put::float64(o, double(v)), |r| Ok(r.float64()?.to_bits().to_string().into())),
        of("date", |o, v| put::date(o, n(v)), |r| Ok(r.date()?.into())),
        of("port", |o, v| put::port(o, n(v)), |r| Ok(r.port()?.into())),
    ]
}

fn arrays() -> Vec<Type> {
    vec![
        of("uint16array", |o, v| put::uint16_array(o, &each(v, n)), |r| Ok(r.uint16_array(9)?.into())),
        of("int8array", |o, v| put::int8_array(o, &each(v, n)), |r| Ok(r.int8_array(9)?.into())),
        of("int16array", |o, v| put::int16_array(o, &each(v, n)), |r| Ok(r.int16_array(9)?.into())),
        of("int32array", |o, v| put::int32_array(o, &each(v, n)), |r| Ok(r.int32_array(9)?.into())),
        of("biguint64array", |o, v| put::uint64_array(o, &each(v, t)), |r| Ok(texts(&r.uint64_array(9)?))),
        of("bigint64array", |o, v| put::int64_array(o, &each(v, t)), |r| Ok(texts(&r.int64_array(9)?))),
        of(
            "float32array",
            |o, v| put::float32_array(o, &each(v, single)),
            |r| Ok(r.float32_array(99)?.iter().map(|float| float.to_bits()).collect()),
        ),
        of(
            "float64array",
            |o, v| put::float64_array(o, &each(v, double)),
            |r| Ok(texts(&r.float64_array(99)?.iter().map(|float| float.to_bits()).collect::<Vec<_>>())),
        ),
        of(
            "bitarray",
            |o, v| put::bits(o, &each(v, |bit| bit.as_bool().unwrap())),
            |r| Ok(r.bits(999)?.into()),
        ),
        of(
            "stringRecord",
            |o, v| {
                put::string_record(
                    o,
                    &each(v, |pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
                );
            },
            |r| Ok(json!(r.string_record(9)?)),
        ),
    ]
}

fn shown<T: for<'a> Decode<'a> + Display>(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(T::decode(reader)?.to_string().into())
}

fn addresses() -> Vec<Type> {
    vec![
        of("ipv4", |o, v| t::<Ipv4Addr>(v).encode(o), shown::<Ipv4Addr>),
        of("ipv6", |o, v| t::<Ipv6Addr>(v).encode(o), shown::<Ipv6Addr>),
        of("ip", |o, v| t::<IpAddr>(v).encode(o), shown::<IpAddr>),
        of("ipv4Address", |o, v| t::<SocketAddrV4>(v).encode(o), shown::<SocketAddrV4>),
        of("ipv6Address", |o, v| t::<SocketAddrV6>(v).encode(o), shown::<SocketAddrV6>),
        of("ipAddress", |o, v| t::<SocketAddr>(v).encode(o), shown::<SocketAddr>),
    ]
}

#[test]
fn values_of_every_type_are_written_and_read_as_in_node() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/codec.json")).unwrap();
    let types: Vec<Type> = [numbers(), arrays(), addresses()].into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    for vector in vectors["more"].as_array().unwrap() {
        let name = vector["type"].as_str().unwrap();
        let kind =
            types.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("unknown type {name}"));
        let encoded = hex::decode(vector["encoded"].as_str().unwrap()).unwrap();
        let mut out = Vec::new();
        (kind.write)(&mut out, &vector["value"]);
        assert_eq!(hex::encode(&out), hex::encode(&encoded), "{vector}");
        let mut reader = Reader::new(&encoded);
        assert_eq!((kind.read)(&mut reader).as_ref(), Ok(&vector["value"]), "{vector}");
        assert_eq!(reader.finish(), Ok(()), "{vector}");
        for end in 0..encoded.len() {
            assert!((kind.read)(&mut Reader::new(&encoded[..end])).is_err(), "cut at {end}: {vector}");
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), types.len());
}

#[test]
fn a_frame_ends_where_its_length_says_and_may_hold_more_than_is_known() {
    let frame = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        let value = reader.frame(|framed| Ok((framed.uint()?, framed.uint()?)))?;
        Ok((value, reader.remaining()))
    };
    assert_eq!(frame(&[2, 5, 6]), Ok(((5, 6), 0)));
    assert_eq!(frame(&[4, 5, 6, 7, 8, 9]), Ok(((5, 6), 1)));
    // the second number lies behind the end of the frame
    assert_eq!(frame(&[1, 5, 6]), Err(DecodeError::OutOfBounds { at: 2, needed: 1 }));
    assert!(frame(&[3, 5, 6]).is_err());
}

#[test]
fn what_is_no_value_is_refused() {
    assert!(IpAddr::from_bytes(&[5, 1, 2, 3, 4]).is_err());
    assert!(matches!(Reader::new(&[0xff; 7]).uint56(), Err(DecodeError::TooLarge { at: 0, .. })));
    // a count of bits that the input cannot hold
    let claimed = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x00];
    assert!(matches!(Reader::new(&claimed).bits(usize::MAX), Err(DecodeError::OutOfBounds { .. })));
    assert!(matches!(Reader::new(&claimed).bits(64), Err(DecodeError::TooMany { max: 64, .. })));
    assert!(matches!(Reader::new(&claimed).float64_array(usize::MAX), Err(DecodeError::OutOfBounds { .. })));
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_of_each_type_or_an_error(bytes: Vec<u8>) {
        for kind in [numbers(), arrays(), addresses()].into_iter().flatten() {
            let mut reader = Reader::new(&bytes);
            let Ok(value) = (kind.read)(&mut reader) else { continue };
            let read = bytes.len() - reader.remaining();
            // what was read, written again, is read as the same; not always from the same bytes, as varints have several forms
            let mut again = Vec::new();
            (kind.write)(&mut again, &value);
            prop_assert!(again.len() <= read, "{}: {value}", kind.name);
            prop_assert_eq!((kind.read)(&mut Reader::new(&again)), Ok(value), "{}", kind.name);
        }
    }

    #[test]
    fn numbers_come_back_as_they_were(
        a: i8, b: i16, c: i32, d: i64, e in 0_u64..1 << 40, f in 0_u64..1 << 48, g in 0_u64..1 << 53,
        words: Vec<u64>, floats: Vec<f64>, bits: Vec<bool>,
    ) {
        let mut out = Vec::new();
        put::int8(&mut out, a);
        put::int16(&mut out, b);
        put::int32(&mut out, c);
        put::int64(&mut out, d);
        put::uint40(&mut out, e);
        put::uint48(&mut out, f);
        put::uint56(&mut out, g);
        put::int24(&mut out, i32::from(b));
        put::int56(&mut out, i64::from(c));
        put::uint64_array(&mut out, &words);
        put::float64_array(&mut out, &floats);
        put::bits(&mut out, &bits);
        let mut reader = Reader::new(&out);
        prop_assert_eq!((reader.int8()?, reader.int16()?, reader.int32()?, reader.int64()?), (a, b, c, d));
        prop_assert_eq!((reader.uint40()?, reader.uint48()?, reader.uint56()?), (e, f, g));
        prop_assert_eq!((reader.int24()?, reader.int56()?), (i32::from(b), i64::from(c)));
        prop_assert_eq!(reader.uint64_array(usize::MAX)?, words);
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
        prop_assert!(reader.float64_array(usize::MAX)?.iter().zip(&floats).all(same));
        prop_assert_eq!(reader.bits(usize::MAX)?, bits);
        prop_assert_eq!(reader.finish(), Ok(()));
    }
}
