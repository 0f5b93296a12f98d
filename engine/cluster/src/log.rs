//! What goes wrong where metadata is made durable.

use std::fmt;

/// Why records could not be made durable, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageFault(pub String);

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StorageFault {}
