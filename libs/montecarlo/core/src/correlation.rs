//! A correlation matrix and its factor: how independent shocks become correlated ones.
//!
//! ```text
//!   C = L·Lᵀ          pivot k: largest variance that is left
//!   x = L·z           L[i][k] = (C[i][p] − Σ_{j<k} L[i][j]·L[p][j]) / L[p][k],  p = pivot k
//! ```
//!
//! Cholesky with the largest pivot first goes as far as the rank, so that a positive semidefinite
//! matrix (two assets that move as one) is as good as a definite one; what is left when no pivot
//! is above [`TOLERANCE`] must be zero. In a definite matrix the first asset is the first pivot.
//!
//! Source: Higham, "Analysis of the Cholesky decomposition of a semi-definite matrix", in Reliable
//! Numerical Computation (1990), 161–185.

use std::error::Error;
use std::fmt;

/// Rounding that an entry of a correlation matrix may carry.
pub const TOLERANCE: f64 = 1e-10;

/// The factor of a correlation matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelationFactor {
    assets: usize,
    /// Asset of each pivot, the largest first.
    pivots: Vec<usize>,
    /// L row by row: assets x rank.
    loadings: Vec<f64>,
}

/// Why a correlation matrix was refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CorrelationError {
    /// It does not hold assets x assets entries.
    Size {
        /// How many it holds.
        entries: usize,
        /// How many assets there are.
        assets: usize,
    },
    /// `!(-1 <= entry <= 1)`.
    Range(usize, usize, f64),
    /// An entry of the diagonal is not 1.
    Diagonal(usize, f64),
    /// Entries that face each other differ.
    Asymmetric(usize, usize, f64, f64),
    /// Some portfolio would have a variance below 0.
    NotPositiveSemidefinite,
}

impl fmt::Display for CorrelationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Size { entries, assets } => write!(
                f,
                "correlation holds {entries} entries: assets * assets = {} does not hold",
                assets * assets
            ),
            Self::Range(i, j, found) => write!(
                f,
                "correlation[{i}][{j}] = {found}: -1 <= correlation <= 1 does not hold"
            ),
            Self::Diagonal(i, found) => write!(
                f,
                "correlation[{i}][{i}] = {found}: correlation = 1 does not hold on the diagonal"
            ),
            Self::Asymmetric(i, j, one, other) => write!(
                f,
                "correlation[{i}][{j}] = {one}: it does not equal correlation[{j}][{i}] = {other}"
            ),
            Self::NotPositiveSemidefinite => f.write_str(
                "correlation is not positive semidefinite: its smallest eigenvalue >= 0 does not hold",
            ),
        }
    }
}

impl Error for CorrelationError {}

impl CorrelationFactor {
    /// The factor of the matrix `entries`, `assets` x `assets`, row by row.
    ///
    /// # Errors
    /// [`CorrelationError`] unless it is symmetric, 1 on the diagonal, within -1 and 1 beside it and
    /// positive semidefinite, each up to [`TOLERANCE`].
    pub fn new(assets: usize, entries: &[f64]) -> Result<Self, CorrelationError> {
        check(assets, entries)?;
        let mut left = entries.to_vec();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut pivots = Vec::new();
        while let Some(pivot) = largest_pivot(assets, &left) {
            let root = left[pivot * assets + pivot].sqrt();
            let column: Vec<f64> = (0..assets)
                .map(|i| left[i * assets + pivot] / root)
                .collect();
            for i in 0..assets {
                for j in 0..assets {
                    left[i * assets + j] -= column[i] * column[j];
                }
            }
            // What a pivot explains is gone exactly; rounding must not bring it back.
            for i in 0..assets {
                left[i * assets + pivot] = 0.0;
                left[pivot * assets + i] = 0.0;
            }
            let mut column = column;
            for &earlier in &pivots {
                column[earlier] = 0.0;
            }
            pivots.push(pivot);
            columns.push(column);
        }
        if left.iter().any(|entry| entry.abs() > TOLERANCE) {
            return Err(CorrelationError::NotPositiveSemidefinite);
        }
        let loadings = (0..assets)
            .flat_map(|i| columns.iter().map(move |column| column[i]))
            .collect();
        Ok(Self {
            assets,
            pivots,
            loadings,
        })
    }

    /// How many independent shocks move the assets.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.pivots.len()
    }

    /// Which asset's draw is the shock of each pivot.
    #[must_use]
    pub fn pivots(&self) -> &[usize] {
        &self.pivots
    }

    /// Weights of the shocks in one asset's move, one per pivot.
    #[must_use]
    pub fn loadings(&self, asset: usize) -> &[f64] {
        let rank = self.rank();
        &self.loadings[asset * rank..(asset + 1) * rank]
    }

    /// How many assets there are.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.assets
    }
}

fn check(assets: usize, entries: &[f64]) -> Result<(), CorrelationError> {
    if entries.len() != assets * assets {
        let entries = entries.len();
        return Err(CorrelationError::Size { entries, assets });
    }
    let limit = 1.0 + TOLERANCE;
    for i in 0..assets {
        for j in 0..assets {
            let (one, other) = (entries[i * assets + j], entries[j * assets + i]);
            if !(-limit..=limit).contains(&one) {
                return Err(CorrelationError::Range(i, j, one));
            }
            if i == j && 1.0 - one > TOLERANCE {
                return Err(CorrelationError::Diagonal(i, one));
            }
            if one - other > TOLERANCE {
                return Err(CorrelationError::Asymmetric(i, j, one, other));
            }
        }
    }
    Ok(())
}

/// The asset with the largest variance that is left, the first of equals; none when nothing is.
fn largest_pivot(assets: usize, left: &[f64]) -> Option<usize> {
    let mut found = None;
    let mut largest = TOLERANCE;
    for asset in 0..assets {
        if left[asset * assets + asset] > largest {
            largest = left[asset * assets + asset];
            found = Some(asset);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Address, Draws};
    use crate::uniform::Uniform;

    fn product(factor: &CorrelationFactor) -> Vec<f64> {
        let n = factor.assets();
        let entry = |i, j| {
            let (one, other) = (factor.loadings(i), factor.loadings(j));
            one.iter().zip(other).map(|(a, b)| a * b).sum()
        };
        (0..n * n).map(|at| entry(at / n, at % n)).collect()
    }

    /// A matrix of the given rank from random unit rows.
    fn random_correlation(seed: u64, assets: usize, rank: usize) -> Vec<f64> {
        let (draws, uniform) = (Draws::new(seed), Uniform::new(-1.0, 1.0).unwrap());
        let rows: Vec<Vec<f64>> = (0..assets as u64)
            .map(|i| {
                let row: Vec<f64> = (0..rank as u32)
                    .map(|k| uniform.sample(&draws, Address::new(i, k, 0)))
                    .collect();
                let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.into_iter().map(|x| x / length).collect()
            })
            .collect();
        let dot = |i: usize, j: usize| rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum();
        (0..assets * assets)
            .map(|at| dot(at / assets, at % assets))
            .collect()
    }

    #[test]
    fn the_factor_times_itself_is_the_matrix_whatever_the_rank() {
        for (seed, assets, rank) in [(1, 1, 1), (2, 5, 5), (3, 8, 3), (4, 40, 7), (5, 30, 30)] {
            let matrix = random_correlation(seed, assets, rank);
            let factor = CorrelationFactor::new(assets, &matrix).unwrap();
            assert_eq!(factor.rank(), rank);
            for (found, expected) in product(&factor).iter().zip(&matrix) {
                assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn independent_assets_have_the_identity_as_factor() {
        let factor = CorrelationFactor::new(2, &[1.0, 0.0, 0.0, 1.0]).unwrap();
        assert_eq!(factor.pivots(), [0, 1]);
        assert_eq!(
            [factor.loadings(0), factor.loadings(1)].concat(),
            [1.0, 0.0, 0.0, 1.0]
        );
    }

    #[test]
    fn assets_that_move_as_one_or_against_each_other_share_one_shock() {
        for sign in [1.0, -1.0] {
            let factor = CorrelationFactor::new(2, &[1.0, sign, sign, 1.0]).unwrap();
            assert_eq!(factor.rank(), 1);
            assert_eq!(factor.loadings(1), [sign]);
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_semidefinite_is_refused() {
        for matrix in [
            [1.0, 0.9, 0.9, 0.9, 1.0, -0.9, 0.9, -0.9, 1.0],
            [1.0, 1.0, 0.5, 1.0, 1.0, 0.6, 0.5, 0.6, 1.0],
        ] {
            let refused = CorrelationFactor::new(3, &matrix);
            assert_eq!(refused, Err(CorrelationError::NotPositiveSemidefinite));
        }
    }

    #[test]
    fn what_is_no_correlation_matrix_is_refused_with_its_place() {
        for (entries, sentence) in [
            (
                vec![1.0; 3],
                "correlation holds 3 entries: assets * assets = 4 does not hold",
            ),
            (
                vec![1.0, 1.5, 1.5, 1.0],
                "correlation[0][1] = 1.5: -1 <= correlation <= 1 does not hold",
            ),
            (
                vec![1.0, f64::NAN, 0.0, 1.0],
                "correlation[0][1] = NaN: -1 <= correlation <= 1 does not hold",
            ),
            (
                vec![0.9, 0.0, 0.0, 1.0],
                "correlation[0][0] = 0.9: correlation = 1 does not hold on the diagonal",
            ),
            (
                vec![1.0, 0.2, 0.1, 1.0],
                "correlation[0][1] = 0.2: it does not equal correlation[1][0] = 0.1",
            ),
            (
                vec![1.0, 0.1, 0.2, 1.0],
                "correlation[1][0] = 0.2: it does not equal correlation[0][1] = 0.1",
            ),
        ] {
            let refused = CorrelationFactor::new(2, &entries).unwrap_err();
            assert_eq!(refused.to_string(), sentence);
        }
    }
}
