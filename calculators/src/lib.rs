//! Sizing: one pure calculator each.
