//! How a process ended, as its user and its supervisor read it.

use std::process::ExitCode;

/// The end of a process; each failure with one sentence.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It was asked to stop, and stopped cleanly.
    Stopped,
    /// What went wrong may be right at the next start.
    Failed(String),
    /// A part of it ended that nobody asked to; a new start has all parts again.
    PartEnded(String),
    /// The settings are wrong.
    WrongSettings(String),
    /// Nothing will be right until a person puts it right.
    Refused(String),
}

impl Ending {
    /// The exit code, the same as of every service.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Stopped => 0,
            Self::Failed(_) | Self::PartEnded(_) => 1,
            Self::WrongSettings(_) => 2,
            Self::Refused(_) => 78,
        })
    }

    /// What to tell, if it did not end well.
    pub(crate) fn sentence(&self) -> Option<&str> {
        match self {
            Self::Stopped => None,
            Self::Failed(told)
            | Self::PartEnded(told)
            | Self::WrongSettings(told)
            | Self::Refused(told) => Some(told),
        }
    }
}
