//! Charts and reports, drawn from results alone.
