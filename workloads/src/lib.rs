//! The workload language: specs, sweeps, arrival schedules, keys and payloads.
