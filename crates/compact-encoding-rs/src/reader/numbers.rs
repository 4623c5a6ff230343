//! Numbers of every width, and arrays of them.

use super::Reader;
use crate::zigzag::unzigzag;
use crate::{DecodeError, MAX_SAFE_UINT};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident -> $number:ty = |$reader:ident| $read:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`DecodeError::OutOfBounds`].
        pub fn $name(&mut self) -> Result<$number, DecodeError> {
            let $reader = self;
            $read
        }
    )*};
}

macro_rules! arrays {
    ($($name:ident -> $number:ty, $width:literal;)*) => {$(
        #[doc = concat!("A count of at most `max`, then that many numbers, little-endian, as `", stringify!($number), "`.")]
        ///
        /// # Errors
        /// As [`list`](Self::list).
        pub fn $name(&mut self, max: usize) -> Result<Vec<$number>, DecodeError> {
            let count = self.count(max, $width)?;
            let bytes = self.take(count.saturating_mul($width))?;
            let (numbers, _) = bytes.as_chunks::<$width>();
            Ok(numbers.iter().map(|number| <$number>::from_le_bytes(*number)).collect())
        }
    )*};
}

impl Reader<'_> {
    numbers!(
        /// Four bytes, most significant first.
        uint32be -> u32 = |reader| reader.array().map(u32::from_be_bytes);
        /// Five bytes.
        uint40 -> u64 = |reader| reader.wide::<5>();
        /// Six bytes.
        uint48 -> u64 = |reader| reader.wide::<6>();
        /// One byte, zigzag.
        int8 -> i8 = |reader| reader.signed::<1>().map(|n| i8::try_from(n).unwrap_or(0));
        /// Two bytes, zigzag.
        int16 -> i16 = |reader| reader.signed::<2>().map(|n| i16::try_from(n).unwrap_or(0));
        /// Three bytes, zigzag.
        int24 -> i32 = |reader| reader.signed::<3>().map(|n| i32::try_from(n).unwrap_or(0));
        /// Four bytes, zigzag.
        int32 -> i32 = |reader| reader.signed::<4>().map(|n| i32::try_from(n).unwrap_or(0));
        /// Five bytes, zigzag.
        int40 -> i64 = |reader| reader.signed::<5>();
        /// Six bytes, zigzag.
        int48 -> i64 = |reader| reader.signed::<6>();
        /// Eight bytes, zigzag, of any value.
        int64 -> i64 = |reader| reader.signed::<8>();
        /// Four bytes, IEEE 754.
        float32 -> f32 = |reader| reader.array().map(f32::from_le_bytes);
        /// Eight bytes, IEEE 754.
        float64 -> f64 = |reader| reader.array().map(f64::from_le_bytes);
        /// A port.
        port -> u16 = |reader| reader.uint16();
    );

    arrays!(
        uint16_array -> u16, 2;
        uint32_array -> u32, 4;
        uint64_array -> u64, 8;
        int8_array -> i8, 1;
        int16_array -> i16, 2;
        int32_array -> i32, 4;
        int64_array -> i64, 8;
        float32_array -> f32, 4;
        float64_array -> f64, 8;
    );

    /// Seven bytes, of at most [`MAX_SAFE_UINT`].
    ///
    /// # Errors
    /// [`DecodeError::OutOfBounds`], [`DecodeError::TooLarge`].
    pub fn uint56(&mut self) -> Result<u64, DecodeError> {
        let at = self.position();
        let value = self.wide::<7>()?;
        if value > MAX_SAFE_UINT { Err(DecodeError::TooLarge { at, value }) } else { Ok(value) }
    }

    /// Seven bytes, zigzag.
    ///
    /// # Errors
    /// As [`uint56`](Self::uint56).
    pub fn int56(&mut self) -> Result<i64, DecodeError> {
        self.uint56().map(unzigzag)
    }

    /// A signed integer from a zigzag varint.
    ///
    /// # Errors
    /// As [`uint`](Self::uint).
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        self.uint().map(unzigzag)
    }

    /// A time, in milliseconds since the beginning of 1970.
    ///
    /// # Errors
    /// As [`int`](Self::int).
    pub fn date(&mut self) -> Result<i64, DecodeError> {
        self.int()
    }

    /// An integer of at most `max` words of 64 bits, the least significant first.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn biguint(&mut self, max: usize) -> Result<Vec<u64>, DecodeError> {
        self.uint64_array(max)
    }

    /// A count of at most `max` bits, then eight of them a byte, the first one lowest.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn bits(&mut self, max: usize) -> Result<Vec<bool>, DecodeError> {
        let at = self.position();
        let claimed = self.uint()?;
        let count = usize::try_from(claimed).unwrap_or(usize::MAX);
        if count > max {
            return Err(DecodeError::TooMany { at, count: claimed, max });
        }
        let bytes = self.take(count.div_ceil(8))?;
        let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        Ok(bits.take(count).collect())
    }

    fn wide<const N: usize>(&mut self) -> Result<u64, DecodeError> {
        let low: [u8; N] = self.array()?;
        let mut all = [0; 8];
        for (to, from) in all.iter_mut().zip(low) {
            *to = from;
        }
        Ok(u64::from_le_bytes(all))
    }

    fn signed<const N: usize>(&mut self) -> Result<i64, DecodeError> {
        self.wide::<N>().map(unzigzag)
    }
}
