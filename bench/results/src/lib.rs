//! What a run leaves behind: results, fingerprint and histograms.
