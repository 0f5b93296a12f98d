//! A broker as a process: sockets, threads, clock and configuration.
