//! What can be run, as `ListScenarios` tells it.

use crate::contracts::ScenarioDescription;

/// Every scenario, ordered by name.
pub(crate) fn scenarios() -> Vec<ScenarioDescription> {
    vec![ScenarioDescription {
        name: "gbm".into(),
        summary: "Correlated geometric Brownian motion: log returns are normal, independent in \
                  time and correlated between assets."
            .into(),
        source: "Glasserman, Monte Carlo Methods in Financial Engineering (2003), section 3.2."
            .into(),
    }]
}
