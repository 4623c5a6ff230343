//! Writers of the basic types, from which the encodings of structs are put together.
//!
//! Each has its counterpart in [`Reader`](crate::Reader).

mod numbers;

pub use numbers::{
    biguint, bits, date, float32, float32_array, float64, float64_array, int, int8, int8_array, int16,
    int16_array, int24, int32, int32_array, int40, int48, int56, int64, int64_array, port, uint16_array,
    uint32_array, uint32be, uint40, uint48, uint56, uint64_array,
};

use crate::{Encode, Sink};

/// A varint. Values above [`MAX_SAFE_UINT`](crate::MAX_SAFE_UINT) are written, but no reader takes them.
pub fn uint<S: Sink>(out: &mut S, n: u64) {
    let [b0, b1, b2, b3, ..] = n.to_le_bytes();
    match n {
        0..=0xfc => out.put(&[b0]),
        0xfd..=0xffff => out.put(&[0xfd, b0, b1]),
        0x1_0000..=0xffff_ffff => out.put(&[0xfe, b0, b1, b2, b3]),
        _ => {
            out.put(&[0xff]);
            out.put(&n.to_le_bytes());
        }
    }
}

/// A length or a count as a varint.
pub fn len<S: Sink>(out: &mut S, n: usize) {
    uint(out, u64::try_from(n).unwrap_or(u64::MAX));
}

/// One byte.
pub fn uint8<S: Sink>(out: &mut S, n: u8) {
    out.put(&[n]);
}

/// Two bytes.
pub fn uint16<S: Sink>(out: &mut S, n: u16) {
    out.put(&n.to_le_bytes());
}

/// Three bytes: the low 24 bits.
pub fn uint24<S: Sink>(out: &mut S, n: u32) {
    let [b0, b1, b2, _] = n.to_le_bytes();
    out.put(&[b0, b1, b2]);
}

/// Four bytes.
pub fn uint32<S: Sink>(out: &mut S, n: u32) {
    out.put(&n.to_le_bytes());
}

/// Eight bytes.
pub fn uint64<S: Sink>(out: &mut S, n: u64) {
    out.put(&n.to_le_bytes());
}

/// Eight bytes, most significant first.
pub fn uint64be<S: Sink>(out: &mut S, n: u64) {
    out.put(&n.to_be_bytes());
}

/// One byte, 0 or 1.
pub fn bool<S: Sink>(out: &mut S, b: bool) {
    out.put(&[u8::from(b)]);
}

/// A length, then the bytes.
pub fn buffer<S: Sink>(out: &mut S, bytes: &[u8]) {
    len(out, bytes.len());
    out.put(bytes);
}

/// A buffer where an empty one stands for none.
pub fn optional_buffer<S: Sink>(out: &mut S, bytes: Option<&[u8]>) {
    buffer(out, bytes.unwrap_or_default());
}

/// A length in bytes, then the text in UTF-8.
pub fn string<S: Sink>(out: &mut S, text: &str) {
    buffer(out, text.as_bytes());
}

/// A count, then the elements.
pub fn list<S: Sink, T: Encode>(out: &mut S, items: &[T]) {
    len(out, items.len());
    for item in items {
        item.encode(out);
    }
}

/// A count, then the integers as varints.
pub fn uint_list<S: Sink>(out: &mut S, items: &[u64]) {
    len(out, items.len());
    for item in items {
        uint(out, *item);
    }
}

/// A count, then each key with its value.
pub fn string_record<S: Sink>(out: &mut S, entries: &[(&str, &str)]) {
    len(out, entries.len());
    for (key, value) in entries {
        string(out, key);
        string(out, value);
    }
}

/// A value behind its length, so that a reader may skip it.
pub fn frame<S: Sink, T: Encode>(out: &mut S, value: &T) {
    len(out, value.encoded_len());
    value.encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_take_one_three_five_or_nine_bytes() {
        for (n, len) in
            [(0, 1), (0xfc, 1), (0xfd, 3), (0xffff, 3), (0x1_0000, 5), (0xffff_ffff, 5), (1 << 32, 9)]
        {
            let mut out = Vec::new();
            uint(&mut out, n);
            assert_eq!(out.len(), len, "{n}");
        }
    }

    #[test]
    fn zigzag_alternates_around_zero() {
        for (n, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (2, 4)] {
            let mut out = Vec::new();
            int(&mut out, n);
            assert_eq!(out, [byte], "{n}");
        }
    }
}
