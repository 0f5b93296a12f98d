//! Load generation and measurement over the wire.
