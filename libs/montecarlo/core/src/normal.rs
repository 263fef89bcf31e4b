//! The normal distribution, by the inverse of its distribution function.
//!
//! ```text
//!   f(x) = exp(−(x − μ)²/2σ²) / (σ√2π)            ▁▂▅█▅▂▁
//!   x(u) = μ + σ·Φ⁻¹(u)                             μ
//! ```
//!
//! One fraction gives one normal draw, and a larger fraction a larger draw: 1 − u is the
//! antithetic path. Φ⁻¹ is algorithm AS241 (PPND16), relative error about 1e-16: a rational
//! function of u in the middle, of √−ln(tail) outside.
//!
//! Source: Wichura, "Algorithm AS241: the percentage points of the normal distribution", Applied
//! Statistics 37 (1988), 477–484.

use crate::draws::{Address, Draws};
use std::error::Error;
use std::fmt;

/// The normal distribution with a mean and a standard deviation.
///
/// ```
/// use stratvector_montecarlo_core::{Address, Draws, Normal};
///
/// let shock = Normal::STANDARD.sample(&Draws::new(7), Address::new(0, 0, 0));
/// assert!(shock.is_finite());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    mean: f64,
    standard_deviation: f64,
}

/// Why a [`Normal`] was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormalError {
    /// The mean is NaN or infinite.
    MeanNotFinite,
    /// `!(0 <= standard_deviation < infinity)`.
    BadStandardDeviation,
}

impl fmt::Display for NormalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MeanNotFinite => "the mean of a normal distribution is not finite",
            Self::BadStandardDeviation => {
                "0 <= standard_deviation < infinity does not hold in a normal distribution"
            }
        })
    }
}

impl Error for NormalError {}

impl Normal {
    /// Mean 0 and standard deviation 1.
    pub const STANDARD: Self = Self {
        mean: 0.0,
        standard_deviation: 1.0,
    };

    /// With `mean` and `standard_deviation`; a deviation of 0 is the constant `mean`.
    ///
    /// # Errors
    /// [`NormalError`] unless the mean is finite and `0 <= standard_deviation < infinity`.
    pub fn new(mean: f64, standard_deviation: f64) -> Result<Self, NormalError> {
        if !mean.is_finite() {
            return Err(NormalError::MeanNotFinite);
        }
        if !(0.0..f64::INFINITY).contains(&standard_deviation) {
            return Err(NormalError::BadStandardDeviation);
        }
        Ok(Self {
            mean,
            standard_deviation,
        })
    }

    /// The draw at `address`.
    #[must_use]
    #[inline]
    pub fn sample(&self, draws: &Draws, address: Address) -> f64 {
        self.mean + self.standard_deviation * standard_quantile(draws.fraction(address))
    }
}

/// Φ⁻¹(u) for 0 < u < 1.
#[inline]
fn standard_quantile(u: f64) -> f64 {
    let distance = u - 0.5;
    if distance.abs() <= 0.425 {
        let r = 0.180_625 - distance * distance;
        return distance * ratio(r, &MIDDLE);
    }
    let tail = if distance < 0.0 { u } else { 1.0 - u };
    // libm's logarithm is the same code on every machine, the platform's is not.
    let r = (-libm::log(tail)).sqrt();
    let size = if r <= 5.0 {
        ratio(r - 1.6, &TAIL)
    } else {
        ratio(r - 5.0, &FAR_TAIL)
    };
    size.copysign(distance)
}

/// Numerator and denominator, lowest power first.
type Rational = [[f64; 8]; 2];

#[inline]
fn ratio(x: f64, coefficients: &Rational) -> f64 {
    let horner = |powers: &[f64; 8]| powers.iter().rev().fold(0.0, |sum, &c| sum * x + c);
    horner(&coefficients[0]) / horner(&coefficients[1])
}

#[rustfmt::skip]
const MIDDLE: Rational = [
    [3.387_132_872_796_366_5, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3,
     1.373_169_376_550_946e4, 4.592_195_393_154_987e4, 6.726_577_092_700_87e4,
     3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3],
    [1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
     2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4,
     5.226_495_278_852_854e3],
];

#[rustfmt::skip]
const TAIL: Rational = [
    [1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691,
     3.647_848_324_763_204_5, 1.270_458_252_452_368_4, 2.417_807_251_774_506e-1,
     2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4],
    [1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
     1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4,
     1.050_750_071_644_416_9e-9],
];

#[rustfmt::skip]
const FAR_TAIL: Rational = [
    [6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3,
     2.965_605_718_285_048_7e-1, 2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3,
     2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7],
    [1.0, 5.998_322_065_558_88e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
     7.868_691_311_456_133e-4, 1.846_318_317_510_054_8e-5, 1.421_511_758_316_446e-7,
     2.044_263_103_389_939_8e-15],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_of_the_tables_come_out() {
        let table = [
            (0.5, 0.0),
            (0.75, 0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
            (1e-15, -7.941_345_326_170_997),
        ];
        for (u, expected) in table {
            let quantile = standard_quantile(u);
            assert!(
                (quantile - expected).abs() <= 1e-14 * expected.abs(),
                "{u}: {quantile}"
            );
        }
    }

    #[test]
    fn the_quantile_is_odd_about_one_half_and_never_falls() {
        let mut last = f64::NEG_INFINITY;
        for i in 1..4096 {
            let u = f64::from(i) / 4096.0;
            let quantile = standard_quantile(u);
            assert_eq!(
                quantile.to_bits(),
                (0.0 - standard_quantile(1.0 - u)).to_bits()
            );
            assert!(quantile > last);
            last = quantile;
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        for mean in [f64::NAN, f64::INFINITY] {
            assert_eq!(Normal::new(mean, 1.0), Err(NormalError::MeanNotFinite));
        }
        for deviation in [f64::NAN, f64::INFINITY, -1e-300] {
            let refused = Normal::new(0.0, deviation);
            assert_eq!(refused, Err(NormalError::BadStandardDeviation));
        }
    }

    #[test]
    fn the_first_four_moments_are_those_of_the_normal() {
        let draws = Draws::new(42);
        let n = 400_000;
        let mut sums = [0.0; 4];
        for path in 0..n {
            let x = Normal::STANDARD.sample(&draws, Address::new(path, 1, 2));
            for (power, sum) in (1..).zip(&mut sums) {
                *sum += x.powi(power);
            }
        }
        // Expected moment and variance of x^k: E[x^2k] − E[x^k]².
        for (k, expected, variance) in
            [(0, 0.0, 1.0), (1, 1.0, 2.0), (2, 0.0, 15.0), (3, 3.0, 96.0)]
        {
            let moment = sums[k] / n as f64;
            let error = 5.0 * (variance / n as f64).sqrt();
            assert!(
                (moment - expected).abs() < error,
                "moment {}: {moment}",
                k + 1
            );
        }
    }

    #[test]
    fn neighbours_in_path_step_and_asset_are_uncorrelated() {
        let draws = Draws::new(42);
        let n = 100_000_u32;
        let shock = |path: u64, step, asset| {
            Normal::STANDARD.sample(&draws, Address::new(path, step, asset))
        };
        for (next_path, step, asset) in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
            let product_sum: f64 = (0..u64::from(n))
                .map(|path| shock(path, 0, 0) * shock(path + next_path, step, asset))
                .sum();
            let correlation = product_sum / f64::from(n);
            assert!(
                correlation.abs() < 5.0 / f64::from(n).sqrt(),
                "{correlation}"
            );
        }
    }

    #[test]
    fn mean_and_standard_deviation_shift_and_scale_the_standard_draw() {
        let (draws, address) = (Draws::new(1), Address::new(9, 9, 9));
        let standard = Normal::STANDARD.sample(&draws, address);
        let scaled = Normal::new(0.5, 2.0).unwrap().sample(&draws, address);
        assert_eq!(scaled.to_bits(), (0.5 + 2.0 * standard).to_bits());
    }
}
