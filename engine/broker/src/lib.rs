//! One broker node: request handlers over logs, coordinators and the metadata image.

pub mod config;
