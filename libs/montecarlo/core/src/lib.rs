//! Random draws for Monte Carlo that do not depend on who draws them, or when.
//!
//! A generator with a state hands out numbers in the order in which they are asked for; split over
//! threads or machines, a simulation changes with the split. Here every draw has an [`Address`]
//! (path, step, asset) and is a function of seed and address alone, so that any worker can compute
//! any part, again or in any order, and the parts merge to the same bits.
//!
//! ```
//! use stratvector_montecarlo_core::{Address, Draws, Normal};
//!
//! let draws = Draws::new(7);
//! let daily_return = Normal::new(0.0005, 0.01)?;
//! let first = daily_return.sample(&draws, Address::new(0, 0, 0));
//! let again = daily_return.sample(&draws, Address::new(0, 0, 0));
//! assert_eq!(first.to_bits(), again.to_bits());
//! # Ok::<(), stratvector_montecarlo_core::NormalError>(())
//! ```
//!
//! Only IEEE 754 operations and the `libm` crate's logarithm are used: the bits are equal on every
//! machine.

mod draws;
mod normal;
mod philox;
mod uniform;

pub use draws::{Address, Draws};
pub use normal::{Normal, NormalError};
pub use philox::philox4x32_10;
pub use uniform::{Uniform, UniformError};
