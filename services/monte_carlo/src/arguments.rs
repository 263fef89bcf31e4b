//! The command line: `--settings FILE`, and what `--help` tells.

use crate::settings::variable;
use crate::settings_keys::KEYS;
use std::fmt::Write;
use std::path::PathBuf;

pub(crate) const USAGE: &str =
    "usage: stratvector-monte-carlo [-h] [--settings FILE] [--healthy]\n";

const ABOUT: &str = "
Simulates futures of a portfolio: value at risk, conditional value at risk, drawdown. Answers over
gRPC; any number of processes on one NATS server share the paths of a run.

options:
  -h, --help       show this help message and exit
  --settings FILE  YAML file of settings
  --healthy        ask the service that runs here for /healthz; the exit code is its answer

settings, by file or by environment (which wins):
";

const EXIT_CODES: &str = "
exit codes: 0 stopped cleanly, 1 failed, 2 wrong settings, 78 can't work until a person puts
something right (the log tells the rest)
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To run, with a file of settings or without.
    Run(Option<PathBuf>),
    /// Whether the one that runs with these settings is healthy.
    Healthy(Option<PathBuf>),
    /// To tell how.
    Help,
    /// Nothing that can be done; a sentence.
    Wrong(String),
}

/// Reads the arguments without the program's name.
pub(crate) fn asked(arguments: &[String]) -> Asked {
    let (mut file, mut healthy) = (None, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-h" | "--help" => return Asked::Help,
            "--healthy" => healthy = true,
            "--settings" => match rest.next() {
                Some(path) => file = Some(PathBuf::from(path)),
                None => return wrong("argument --settings: expected one argument"),
            },
            other => match other.strip_prefix("--settings=") {
                Some(path) => file = Some(PathBuf::from(path)),
                None => return wrong(&format!("unrecognized arguments: {other}")),
            },
        }
    }
    if healthy {
        Asked::Healthy(file)
    } else {
        Asked::Run(file)
    }
}

fn wrong(sentence: &str) -> Asked {
    Asked::Wrong(format!("stratvector-monte-carlo: error: {sentence}"))
}

/// What `--help` prints.
pub(crate) fn help() -> String {
    let mut text = format!("{USAGE}{ABOUT}");
    for key in KEYS {
        let (name, default, about) = (key.name, key.default, key.about);
        // Writing into a string can't fail.
        let _ = writeln!(text, "  {name}  (default {default}; {})", variable(name));
        let _ = writeln!(text, "      {about}");
    }
    text + EXIT_CODES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(line: &str) -> Asked {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        asked(&arguments)
    }

    #[test]
    fn a_file_of_settings_is_told_in_two_ways() {
        assert_eq!(asked_by(""), Asked::Run(None));
        for line in ["--settings a.yaml", "--settings=a.yaml"] {
            assert_eq!(asked_by(line), Asked::Run(Some("a.yaml".into())));
        }
    }

    #[test]
    fn health_is_asked_of_the_one_with_the_same_settings() {
        for line in ["--settings a.yaml --healthy", "--healthy --settings=a.yaml"] {
            assert_eq!(asked_by(line), Asked::Healthy(Some("a.yaml".into())));
        }
    }

    #[test]
    fn what_is_no_option_is_refused_by_name() {
        let Asked::Wrong(sentence) = asked_by("--sittings a.yaml") else {
            panic!("--sittings was taken");
        };
        assert!(sentence.ends_with("unrecognized arguments: --sittings"));
        assert!(matches!(asked_by("--settings"), Asked::Wrong(_)));
        assert_eq!(asked_by("--settings a.yaml -h"), Asked::Help);
    }

    #[test]
    fn help_names_every_setting_and_its_variable() {
        for key in KEYS {
            assert!(help().contains(&format!("  {}  (default ", key.name)));
            assert!(help().contains(&variable(key.name)));
        }
    }
}
