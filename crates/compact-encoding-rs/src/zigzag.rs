//! Signed integers as unsigned ones: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4.

pub(crate) fn zigzag(n: i64) -> u64 {
    (n.unsigned_abs() << 1).wrapping_sub(u64::from(n < 0))
}

pub(crate) fn unzigzag(n: u64) -> i64 {
    let half = i64::try_from(n >> 1).unwrap_or(i64::MAX);
    if n & 1 == 0 { half } else { -half - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_has_its_place() {
        for (n, place) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)] {
            assert_eq!((zigzag(n), unzigzag(place)), (place, n));
        }
    }
}
