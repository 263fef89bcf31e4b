//! The shards of one run: which was given to whoever asked, and which is given next.
//!
//! ```text
//!   not given ─▶ given ─▶ answered
//!                  │ ▲
//!                  ▼ │ given again
//!                overdue
//! ```
//!
//! To give a shard twice changes nothing: its answer is a function of the question.

use std::collections::BTreeMap;
use std::time::Duration;
use stratvector_montecarlo_core::Shard;
use tokio::time::Instant;

/// How long a shard may take at first; each time it is given again it may take twice as long.
const ANSWER_SECONDS: Duration = Duration::from_secs(3);
/// How often a run is announced as long as it has shards: a replica that is new learns of it.
const ANNOUNCED_SECONDS: Duration = Duration::from_secs(1);

/// What is left to give.
pub(crate) struct Shards {
    all: Vec<Shard>,
    next: usize,
    given: BTreeMap<usize, Given>,
    announced: Option<Instant>,
}

/// When the answer is overdue, and how often the shard was given.
struct Given {
    due: Instant,
    times: u32,
}

/// A shard, its number, and whether it was given before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gift {
    pub(crate) number: usize,
    pub(crate) shard: Shard,
    pub(crate) again: bool,
}

impl Shards {
    /// None is given yet.
    pub(crate) fn new(all: Vec<Shard>) -> Self {
        Self {
            all,
            next: 0,
            given: BTreeMap::new(),
            announced: None,
        }
    }

    /// For whoever asks: the first that was never given, or else the first that is overdue.
    pub(crate) fn give(&mut self, now: Instant) -> Option<Gift> {
        let number = if self.next < self.all.len() {
            self.next += 1;
            self.next - 1
        } else {
            self.overdue(now)?
        };
        let times = self.given.get(&number).map_or(0, |given| given.times);
        let due = now + ANSWER_SECONDS * 2_u32.pow(times.min(4));
        let given = Given {
            due,
            times: times + 1,
        };
        self.given.insert(number, given);
        Some(Gift {
            number,
            shard: self.all[number],
            again: times > 0,
        })
    }

    /// Whether a shard was given and its answer is not there.
    pub(crate) fn is_given(&self, number: usize) -> bool {
        self.given.contains_key(&number)
    }

    /// The answer to a shard is there.
    pub(crate) fn answered(&mut self, number: usize) {
        self.given.remove(&number);
    }

    /// Questions and answers that were under way are lost.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.given.values_mut().for_each(|one| one.due = now);
        self.announced = None;
    }

    /// Whether replicas are to be told now that there are shards; they count as told then.
    pub(crate) fn announce(&mut self, now: Instant) -> bool {
        let is_left = self.next < self.all.len();
        if !is_left && self.overdue(now).is_none() {
            return false;
        }
        let is_due = self.announced.is_none_or(|told| {
            let mut due = self.given.values().map(|one| one.due);
            now - told >= ANNOUNCED_SECONDS || due.any(|due| told < due && due <= now)
        });
        if is_due {
            self.announced = Some(now);
        }
        is_due
    }

    fn overdue(&self, now: Instant) -> Option<usize> {
        let mut given = self.given.iter();
        given.find(|(_, one)| one.due <= now).map(|(&n, _)| n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    fn shards(count: u64) -> Shards {
        let shard = |n| Shard {
            first_path: 10 * n,
            paths: 10,
        };
        Shards::new((0..count).map(shard).collect())
    }

    fn given(shards: &mut Shards, now: Instant) -> Option<(usize, bool)> {
        shards.give(now).map(|gift| (gift.number, gift.again))
    }

    #[test]
    fn every_shard_is_given_once_and_then_there_is_none() {
        let (mut shards, now) = (shards(3), Instant::now());
        let gifts: Vec<Gift> = (0..3).filter_map(|_| shards.give(now)).collect();
        let found: Vec<_> = gifts.iter().map(|one| one.shard.first_path).collect();
        assert_eq!(found, [0, 10, 20]);
        assert!(gifts.iter().all(|one| !one.again));
        assert_eq!(shards.give(now + SOON), None);
    }

    #[test]
    fn an_overdue_shard_is_given_again_after_the_new_ones_and_has_twice_the_time() {
        let (mut shards, begun) = (shards(3), Instant::now());
        assert_eq!(given(&mut shards, begun), Some((0, false)));
        assert_eq!(given(&mut shards, begun), Some((1, false)));
        shards.answered(1);
        let later = begun + ANSWER_SECONDS;
        assert_eq!(given(&mut shards, later), Some((2, false)));
        assert_eq!(given(&mut shards, later), Some((0, true)));
        shards.answered(2);
        assert_eq!(given(&mut shards, later + ANSWER_SECONDS), None);
        assert_eq!(
            given(&mut shards, later + 2 * ANSWER_SECONDS),
            Some((0, true))
        );
        shards.answered(0);
        assert_eq!(given(&mut shards, later + 100 * ANSWER_SECONDS), None);
    }

    #[test]
    fn patience_ends_to_grow_at_sixteen_times() {
        let (mut shards, mut now) = (shards(1), Instant::now());
        for times in [1, 2, 4, 8, 16, 16, 16] {
            assert!(shards.give(now).is_some());
            now += ANSWER_SECONDS * times;
            assert!(shards.give(now - SOON).is_none());
        }
    }

    #[test]
    fn an_answer_is_waited_for_from_the_gift_until_it_is_there() {
        let (mut shards, now) = (shards(2), Instant::now());
        assert!(!shards.is_given(0));
        shards.give(now).unwrap();
        assert!(shards.is_given(0));
        shards.answered(0);
        assert!(!shards.is_given(0));
        assert!(!shards.is_given(7));
        assert_eq!(given(&mut shards, now), Some((1, false)));
    }

    #[test]
    fn a_run_is_announced_at_its_start_and_every_second_while_it_has_shards() {
        let (mut shards, begun) = (shards(2), Instant::now());
        assert!(shards.announce(begun));
        assert!(!shards.announce(begun + SOON));
        assert!(shards.announce(begun + ANNOUNCED_SECONDS));
        shards.give(begun).unwrap();
        shards.give(begun).unwrap();
        assert!(!shards.announce(begun + 2 * ANNOUNCED_SECONDS));
    }

    #[test]
    fn a_shard_that_becomes_overdue_is_announced_at_once() {
        let (mut shards, begun) = (shards(3), Instant::now());
        shards.give(begun).unwrap();
        shards.give(begun + SOON).unwrap();
        assert!(shards.announce(begun + ANSWER_SECONDS - SOON));
        assert!(shards.announce(begun + ANSWER_SECONDS));
        assert!(shards.announce(begun + ANSWER_SECONDS + SOON));
        assert!(!shards.announce(begun + ANSWER_SECONDS + 2 * SOON));
    }

    #[test]
    fn what_was_under_way_when_the_bus_was_lost_is_announced_and_given_at_once() {
        let (mut shards, now) = (shards(2), Instant::now());
        assert!(shards.announce(now));
        shards.give(now).unwrap();
        shards.give(now).unwrap();
        shards.answered(1);
        shards.lost(now);
        assert!(shards.announce(now));
        assert_eq!(given(&mut shards, now), Some((0, true)));
        assert!(!shards.announce(now + SOON));
    }
}
