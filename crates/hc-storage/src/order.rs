//! Integers and text as bytes that sort as they do.
//!
//! An integer is one byte up to 251, else a marker (`0xfc`, `0xfd`, `0xfe`) and two, four or eight bytes, most significant
//! first; `0xff` sorts after every integer. Text begins with 0, has 0 escaped as 0 2, and ends with 0 1.
//!
//! Follows npm index-encoder 3.4.0, `index.js` (`UINT`, `STRING`).

use compact_encoding::{DecodeError, MAX_SAFE_UINT, Reader};
use smallvec::SmallVec;

/// Bytes of a key.
pub(crate) type KeyBytes = SmallVec<[u8; 48]>;

pub(crate) fn put_uint(out: &mut KeyBytes, n: u64) {
    match (u8::try_from(n), u16::try_from(n), u32::try_from(n)) {
        (Ok(small), ..) if small <= 0xfb => out.push(small),
        (_, Ok(n), _) => {
            out.push(0xfc);
            out.extend_from_slice(&n.to_be_bytes());
        }
        (.., Ok(n)) => {
            out.push(0xfd);
            out.extend_from_slice(&n.to_be_bytes());
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Sorts after every integer.
pub(crate) fn put_infinity(out: &mut KeyBytes) {
    out.push(0xff);
}

pub(crate) fn put_text(out: &mut KeyBytes, text: &[u8]) {
    out.push(0);
    for byte in text {
        out.push(*byte);
        if *byte == 0 {
            out.push(2);
        }
    }
    out.extend_from_slice(&[0, 1]);
}

/// An integer of a key. One above 2^53 - 1 is none: what comes after every integer stands only at the end of a range.
pub(crate) fn read_uint(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let at = reader.position();
    match reader.uint8()? {
        0xfc => Ok(u64::from(u16::from_be_bytes(reader.array()?))),
        0xfd => Ok(u64::from(u32::from_be_bytes(reader.array()?))),
        0xfe => safe(at, u64::from_be_bytes(reader.array()?)),
        0xff => safe(at, u64::MAX),
        small => Ok(u64::from(small)),
    }
}

/// A number of eight bytes, which Node reads up to 2^53 - 1 as well.
pub(crate) const fn safe(at: usize, value: u64) -> Result<u64, DecodeError> {
    if value > MAX_SAFE_UINT { Err(DecodeError::TooLarge { at, value }) } else { Ok(value) }
}

pub(crate) fn read_text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let invalid = |reader: &Reader<'_>| DecodeError::Invalid { at: reader.position(), what: "text of a key" };
    if reader.uint8()? != 0 {
        return Err(invalid(reader));
    }
    let mut text = Vec::new();
    loop {
        match reader.uint8()? {
            0 => match reader.uint8()? {
                1 => break,
                2 => text.push(0),
                _ => return Err(invalid(reader)),
            },
            byte => text.push(byte),
        }
    }
    String::from_utf8(text).map_err(|_| invalid(reader))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uint(n: u64) -> KeyBytes {
        let mut out = KeyBytes::new();
        put_uint(&mut out, n);
        out
    }

    fn text(s: &str) -> KeyBytes {
        let mut out = KeyBytes::new();
        put_text(&mut out, s.as_bytes());
        out
    }

    proptest! {
        #[test]
        fn o1_integers_sort_as_their_bytes(a: u64, b: u64, shift in 0..64_u32) {
            let (a, b) = (a >> shift, b >> shift);
            prop_assert_eq!(a.cmp(&b), uint(a).cmp(&uint(b)));
            let read = read_uint(&mut Reader::new(&uint(a)));
            prop_assert_eq!(read.is_ok(), a <= MAX_SAFE_UINT);
            prop_assert!(read.is_err() || read == Ok(a));
        }

        #[test]
        fn o1_text_reads_back(s: String) {
            prop_assert_eq!(read_text(&mut Reader::new(&text(&s))), Ok(s));
        }

        #[test]
        fn any_bytes_are_text_or_an_error(bytes: Vec<u8>) {
            let _ = read_text(&mut Reader::new(&bytes));
            let _ = read_uint(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn regression_what_comes_after_every_integer_is_none() {
        let infinity = Err(DecodeError::TooLarge { at: 0, value: u64::MAX });
        assert_eq!(read_uint(&mut Reader::new(&[0xff])), infinity);
        assert_eq!(read_uint(&mut Reader::new(&uint(MAX_SAFE_UINT))), Ok(MAX_SAFE_UINT));
        assert!(read_uint(&mut Reader::new(&uint(MAX_SAFE_UINT + 1))).is_err());
    }

    #[test]
    fn o1_infinity_sorts_last() {
        assert!(uint(u64::MAX).as_slice() < [0xff].as_slice());
    }
}
