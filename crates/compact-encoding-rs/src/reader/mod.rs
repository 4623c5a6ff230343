//! A cursor over bytes from outside. Every read is checked; nothing is allocated on the input's word alone.

mod numbers;

use crate::{DecodeError, MAX_SAFE_UINT};

/// Reads values one after the other from a buffer.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of `rest` in the buffer of the outermost reader.
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`] if fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, tail)) = self.rest.split_at_checked(n) else {
            let missing = n.saturating_sub(self.rest.len());
            return Err(DecodeError::OutOfBounds {
                at: self.at,
                needed: u64::try_from(missing).unwrap_or(u64::MAX),
            });
        };
        self.rest = tail;
        self.at = self.at.saturating_add(n);
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| DecodeError::Invalid { at: self.at, what: "array length" })
    }

    /// A varint of at most [`MAX_SAFE_UINT`].
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`], [`DecodeError::TooLarge`].
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        let at = self.at;
        let value = match self.uint8()? {
            0xfd => u64::from(self.uint16()?),
            0xfe => u64::from(self.uint32()?),
            0xff => self.uint64()?,
            small => u64::from(small),
        };
        if value > MAX_SAFE_UINT { Err(DecodeError::TooLarge { at, value }) } else { Ok(value) }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint24(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, of any value.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Eight bytes, most significant first, of any value.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn uint64be(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A boolean: any byte but 0 and 1 is an error.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`], [`DecodeError::Invalid`].
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.uint8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid { at: self.at, what: "boolean" }),
        }
    }

    /// A length, then that many bytes, borrowed from the input.
    ///
    /// # Errors
    /// As [`uint`](Self::uint) and [`take`](Self::take).
    pub fn buffer(&mut self) -> Result<&'a [u8], DecodeError> {
        let claimed = self.uint()?;
        let Ok(n) = usize::try_from(claimed) else {
            return Err(DecodeError::OutOfBounds { at: self.at, needed: claimed });
        };
        self.take(n)
    }

    /// A buffer where an empty one stands for none.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn optional_buffer(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        Ok(Some(self.buffer()?).filter(|bytes| !bytes.is_empty()))
    }

    /// Text behind its length in bytes.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer), and [`DecodeError::InvalidUtf8`].
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.buffer()?;
        let at = self.at.saturating_sub(bytes.len());
        std::str::from_utf8(bytes).map_err(|_| DecodeError::InvalidUtf8 { at })
    }

    /// A count of at most `max`, then that many elements, each of at least `min_item_len` bytes (which bounds what is
    /// reserved before any element was read).
    ///
    /// # Errors
    /// [`DecodeError::TooMany`], [`DecodeError::OutOfBounds`] if the rest of the input cannot hold that many, and what
    /// `item` returns.
    pub fn list<T>(
        &mut self,
        max: usize,
        min_item_len: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(max, min_item_len)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A count of at most `max`, then each key with its value. Of two with one key, Node keeps the later one.
    ///
    /// # Errors
    /// As [`list`](Self::list) and [`string`](Self::string).
    pub fn string_record(&mut self, max: usize) -> Result<Vec<(&'a str, &'a str)>, DecodeError> {
        self.list(max, 2, |reader| Ok((reader.string()?, reader.string()?)))
    }

    /// A length, then a value of at most that length. What is left of it is skipped: a later version may have put more
    /// there.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer), and what `value` returns.
    pub fn frame<T>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let claimed = self.uint()?;
        let outside = DecodeError::OutOfBounds { at: self.at, needed: claimed };
        let mut framed = self.sub(usize::try_from(claimed).map_err(|_| outside)?)?;
        value(&mut framed)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.at = self.at.saturating_add(rest.len());
        self.rest = &[];
        rest
    }

    /// A reader of its own for the next `n` bytes, which this one skips.
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`].
    pub fn sub(&mut self, n: usize) -> Result<Self, DecodeError> {
        let at = self.at;
        Ok(Self { rest: self.take(n)?, at })
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes were read, from the start of the outermost reader's buffer.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Ends the reading: nothing may be left.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`].
    pub const fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing { at: self.at, extra: self.rest.len() })
        }
    }

    fn count(&mut self, max: usize, min_item_len: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        let claimed = self.uint()?;
        let count = usize::try_from(claimed).unwrap_or(usize::MAX);
        if count > max {
            return Err(DecodeError::TooMany { at, count: claimed, max });
        }
        let needed = count.saturating_mul(min_item_len.max(1));
        if needed > self.rest.len() {
            let missing = needed.saturating_sub(self.rest.len());
            return Err(DecodeError::OutOfBounds {
                at: self.at,
                needed: u64::try_from(missing).unwrap_or(u64::MAX),
            });
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::put;
    use proptest::prelude::*;

    #[test]
    fn a_claimed_length_is_never_reserved() {
        // nine bytes that claim a list of 2^53 - 1 elements
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x00];
        let list = Reader::new(&bytes).list(usize::MAX, 1, Reader::uint);
        assert_eq!(list, Err(DecodeError::OutOfBounds { at: 9, needed: (1 << 53) - 1 }));
        let bound = Reader::new(&bytes).list(16, 1, Reader::uint);
        assert!(matches!(bound, Err(DecodeError::TooMany { max: 16, .. })), "{bound:?}");
    }

    #[test]
    fn an_integer_beyond_the_safe_range_is_refused() {
        let mut bytes = Vec::new();
        put::uint(&mut bytes, MAX_SAFE_UINT);
        assert_eq!(Reader::new(&bytes).uint(), Ok(MAX_SAFE_UINT));
        bytes.clear();
        put::uint(&mut bytes, MAX_SAFE_UINT + 1);
        assert_eq!(
            Reader::new(&bytes).uint(),
            Err(DecodeError::TooLarge { at: 0, value: MAX_SAFE_UINT + 1 })
        );
    }

    #[test]
    fn a_longer_form_than_needed_is_accepted() {
        assert_eq!(Reader::new(&[0xfd, 1, 0]).uint(), Ok(1));
    }

    #[test]
    fn errors_name_offsets_of_the_outermost_buffer() {
        let bytes = [9, 9, 2, 0xc3, 0x28];
        let mut outer = Reader::new(&bytes);
        outer.take(2).unwrap();
        let mut inner = outer.sub(3).unwrap();
        assert_eq!(inner.string(), Err(DecodeError::InvalidUtf8 { at: 3 }));
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_it_back(
            n in 0..=MAX_SAFE_UINT, i in -(1i64 << 52)..(1i64 << 52), bytes: Vec<u8>, text: String, words: Vec<u32>, b: bool,
        ) {
            let mut out = Vec::new();
            put::uint(&mut out, n);
            put::int(&mut out, i);
            put::buffer(&mut out, &bytes);
            put::string(&mut out, &text);
            put::uint32_array(&mut out, &words);
            put::bool(&mut out, b);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.uint()?, n);
            prop_assert_eq!(reader.int()?, i);
            prop_assert_eq!(reader.buffer()?, &bytes[..]);
            prop_assert_eq!(reader.string()?, &text);
            prop_assert_eq!(reader.uint32_array(usize::MAX)?, words);
            prop_assert_eq!(reader.bool()?, b);
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            let before = reader.remaining();
            let _ = reader.clone().uint();
            let _ = reader.clone().int();
            let _ = reader.clone().string();
            let _ = reader.clone().uint32_array(1 << 20);
            let _ = reader.clone().list(1 << 20, 1, Reader::buffer);
            let _ = reader.buffer();
            prop_assert!(reader.remaining() <= before);
        }
    }
}
