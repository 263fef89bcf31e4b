//! Which runs may be under way.
//!
//! ```text
//!   run ─▶ too much work? refused ─▶ waits, by client ─▶ under way
//! ```
//!
//! Work is simulations x time steps x assets. Whoever has the least work under way comes next, and
//! what is next is never overtaken; a client alone may take half of what there is. How runs under
//! way share the replicas is `turns.rs`'s.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stratvector_montecarlo_core::SIMULATIONS_MAX;
use tokio::sync::oneshot;

/// Paths that all runs of this process hold in memory, 16 bytes each.
const PATHS_MAX: u64 = 2 * SIMULATIONS_MAX;
/// A small run counts as so many, which bounds how many there are.
const PATHS_MIN: u64 = PATHS_MAX / 32;
/// Most runs that wait, of all clients and of one.
const WAITING_MAX: usize = 128;
const WAITING_OF_CLIENT_MAX: usize = WAITING_MAX / 4;
/// What a run takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    work: u64,
    paths: u64,
}

impl Load {
    /// Of a run of `simulations` paths, each of `time_steps` for `assets`.
    pub(crate) fn new(simulations: u64, time_steps: u32, assets: usize) -> Self {
        let work = simulations.saturating_mul(time_steps.into());
        Self {
            work: work.saturating_mul(assets as u64),
            paths: simulations.max(PATHS_MIN),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            work: self.work.saturating_add(other.work),
            paths: self.paths + other.paths,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            work: self.work.saturating_sub(other.work),
            paths: self.paths.saturating_sub(other.paths),
        }
    }

    fn fits(self, limit: Self) -> bool {
        self.work <= limit.work && self.paths <= limit.paths
    }
}

/// Decides for one process.
pub(crate) struct Admission {
    run_work_max: u64,
    of_client: Load,
    of_all: Load,
    state: Mutex<State>,
}

struct State {
    waiting: Vec<Waiting>,
    under_way: BTreeMap<Arc<str>, Held>,
}

#[derive(Default, Clone, Copy)]
struct Held {
    load: Load,
    runs: usize,
}

struct Waiting {
    client: Arc<str>,
    load: Load,
    go: oneshot::Sender<Permit>,
}

/// A run that is under way until this is dropped.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    client: Arc<str>,
    load: Load,
}

impl Admission {
    /// `run_work_max` : of one run. `work_max` : of all runs under way, at least that of one.
    pub(crate) fn new(run_work_max: u64, work_max: u64) -> Self {
        Self {
            run_work_max,
            of_client: Load {
                work: run_work_max.max(work_max / 2),
                paths: PATHS_MAX / 2,
            },
            of_all: Load {
                work: work_max,
                paths: PATHS_MAX,
            },
            state: Mutex::new(State {
                waiting: Vec::new(),
                under_way: BTreeMap::new(),
            }),
        }
    }

    /// What to wait on for the permit of a run; or one sentence why it is refused.
    pub(crate) fn enter(
        self: &Arc<Self>,
        client: &str,
        load: Load,
    ) -> Result<oneshot::Receiver<Permit>, String> {
        if load.work > self.run_work_max {
            let (work, most) = (load.work, self.run_work_max);
            return Err(format!(
                "simulations x time_steps x assets = {work}: it must be at most {most}, \
                 run_work_max of the service"
            ));
        }
        let (go, permit) = oneshot::channel();
        let client: Arc<str> = client.into();
        {
            let mut state = self.state();
            state.forget_those_who_left();
            let all = state.waiting.len();
            let own = state.waiting.iter().filter(|one| one.client == client);
            if own.count() >= WAITING_OF_CLIENT_MAX {
                return Err(format!(
                    "{WAITING_OF_CLIENT_MAX} runs of this client wait already: ask again later"
                ));
            }
            if all >= WAITING_MAX {
                return Err(format!("{all} runs wait already: ask again later"));
            }
            state.waiting.push(Waiting { client, load, go });
        }
        self.let_in();
        Ok(permit)
    }

    /// Lets in who is next, as long as there is room.
    fn let_in(self: &Arc<Self>) {
        loop {
            let Some(next) = self.state().next(self.of_client, self.of_all) else {
                return;
            };
            // One whose client has left drops its permit here, which lets in the next.
            drop(next.go.send(Permit {
                admission: Arc::clone(self),
                client: next.client,
                load: next.load,
            }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the sums as they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_those_who_left(&mut self) {
        self.waiting.retain(|one| !one.go.is_closed());
    }

    fn held(&self, client: &Arc<str>) -> Held {
        self.under_way.get(client).copied().unwrap_or_default()
    }

    /// Takes out the run that is next if there is room for it, and counts it as under way.
    fn next(&mut self, of_client: Load, of_all: Load) -> Option<Waiting> {
        self.forget_those_who_left();
        let all = self.under_way.values();
        let all = all.fold(Load::default(), |sum, held| sum.plus(held.load));
        let (place, _) = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, one)| self.held(&one.client).load.plus(one.load).fits(of_client))
            .min_by_key(|(place, one)| (self.held(&one.client).load.work, *place))?;
        if !all.plus(self.waiting[place].load).fits(of_all) {
            return None;
        }
        let next = self.waiting.remove(place);
        let held = self.under_way.entry(Arc::clone(&next.client)).or_default();
        held.load = held.load.plus(next.load);
        held.runs += 1;
        Some(next)
    }

    fn release(&mut self, client: &Arc<str>, load: Load) {
        if let Some(held) = self.under_way.get_mut(client) {
            held.load = held.load.less(load);
            held.runs -= 1;
            if held.runs == 0 {
                self.under_way.remove(client);
            }
        }
    }
}

impl Permit {
    /// Whose run it is.
    pub(crate) fn client(&self) -> &str {
        &self.client
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.state().release(&self.client, self.load);
        self.admission.let_in();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oneshot::Receiver;

    fn load(work: u64) -> Load {
        Load::new(work, 1, 1)
    }

    fn admission() -> Arc<Admission> {
        Arc::new(Admission::new(100, 200))
    }

    fn is_under_way(run: &mut Receiver<Permit>, permits: &mut Vec<Permit>) -> bool {
        run.try_recv().map(|permit| permits.push(permit)).is_ok()
    }

    #[test]
    fn work_is_paths_times_steps_times_assets_and_never_wraps() {
        assert_eq!(Load::new(10, 20, 3).work, 600);
        assert_eq!(Load::new(u64::MAX, u32::MAX, 256).work, u64::MAX);
        let refused = admission().enter("a", Load::new(5, 7, 3)).err();
        assert_eq!(
            refused.unwrap(),
            "simulations x time_steps x assets = 105: it must be at most 100, run_work_max of \
             the service"
        );
        assert!(admission().enter("a", load(100)).is_ok());
    }

    #[test]
    fn a_client_that_floods_leaves_half_to_others_and_they_come_next() {
        let (admission, mut permits) = (admission(), Vec::new());
        let mut flood: Vec<_> = (0..10)
            .map(|_| admission.enter("a", load(50)).unwrap())
            .collect();
        let first = flood.iter_mut().filter_map(|run| run.try_recv().ok());
        let mut first: Vec<Permit> = first.collect();
        assert_eq!(first.len(), 2);
        let mut other = admission.enter("b", load(100)).unwrap();
        assert!(is_under_way(&mut other, &mut permits));
        // All is taken: the one with the least under way is next, though it came last.
        let mut third = admission.enter("c", load(50)).unwrap();
        assert!(!is_under_way(&mut third, &mut permits));
        first.pop();
        assert!(is_under_way(&mut third, &mut permits));
        assert!(flood[2].try_recv().is_err());
        drop(permits);
        assert!(flood[2].try_recv().is_ok());
    }

    #[test]
    fn a_large_run_is_not_overtaken_for_ever_by_small_ones() {
        let (admission, mut permits) = (admission(), Vec::new());
        for client in ["a", "b", "c", "d"] {
            let mut run = admission.enter(client, load(50)).unwrap();
            assert!(is_under_way(&mut run, &mut permits));
        }
        let mut large = admission.enter("e", load(100)).unwrap();
        permits.pop();
        let mut small = admission.enter("a", load(10)).unwrap();
        assert!(!is_under_way(&mut small, &mut permits));
        permits.pop();
        assert!(is_under_way(&mut large, &mut permits));
    }

    #[test]
    fn one_that_left_is_passed_over_and_its_room_is_given_back() {
        let (admission, mut permits) = (admission(), Vec::new());
        let mut one = admission.enter("a", load(100)).unwrap();
        assert!(is_under_way(&mut one, &mut permits));
        drop(admission.enter("a", load(100)).unwrap());
        let mut last = admission.enter("a", load(100)).unwrap();
        permits.clear();
        assert!(is_under_way(&mut last, &mut permits));
        // A permit that was sent and never taken is given back with its channel.
        drop((last, permits));
        drop(admission.enter("b", load(100)).unwrap());
        assert_eq!(admission.state().under_way.len(), 0);
    }

    #[test]
    fn more_waiting_runs_than_may_wait_are_refused() {
        let admission = admission();
        let enter = |client: &str| admission.enter(client, load(100));
        let kept: Vec<_> = (0..=WAITING_OF_CLIENT_MAX).map(|_| enter("a")).collect();
        assert!(kept.iter().all(Result::is_ok));
        let refused = enter("a").err();
        assert_eq!(
            refused.unwrap(),
            "32 runs of this client wait already: ask again later"
        );
        let others: Vec<_> = (0..WAITING_MAX).map(|n| enter(&format!("b{n}"))).collect();
        let refused = others.into_iter().find_map(Result::err);
        assert_eq!(refused.unwrap(), "128 runs wait already: ask again later");
    }
}
