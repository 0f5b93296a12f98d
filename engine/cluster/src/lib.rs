//! The cluster's metadata: records, and the image they replay into.
