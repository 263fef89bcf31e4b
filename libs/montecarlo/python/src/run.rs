//! All shards on some threads, while Python's other threads run and Ctrl-C is heard.

use crate::model::refusal;
use pyo3::prelude::*;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use stratvector_montecarlo_core::{Gathering, Simulation, Summary};

/// Between two looks at Ctrl-C each thread computes so many shards, some hundredths of a second each.
const SHARDS_PER_THREAD: usize = 4;

/// The summary of all paths. Raises what a signal's handler raises.
pub(crate) fn run(
    py: Python<'_>,
    simulation: &Simulation,
    levels: &[f64],
    threads: usize,
) -> PyResult<Summary> {
    let mut gathering = Gathering::new(simulation);
    let shards = simulation.shards();
    let threads = threads.min(shards.len());
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(refusal)?;
    let batch = threads * SHARDS_PER_THREAD;
    for (n, part) in shards.chunks(batch).enumerate() {
        py.check_signals()?;
        py.detach(|| {
            let compute = || part.par_iter().map(|&shard| simulation.compute(shard));
            let outcomes: Vec<_> = pool.install(|| compute().collect());
            for (within, outcome) in outcomes.iter().enumerate() {
                gathering.put(n * batch + within, outcome);
            }
        });
    }
    py.check_signals()?;
    py.detach(|| gathering.summary(levels)).map_err(refusal)
}
