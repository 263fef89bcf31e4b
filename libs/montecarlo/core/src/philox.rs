//! Philox4x32-10, a counter-based generator: a bijection of 128 bits for each key of 64 bits.
//!
//! One round, on the words `x0 x1 x2 x3` of the counter and `k0 k1` of the key:
//!
//! ```text
//!   hi0·2³² + lo0 = M0 × x0            x0' = hi1 ⊕ x1 ⊕ k0     x1' = lo1
//!   hi1·2³² + lo1 = M1 × x2            x2' = hi0 ⊕ x3 ⊕ k1     x3' = lo0
//! ```
//!
//! Between rounds the key moves on by the Weyl constants (golden ratio, √3 − 1). Ten rounds pass
//! `BigCrush`, with three rounds to spare.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The block of four words that stands at `counter` in the sequence of `key`.
///
/// ```
/// use stratvector_montecarlo_core::philox4x32_10;
///
/// assert_eq!(philox4x32_10([0; 4], [0; 2])[0], 0x6627_e8d5);
/// ```
#[must_use]
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut block = counter;
    let mut key = key;
    for _ in 0..ROUNDS {
        block = round(block, key);
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    block
}

#[inline]
fn round(x: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (high0, low0) = wide_product(MULTIPLIERS[0], x[0]);
    let (high1, low1) = wide_product(MULTIPLIERS[1], x[2]);
    [high1 ^ x[1] ^ key[0], low1, high0 ^ x[3] ^ key[1], low0]
}

/// High and low word of the 64-bit product.
fn wide_product(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines `philox4x32 10` of Random123's `kat_vectors`; the third is the digits of pi.
    #[test]
    fn the_published_known_answers_come_out() {
        let known = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, block) in known {
            assert_eq!(philox4x32_10(counter, key), block);
        }
    }

    #[test]
    fn one_flipped_bit_of_the_counter_flips_about_half_of_the_block() {
        let block = philox4x32_10([0; 4], [0; 2]);
        for bit in 0..128 {
            let mut counter = [0; 4];
            counter[bit / 32] = 1 << (bit % 32);
            let other = philox4x32_10(counter, [0; 2]);
            let flipped: u32 = (0..4).map(|i| (block[i] ^ other[i]).count_ones()).sum();
            assert!(
                (36..=92).contains(&flipped),
                "bit {bit}: {flipped} of 128, five standard deviations are 28"
            );
        }
    }
}
