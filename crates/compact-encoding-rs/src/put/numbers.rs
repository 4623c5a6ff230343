//! Numbers of every width, and arrays of them.

use super::{len, uint, uint8, uint16, uint32};
use crate::Sink;
use crate::zigzag::zigzag;

/// The lowest `N` bytes of a number.
fn lowest<const N: usize, S: Sink>(out: &mut S, n: u64) {
    if let Some(bytes) = n.to_le_bytes().first_chunk::<N>() {
        out.put(bytes);
    }
}

/// Four bytes, most significant first.
pub fn uint32be<S: Sink>(out: &mut S, n: u32) {
    out.put(&n.to_be_bytes());
}

/// Five bytes: the low 40 bits.
pub fn uint40<S: Sink>(out: &mut S, n: u64) {
    lowest::<5, S>(out, n);
}

/// Six bytes: the low 48 bits.
pub fn uint48<S: Sink>(out: &mut S, n: u64) {
    lowest::<6, S>(out, n);
}

/// Seven bytes: the low 56 bits. No reader takes more than [`MAX_SAFE_UINT`](crate::MAX_SAFE_UINT).
pub fn uint56<S: Sink>(out: &mut S, n: u64) {
    lowest::<7, S>(out, n);
}

/// A signed integer as a zigzag varint: 0, -1, 1, -2 become 0, 1, 2, 3.
pub fn int<S: Sink>(out: &mut S, n: i64) {
    uint(out, zigzag(n));
}

/// One byte, zigzag.
pub fn int8<S: Sink>(out: &mut S, n: i8) {
    lowest::<1, S>(out, zigzag(n.into()));
}

/// Two bytes, zigzag.
pub fn int16<S: Sink>(out: &mut S, n: i16) {
    lowest::<2, S>(out, zigzag(n.into()));
}

/// Three bytes, zigzag: of numbers from -2^23 to 2^23 - 1.
pub fn int24<S: Sink>(out: &mut S, n: i32) {
    lowest::<3, S>(out, zigzag(n.into()));
}

/// Four bytes, zigzag.
pub fn int32<S: Sink>(out: &mut S, n: i32) {
    lowest::<4, S>(out, zigzag(n.into()));
}

/// Five bytes, zigzag: of numbers from -2^39 to 2^39 - 1.
pub fn int40<S: Sink>(out: &mut S, n: i64) {
    lowest::<5, S>(out, zigzag(n));
}

/// Six bytes, zigzag: of numbers from -2^47 to 2^47 - 1.
pub fn int48<S: Sink>(out: &mut S, n: i64) {
    lowest::<6, S>(out, zigzag(n));
}

/// Seven bytes, zigzag: of numbers from -2^52 to 2^52 - 1.
pub fn int56<S: Sink>(out: &mut S, n: i64) {
    lowest::<7, S>(out, zigzag(n));
}

/// Eight bytes, zigzag.
pub fn int64<S: Sink>(out: &mut S, n: i64) {
    lowest::<8, S>(out, zigzag(n));
}

/// An integer of any size, as words of 64 bits, the least significant first. Zeros at the end are not written.
pub fn biguint<S: Sink>(out: &mut S, words: &[u64]) {
    let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    len(out, used);
    for word in words.iter().take(used) {
        out.put(&word.to_le_bytes());
    }
}

/// Four bytes, IEEE 754.
pub fn float32<S: Sink>(out: &mut S, n: f32) {
    out.put(&n.to_le_bytes());
}

/// Eight bytes, IEEE 754.
pub fn float64<S: Sink>(out: &mut S, n: f64) {
    out.put(&n.to_le_bytes());
}

/// A time, in milliseconds since the beginning of 1970.
pub fn date<S: Sink>(out: &mut S, milliseconds: i64) {
    int(out, milliseconds);
}

/// A port.
pub fn port<S: Sink>(out: &mut S, port: u16) {
    uint16(out, port);
}

/// A count of bits, then eight of them a byte, the first one lowest.
pub fn bits<S: Sink>(out: &mut S, bits: &[bool]) {
    len(out, bits.len());
    for chunk in bits.chunks(8) {
        let byte = chunk.iter().rev().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
        // the last byte's missing bits are its high ones
        uint8(out, byte);
    }
}

/// A count, then the words of four bytes each.
pub fn uint32_array<S: Sink>(out: &mut S, words: &[u32]) {
    len(out, words.len());
    for word in words {
        uint32(out, *word);
    }
}

macro_rules! array {
    ($($name:ident: $number:ty),*) => {$(
        #[doc = concat!("A count, then the numbers, little-endian, as `", stringify!($number), "`.")]
        pub fn $name<S: Sink>(out: &mut S, numbers: &[$number]) {
            len(out, numbers.len());
            for number in numbers {
                out.put(&number.to_le_bytes());
            }
        }
    )*};
}

array!(
    uint16_array: u16,
    uint64_array: u64,
    int8_array: i8,
    int16_array: i16,
    int32_array: i32,
    int64_array: i64,
    float32_array: f32,
    float64_array: f64
);
