//! Draws by address: which random number stands where.

use crate::philox::philox4x32_10;

/// Where a draw stands in a simulation.
///
/// ```text
///   counter word   0           1            2      3
///   holds          path low    path high    step   asset (low half), channel (high half)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    path: u64,
    step: u32,
    asset: u16,
    channel: u16,
}

impl Address {
    /// The address of `asset` at time step `step` of `path`, on channel 0.
    #[must_use]
    pub const fn new(path: u64, step: u32, asset: u16) -> Self {
        Self {
            path,
            step,
            asset,
            channel: 0,
        }
    }

    /// The same place on another channel, for a model that needs several independent draws there
    /// (a shock and the time of a jump).
    #[must_use]
    pub const fn on_channel(self, channel: u16) -> Self {
        Self { channel, ..self }
    }

    const fn counter(self) -> [u32; 4] {
        [
            self.path as u32,
            (self.path >> 32) as u32,
            self.step,
            self.asset as u32 | (self.channel as u32) << 16,
        ]
    }
}

/// All draws of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    key: [u32; 2],
}

impl Draws {
    /// The draws that belong to `seed`; every seed is good.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
        }
    }

    /// The 64 random bits at `address`.
    #[must_use]
    #[inline]
    pub fn bits(&self, address: Address) -> u64 {
        let block = philox4x32_10(address.counter(), self.key);
        u64::from(block[0]) | u64::from(block[1]) << 32
    }

    /// The draw at `address` from the open interval (0, 1): a multiple of 2⁻⁵³ that is odd, so
    /// that neither 0 nor 1 can appear and a logarithm or a quantile of it is finite.
    #[must_use]
    #[inline]
    pub fn fraction(&self, address: Address) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
        ((self.bits(address) >> 12) as f64 + 0.5) * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn grid() -> Vec<Address> {
        let mut addresses = Vec::new();
        for path in 0..20 {
            for step in 0..20 {
                for asset in 0..5 {
                    addresses.push(Address::new(path, step, asset));
                    addresses.push(Address::new(path, step, asset).on_channel(1));
                }
            }
        }
        addresses
    }

    #[test]
    fn draws_do_not_depend_on_the_order_in_which_they_are_asked_for() {
        let forward: Vec<u64> = grid().iter().map(|&a| Draws::new(7).bits(a)).collect();
        let draws = Draws::new(7);
        let mut backward: Vec<u64> = grid().iter().rev().map(|&a| draws.bits(a)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
    }

    #[test]
    fn threads_that_share_the_paths_draw_what_one_thread_draws() {
        let draws = Draws::new(11);
        let addresses = grid();
        let alone: Vec<u64> = addresses.iter().map(|&a| draws.bits(a)).collect();
        let shared: Vec<u64> = std::thread::scope(|scope| {
            let workers: Vec<_> = addresses
                .chunks(173)
                .map(|part| scope.spawn(move || part.iter().map(|&a| draws.bits(a)).collect()))
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| -> Vec<u64> { worker.join().unwrap() })
                .collect()
        });
        assert_eq!(alone, shared);
    }

    #[test]
    fn every_address_and_every_seed_has_its_own_draw() {
        let mut seen = HashSet::new();
        for seed in [0, 1, 1 << 32] {
            let draws = Draws::new(seed);
            assert!(
                grid()
                    .iter()
                    .all(|&address| seen.insert(draws.bits(address)))
            );
        }
    }

    #[test]
    fn each_part_of_an_address_reaches_the_counter_unmixed() {
        let address = Address::new(0x1122_3344_5566_7788, 0x99AA_BBCC, 0xDDEE).on_channel(0xF00F);
        assert_eq!(
            address.counter(),
            [0x5566_7788, 0x1122_3344, 0x99AA_BBCC, 0xF00F_DDEE]
        );
    }

    #[test]
    fn fractions_stay_inside_zero_and_one_and_fill_it_evenly() {
        let draws = Draws::new(3);
        let mut counts = [0_u32; 10];
        for path in 0..100_000 {
            let fraction = draws.fraction(Address::new(path, 0, 0));
            assert!(0.0 < fraction && fraction < 1.0);
            let tenth = (1..10).filter(|&i| fraction >= f64::from(i) / 10.0).count();
            counts[tenth] += 1;
        }
        let chi_square: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        // The 99.9 % quantile of chi-square with 9 degrees of freedom.
        assert!(chi_square < 27.88, "chi-square {chi_square}");
    }
}
