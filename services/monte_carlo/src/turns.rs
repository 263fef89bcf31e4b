//! Which runs have shards to give, as one replica knows it, and whose turn it is.
//!
//! ```text
//!   clients   a ─▶ b ─▶ c ─▶ a …         each has its turn, however many runs it has
//!             │    │    │
//!   runs      1    2,3  4                and within a client each of its runs
//! ```
//!
//! A run stays until it says that it has nothing to give, and comes back when it is announced.

use std::collections::VecDeque;
use std::sync::Arc;

/// Most runs that are remembered because this replica can't compute them.
const REFUSED_MAX: usize = 1024;

/// The runs that have work, in the order of their turns.
#[derive(Default)]
pub(crate) struct Turns {
    clients: VecDeque<Client>,
    refused: VecDeque<Arc<str>>,
    heard: u64,
}

struct Client {
    number: u64,
    runs: VecDeque<Turn>,
}

/// A run that may be asked, and when it was last announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) address: Arc<str>,
    client: u64,
    heard: u64,
}

impl Turns {
    /// A run of a client says that it has shards to give.
    pub(crate) fn hear(&mut self, client: u64, address: &str) {
        if self.refused.iter().any(|one| **one == *address) {
            return;
        }
        self.heard += 1;
        let heard = self.heard;
        if let Some(known) = self.run(client, address) {
            known.heard = heard;
            return;
        }
        let turn = Turn {
            address: address.into(),
            client,
            heard,
        };
        match self.clients.iter_mut().find(|one| one.number == client) {
            Some(known) => known.runs.push_back(turn),
            None => self.clients.push_back(Client {
                number: client,
                runs: VecDeque::from([turn]),
            }),
        }
    }

    /// The run whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        let mut client = self.clients.pop_front()?;
        client.runs.rotate_left(1);
        let turn = client.runs.back().cloned();
        self.clients.push_back(client);
        turn
    }

    /// The run gave nothing. It stays if it was announced after its turn came.
    pub(crate) fn forget(&mut self, turn: &Turn) {
        for client in &mut self.clients {
            client.runs.retain(|one| one != turn);
        }
        self.clients.retain(|one| !one.runs.is_empty());
    }

    /// This replica can't compute the run: it leaves it to others.
    pub(crate) fn refuse(&mut self, turn: &Turn) {
        let now = self.run(turn.client, &turn.address).cloned();
        self.forget(now.as_ref().unwrap_or(turn));
        if self.refused.len() == REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back(Arc::clone(&turn.address));
    }

    fn run(&mut self, client: u64, address: &str) -> Option<&mut Turn> {
        let mut clients = self.clients.iter_mut();
        let client = clients.find(|one| one.number == client)?;
        client.runs.iter_mut().find(|one| *one.address == *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(announced: &[(u64, &str)]) -> Turns {
        let mut turns = Turns::default();
        for &(client, address) in announced {
            turns.hear(client, address);
        }
        turns
    }

    fn next(turns: &mut Turns, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        for _ in 0..count {
            found.push(turns.next().unwrap().address.to_string());
        }
        found
    }

    #[test]
    fn clients_are_taken_in_turn_and_then_the_runs_of_each() {
        let mut turns = turns(&[(1, "a"), (2, "b"), (2, "c"), (2, "d")]);
        assert_eq!(next(&mut turns, 6), ["a", "b", "a", "c", "a", "d"]);
        turns.hear(3, "e");
        assert_eq!(next(&mut turns, 6), ["a", "b", "e", "a", "c", "e"]);
    }

    #[test]
    fn a_client_with_ten_runs_gets_as_many_turns_as_one_with_a_single_run() {
        let mut turns = Turns::default();
        for n in 0..10 {
            turns.hear(1, &format!("many.{n}"));
        }
        turns.hear(2, "one");
        let found = next(&mut turns, 200);
        let single = found.iter().filter(|address| *address == "one");
        assert_eq!(single.count(), 100);
        for n in 0..10 {
            let of_run = found.iter().filter(|one| **one == format!("many.{n}"));
            assert_eq!(of_run.count(), 10);
        }
    }

    #[test]
    fn a_run_that_is_announced_again_has_no_more_turns_than_before() {
        let mut turns = turns(&[(1, "a"), (2, "b"), (1, "a"), (1, "a")]);
        assert_eq!(next(&mut turns, 4), ["a", "b", "a", "b"]);
    }

    #[test]
    fn a_run_that_gives_nothing_is_forgotten_until_it_is_announced_again() {
        let mut turns = turns(&[(1, "a"), (2, "b")]);
        let a = turns.next().unwrap();
        turns.forget(&a);
        assert_eq!(next(&mut turns, 2), ["b", "b"]);
        turns.hear(1, "a");
        assert_eq!(next(&mut turns, 2), ["b", "a"]);
        assert!(Turns::default().next().is_none());
    }

    #[test]
    fn an_answer_that_is_older_than_the_announcement_forgets_nothing() {
        let mut turns = turns(&[(1, "a")]);
        let asked = turns.next().unwrap();
        turns.hear(1, "a");
        turns.forget(&asked);
        let again = turns.next().unwrap();
        assert_eq!(again.address, asked.address);
        turns.forget(&again);
        assert!(turns.next().is_none());
    }

    #[test]
    fn a_run_that_this_replica_can_not_compute_is_left_to_others_for_good() {
        let mut turns = turns(&[(1, "a"), (1, "b")]);
        let a = turns.next().unwrap();
        turns.hear(1, "a");
        turns.refuse(&a);
        turns.hear(1, "a");
        assert_eq!(next(&mut turns, 2), ["b", "b"]);
        for n in 0..2 * REFUSED_MAX {
            turns.hear(1, &n.to_string());
            let turn = Turn {
                address: n.to_string().into(),
                client: 1,
                heard: 0,
            };
            turns.refuse(&turn);
        }
        assert_eq!(turns.refused.len(), REFUSED_MAX);
    }
}
