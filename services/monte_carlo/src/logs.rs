//! One JSON object per line on standard output, from this program and from its libraries.
//!
//! ```text
//!   {"time":"2026-01-02T03:04:05.678901Z","level":"info","event":"state","service":"monte_carlo",
//!    "instance":…,"logger":"stratvector",…}
//! ```
//!
//! Fields are those of the other services. Libraries are heard from `warning` on, or when
//! everything is wanted.

use crate::SERVICE;
use crate::settings::{LogLevel, Settings};
use serde_json::{Map, Value};
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

const OURS: &str = "stratvector";
const CRATE: &str = "stratvector_monte_carlo";

/// Sends everything that this process logs or dies of to standard output.
pub(crate) fn configure(settings: &Settings, instance: &str) {
    let level = match settings.log_level {
        _ if settings.log_all => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let libraries = if settings.log_all {
        LevelFilter::DEBUG
    } else {
        level.min(LevelFilter::WARN)
    };
    let filter = Targets::new()
        .with_target(CRATE, level)
        .with_default(libraries);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(JsonLine {
            instance: instance.into(),
        });
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    std::panic::set_hook(Box::new(|panic| error!(reason = %panic, "defect")));
}

struct JsonLine {
    instance: String,
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let target = event.metadata().target();
        let logger = if target.starts_with(CRATE) {
            OURS
        } else {
            target
        };
        write!(
            writer,
            r#"{{"time":{},"level":"{}","event":{},"service":"{SERVICE}","instance":{},"logger":{}"#,
            Value::from(time),
            level_name(*event.metadata().level()),
            Value::from(fields.event),
            Value::from(self.instance.as_str()),
            Value::from(logger),
        )?;
        for (name, value) in fields.rest {
            write!(writer, ",{}:{value}", Value::from(name))?;
        }
        writeln!(writer, "}}")
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

#[derive(Default)]
struct Fields {
    event: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(event)) => self.event = event,
            (name, value) => drop(self.rest.insert(name.into(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
