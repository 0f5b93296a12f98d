//! How a command fails: an error for the user and the exit code it stands for.

use std::fmt;
use std::process::ExitCode;

/// What every subcommand returns.
pub type Outcome = Result<ExitCode, Failure>;

/// An error that ends the process.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The command line, a settings file or a workload is wrong: exit code 2.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 2,
            error: error.into(),
        }
    }

    /// The command was right and could not be done: exit code 1.
    pub fn runtime(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: error.into(),
        }
    }

    /// The same error under another exit code.
    #[must_use]
    pub fn coded(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Says the error and its causes on standard error.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::runtime(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_shown_with_its_causes_on_one_line() {
        let cause = anyhow::anyhow!("permission denied").context("cannot read a.properties");
        assert_eq!(
            Failure::usage(cause).to_string(),
            "cannot read a.properties: permission denied"
        );
    }
}
