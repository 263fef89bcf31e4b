//! What the process is told, by a YAML file and by the environment, which wins.
//!
//! A key that no setting has is refused, in the file and under the service's prefix in the
//! environment: a misspelt setting never silently keeps its default.

use crate::settings_file;
use crate::settings_keys::KEYS;
use crate::settings_value::Told;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

const PREFIX: &str = "STRATVECTOR_MONTE_CARLO_";
/// About ten minutes of two processors.
const RUN_WORK_MAX: u64 = 20_000_000_000;

/// The least severe event that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// The PEM files of a process whose connections are TLS.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Every setting with its value.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) nats_url: String,
    pub(crate) nats_seed_file: Option<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) run_work_max: u64,
    pub(crate) work_in_flight_max: u64,
    pub(crate) run: Duration,
    pub(crate) host: String,
    pub(crate) grpc_port: u16,
    pub(crate) http_port: u16,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) drain: Duration,
    pub(crate) stall: Duration,
    pub(crate) log_level: LogLevel,
    pub(crate) log_all: bool,
}

/// The environment variable of a setting.
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

impl Settings {
    /// From a file if there is one, and from the environment; or one sentence that names each wrong
    /// key and the rule that it breaks.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, String> {
        let mut told = file.map_or(Ok(BTreeMap::new()), settings_file::read)?;
        let mut wrong = Vec::new();
        let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        for name in told.keys().filter(|name| !known.contains(&name.as_str())) {
            let place = file.unwrap_or(Path::new("file")).display();
            wrong.push(no_such(place, name, nearest(name, known.iter().copied())));
        }
        let variables: Vec<String> = known.iter().map(|name| variable(name)).collect();
        for (name, value) in ours(environment) {
            if let Some(at) = variables.iter().position(|known| *known == name) {
                told.insert(known[at].into(), Told::Text(value));
            } else {
                let closest = nearest(&name, variables.iter().map(String::as_str));
                wrong.push(no_such("environment", &name, closest));
            }
        }
        if wrong.is_empty() {
            Self::from_told(&told)
        } else {
            Err(wrong.join("; "))
        }
    }

    fn from_told(told: &BTreeMap<String, Told>) -> Result<Self, String> {
        let mut reader = Reader {
            told,
            wrong: Vec::new(),
        };
        let all = reader.read("debug_mode", false, Told::truth);
        let run_work_max = reader.read("run_work_max", RUN_WORK_MAX, work);
        let in_flight = reader.read("work_in_flight_max", 4 * RUN_WORK_MAX, |told| {
            work_in_flight(told, run_work_max)
        });
        let tls = reader.tls();
        let settings = Self {
            nats_url: reader.read("nats_url", KEYS[0].default.into(), |told| {
                address(told, tls.is_some())
            }),
            nats_seed_file: reader.read("nats_seed_file", None, optional_path),
            workers: reader.read("workers", processors(), |told| told.whole(1, 1024)),
            run_work_max,
            // Whoever raises the one and not the other has raised both.
            work_in_flight_max: in_flight.max(run_work_max),
            run: Duration::from_secs_f64(reader.read("run_seconds_max", 600.0, Told::seconds)),
            host: reader.read("host", "127.0.0.1".into(), Told::text),
            grpc_port: reader.read("grpc_port", 0, |told| told.whole(0, 65_535)),
            http_port: reader.read("http_port", 0, |told| told.whole(0, 65_535)),
            allowed_hosts: reader.read("allowed_hosts", Vec::new(), Told::names),
            tls,
            drain: Duration::from_secs_f64(reader.read("drain_seconds", 10.0, Told::seconds)),
            stall: Duration::from_secs_f64(reader.read("stall_seconds", 10.0, Told::seconds)),
            log_level: reader.read("log_level", LogLevel::Info, level),
            log_all: reader.read("verbose_logging", false, Told::truth) || all,
        };
        if reader.wrong.is_empty() {
            Ok(settings)
        } else {
            Err(reader.wrong.join("; "))
        }
    }
}

struct Reader<'a> {
    told: &'a BTreeMap<String, Told>,
    wrong: Vec<String>,
}

impl Reader<'_> {
    /// All three files or none: a part of them would leave a port plain that somebody thinks is not.
    fn tls(&mut self) -> Option<TlsFiles> {
        let names = ["tls_ca_file", "tls_certificate_file", "tls_key_file"];
        let files = names.map(|name| self.read(name, None, optional_path));
        let told = files.iter().flatten().count();
        if let [Some(ca), Some(certificate), Some(key)] = files {
            return Some(TlsFiles {
                ca,
                certificate,
                key,
            });
        }
        if told > 0 {
            let rule =
                "tls_ca_file, tls_certificate_file and tls_key_file go together: all or none";
            self.wrong.push(rule.into());
        }
        None
    }

    fn read<T>(&mut self, name: &str, default: T, rule: impl Fn(&Told) -> Result<T, String>) -> T {
        let Some(told) = self.told.get(name) else {
            return default;
        };
        rule(told).unwrap_or_else(|broken| {
            let (shown, places) = (told.shown(), variable(name));
            self.wrong.push(format!(
                "{name} can't be {shown}: {broken}; set {name} in the settings file or {places}"
            ));
            default
        })
    }
}

/// The variables that begin with the service's prefix, in upper case, by name.
fn ours(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, String)> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in environment {
        let name = name.to_string_lossy().to_uppercase();
        if name.starts_with(PREFIX) {
            found.insert(name, value.to_string_lossy().into_owned());
        }
    }
    found.into_iter()
}

fn no_such(place: impl Display, name: &str, closest: &str) -> String {
    format!("{place}: there is no setting {name}; the nearest is {closest}")
}

/// The known word that looks most like another one.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    known
        .min_by_key(|other| strsim::damerau_levenshtein(word, other))
        .unwrap_or_default()
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The address is told in logs and on /readyz.
fn address(told: &Told, has_tls: bool) -> Result<String, String> {
    let url = told.text()?;
    if url.contains('@') {
        return Err("it must hold no name and no password; nats_seed_file is the key".into());
    }
    match (url.starts_with("tls://"), has_tls) {
        (false, true) => {
            let rule = "with TLS settings it must begin with tls://, nothing goes in plain text";
            Err(rule.into())
        }
        (true, false) => {
            Err("tls:// needs tls_ca_file, tls_certificate_file and tls_key_file".into())
        }
        _ => Ok(url),
    }
}

fn optional_path(told: &Told) -> Result<Option<PathBuf>, String> {
    match told {
        Told::Null => Ok(None),
        told => Ok(Some(told.text()?.into())),
    }
}

fn work(told: &Told) -> Result<u64, String> {
    told.whole(1, i64::MAX)
}

fn work_in_flight(told: &Told, run_work_max: u64) -> Result<u64, String> {
    let found = work(told)?;
    if found < run_work_max {
        return Err(format!("it must be at least run_work_max, {run_work_max}"));
    }
    Ok(found)
}

fn level(told: &Told) -> Result<LogLevel, String> {
    match told.text()?.as_str() {
        "debug" => Ok(LogLevel::Debug),
        "info" => Ok(LogLevel::Info),
        "warning" => Ok(LogLevel::Warning),
        "error" => Ok(LogLevel::Error),
        _ => Err("input should be 'debug', 'info', 'warning' or 'error'".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs = environment.iter().map(|&(k, v)| (k.into(), v.into()));
        Settings::load(None, pairs)
    }

    #[test]
    fn without_a_word_every_setting_has_its_default() {
        let settings = load(&[("PATH", "/bin")]).unwrap();
        assert_eq!(settings.nats_url, "nats://127.0.0.1:4222");
        assert_eq!((settings.grpc_port, settings.http_port), (0, 0));
        assert_eq!(settings.log_level, LogLevel::Info);
        assert_eq!(settings.nats_seed_file, None);
        assert!(settings.workers >= 1);
    }

    #[test]
    fn the_environment_is_read_under_the_services_prefix() {
        let settings = load(&[
            ("STRATVECTOR_MONTE_CARLO_WORKERS", "3"),
            ("stratvector_monte_carlo_log_level", "error"),
        ])
        .unwrap();
        assert_eq!(settings.workers, 3);
        assert_eq!(settings.log_level, LogLevel::Error);
    }

    #[test]
    fn allowed_hosts_are_a_list_in_the_environment_too() {
        let of = |text| load(&[("STRATVECTOR_MONTE_CARLO_ALLOWED_HOSTS", text)]);
        let hosts = of(r#"["monte-carlo", "pod.example"]"#)
            .unwrap()
            .allowed_hosts;
        assert_eq!(hosts, ["monte-carlo", "pod.example"]);
        assert!(of("[]").unwrap().allowed_hosts.is_empty());
        for wrong in ["monte-carlo", "[1]", ""] {
            let told = of(wrong).unwrap_err();
            assert!(told.contains("input should be a list of names"), "{told}");
        }
    }

    #[test]
    fn all_runs_together_may_do_what_one_may() {
        let settings = load(&[("STRATVECTOR_MONTE_CARLO_RUN_WORK_MAX", "90000000000")]).unwrap();
        assert_eq!(settings.work_in_flight_max, 90_000_000_000);
        let refused = load(&[
            ("STRATVECTOR_MONTE_CARLO_RUN_WORK_MAX", "10"),
            ("STRATVECTOR_MONTE_CARLO_WORK_IN_FLIGHT_MAX", "9"),
        ]);
        assert_eq!(
            refused.unwrap_err(),
            "work_in_flight_max can't be '9': it must be at least run_work_max, 10; set \
             work_in_flight_max in the settings file or STRATVECTOR_MONTE_CARLO_WORK_IN_FLIGHT_MAX"
        );
    }

    #[test]
    fn nothing_is_left_plain_that_somebody_thinks_is_not() {
        let files = [
            ("STRATVECTOR_MONTE_CARLO_TLS_CA_FILE", "ca.crt"),
            ("STRATVECTOR_MONTE_CARLO_TLS_CERTIFICATE_FILE", "tls.crt"),
            ("STRATVECTOR_MONTE_CARLO_TLS_KEY_FILE", "tls.key"),
        ];
        let url = |url| ("STRATVECTOR_MONTE_CARLO_NATS_URL", url);
        let whole = load(&[files[0], files[1], files[2], url("tls://bus:4222")]).unwrap();
        assert_eq!(whole.tls.unwrap().key, PathBuf::from("tls.key"));
        let told = load(&[files[0], files[2]]).unwrap_err();
        assert!(told.contains("go together: all or none"), "{told}");
        let told = load(&[files[0], files[1], files[2], url("nats://bus:4222")]).unwrap_err();
        assert!(told.contains("it must begin with tls://"), "{told}");
        let told = load(&[url("tls://bus:4222")]).unwrap_err();
        assert!(told.contains("tls:// needs tls_ca_file"), "{told}");
    }

    #[test]
    fn an_unknown_variable_is_refused_with_the_nearest() {
        let refused = load(&[("STRATVECTOR_MONTE_CARLO_WORKER", "3")]).unwrap_err();
        assert_eq!(
            refused,
            "environment: there is no setting STRATVECTOR_MONTE_CARLO_WORKER; \
             the nearest is STRATVECTOR_MONTE_CARLO_WORKERS"
        );
    }

    #[test]
    fn every_broken_rule_is_named_and_no_password_repeated() {
        let refused = load(&[
            ("STRATVECTOR_MONTE_CARLO_WORKERS", "0"),
            ("STRATVECTOR_MONTE_CARLO_NATS_URL", "nats://me:secret@host"),
        ])
        .unwrap_err();
        assert_eq!(
            refused,
            "nats_url can't be that value: it must hold no name and no password; nats_seed_file is \
             the key; set nats_url in the settings file or STRATVECTOR_MONTE_CARLO_NATS_URL; \
             workers can't be '0': input should be a whole number from 1 to 1024; set workers in \
             the settings file or STRATVECTOR_MONTE_CARLO_WORKERS"
        );
    }
}
