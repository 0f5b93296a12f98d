//! A cluster that takes everything and keeps nothing: what a client can send at
//! all, when the broker costs as good as nothing.
//!
//! It speaks just what producing needs, answers each request at once from the
//! batch's header, and runs as a child process so that its CPU time is its own.
//! Nothing can be read from it.

mod answers;
pub mod capacity;

use crate::failure::{Failure, Outcome as Ended};
use answers::Sink;
use anyhow::Context as _;
use plimsoll_server::{Clock, Limits, Net};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;

/// Take what producers send, answer at once and keep nothing, until standard
/// input ends.
#[derive(clap::Args)]
pub struct Args {}

/// Serves until standard input ends.
pub fn run(_args: &Args) -> Ended {
    serve().map_err(Failure::runtime)?;
    Ok(ExitCode::SUCCESS)
}

fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on the loopback")?;
    let port = listener.local_addr()?.port();
    let sink = Arc::new(Sink::at(port));
    let net = Net::start(
        vec![listener.into()],
        &sink,
        Limits::default(),
        Clock::start(),
    )?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready 127.0.0.1:{port}")?;
    stdout.flush()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    net.stop();
    Ok(())
}
