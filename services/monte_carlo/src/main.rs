//! The Monte Carlo service: scenarios over gRPC, whose paths any number of replicas share over NATS.

mod admission;
mod arguments;
mod bus;
mod certificates;
mod contracts;
mod coordinator;
mod drain;
mod ending;
mod grpc_port;
mod host_header;
mod http_connections;
mod http_port;
mod life;
mod logs;
mod metrics;
mod parts;
mod probe;
mod request;
mod scenarios;
mod servicer;
mod settings;
mod settings_file;
mod settings_keys;
mod settings_value;
mod shards;
mod status;
mod transport;
mod turns;
mod worker;

use crate::arguments::{Asked, asked};
use crate::ending::Ending;
use crate::settings::Settings;
use std::process::ExitCode;
use tracing::{error, info};

const SERVICE: &str = "monte_carlo";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, healthy) = match asked(&arguments) {
        Asked::Run(file) => (file, false),
        Asked::Healthy(file) => (file, true),
        Asked::Help => {
            print!("{}", arguments::help());
            return Ending::Stopped.code();
        }
        Asked::Wrong(sentence) => {
            eprintln!("{}{sentence}", arguments::USAGE);
            return Ending::WrongSettings(String::new()).code();
        }
    };
    let ending = match Settings::load(file.as_deref(), std::env::vars_os()) {
        Ok(settings) if healthy => return probe::code(&settings),
        Ok(settings) => start(&settings),
        Err(sentence) => Ending::WrongSettings(sentence),
    };
    if let Some(sentence) = ending.sentence() {
        eprintln!("{SERVICE}: {sentence}");
    }
    ending.code()
}

fn start(settings: &Settings) -> Ending {
    let instance = life::new_instance();
    logs::configure(settings, &instance);
    info!(pid = std::process::id(), "started");
    let ending = life::run(settings, &instance);
    match (&ending, ending.sentence()) {
        (Ending::PartEnded(reason), _) => error!(reason, "part_ended"),
        (_, Some(reason)) => error!(reason, "refused"),
        (_, None) => info!(code = 0, "stopped"),
    }
    ending
}
