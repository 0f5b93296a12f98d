//! Paired statistics that tell a regression from noise.
