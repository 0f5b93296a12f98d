//! What brokers log, for the trace in words.
//!
//! Nothing is collected unless the thread asks for it, and nothing collected
//! enters the hash: log lines are no behaviour.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::Once;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Lets this thread collect what brokers log from now on, or not.
pub fn listen(wanted: bool) {
    static INSTALL: Once = Once::new();
    if wanted {
        INSTALL.call_once(|| {
            // A program that has a subscriber of its own keeps it.
            let _installed = tracing::subscriber::set_global_default(Narrator);
        });
    }
    HEARD.set(wanted.then(Vec::new));
}

/// What was logged since the last call.
pub fn take() -> Vec<String> {
    HEARD.with_borrow_mut(|heard| heard.as_mut().map(std::mem::take).unwrap_or_default())
}

struct Narrator;

impl Subscriber for Narrator {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::DEBUG
            && metadata.target().starts_with("plimsoll")
            && HEARD.with_borrow(Option::is_some)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(format!("  {}", event.metadata().level()));
        event.record(&mut words);
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard {
                heard.push(words.0);
            }
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
