//! The drivers against a scripted broker, whose faults, delays and capacity are
//! known beforehand.

mod fake_broker;
mod native;
mod search;
mod shapes;
mod truths;
