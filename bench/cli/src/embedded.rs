//! A broker of one's own: `plimsoll serve` as a child process.
//!
//! It is a process so that its CPU time and memory are its own, and it listens
//! on the loopback so that everything goes over the real protocol. It lives no
//! longer than its handle: dropping the handle kills it, and should this process
//! die without dropping anything, the child sees the end of its standard input
//! and stops by itself.

mod nodes;

pub use nodes::Nodes;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a broker may take until it is ready, recovery included.
const READY_WAIT: Duration = Duration::from_secs(30);
/// How long a clean stop may take before the broker is killed.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// How often a stopping broker is looked at.
const STOP_POLL: Duration = Duration::from_millis(5);
/// How many of its last log lines are kept for an error.
const LOG_LINES_MAX: usize = 20;

/// How a broker is started. The default is a broker in a temporary directory.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The binary; this one when absent.
    pub program: Option<PathBuf>,
    /// Where its data is kept; a temporary directory when absent.
    pub data: Option<PathBuf>,
    /// `HOST:PORT` to listen on; any free port of the loopback when absent.
    pub listen: Option<String>,
    /// Settings under Kafka's names.
    pub properties: Vec<(String, String)>,
    /// What it is.
    pub role: Role,
    /// Words added to the command line.
    pub extra: Vec<OsString>,
}

/// What a child process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A broker.
    #[default]
    Broker,
    /// A sink that takes everything and keeps nothing.
    NullSink,
}

/// Why there is no broker.
#[derive(Debug)]
pub enum EmbeddedError {
    /// The process could not be started.
    Spawn(std::io::Error),
    /// The process ended before it was ready; its last words.
    Ended(String),
    /// The process was not ready in time; its last words.
    Late(String),
}

impl std::fmt::Display for EmbeddedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Spawn(error) => write!(f, "cannot start the embedded broker: {error}"),
            Self::Ended(log) => write!(f, "the embedded broker did not start: {log}"),
            Self::Late(log) => {
                write!(
                    f,
                    "the embedded broker was not ready after {READY_WAIT:?}: {log}"
                )
            }
        }
    }
}

impl std::error::Error for EmbeddedError {}

/// A broker that runs as long as this value lives.
#[derive(Debug)]
pub struct Embedded {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Held until it is read: a process that writes to nobody fails.
    stdout: Option<ChildStdout>,
    address: String,
    log: Log,
    data: PathBuf,
    _temporary: Option<TempDir>,
}

impl Embedded {
    /// Starts a broker and waits until it is ready.
    ///
    /// # Errors
    /// When the process cannot be started, ends early or is not ready in time.
    pub fn start(options: &Options) -> Result<Self, EmbeddedError> {
        let mut embedded = Self::spawn(options)?;
        embedded.wait_until_ready()?;
        Ok(embedded)
    }

    /// Starts a broker that need not be ready yet.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(options: &Options) -> Result<Self, EmbeddedError> {
        let temporary = match options.data {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("plimsoll-").tempdir()),
        };
        let temporary = temporary.transpose().map_err(EmbeddedError::Spawn)?;
        let data = match (&options.data, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, Some(dir)) => dir.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        let mut child = command(options, &data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(EmbeddedError::Spawn)?;
        let log = Log::default();
        if let Some(stderr) = child.stderr.take() {
            log.follow(stderr);
        }
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            address: String::new(),
            log,
            data,
            _temporary: temporary,
        })
    }

    /// Waits until a broker that was spawned is ready.
    ///
    /// # Errors
    /// When it ends before, or is not ready in time.
    pub fn wait_until_ready(&mut self) -> Result<(), EmbeddedError> {
        let stdout = self.stdout.take();
        match stdout.map_or(Err(RecvTimeoutError::Disconnected), ready_line) {
            Ok(address) => {
                self.address = address;
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Err(EmbeddedError::Late(self.last_words())),
            Err(RecvTimeoutError::Disconnected) => {
                let _ended = self.child.wait();
                Err(EmbeddedError::Ended(self.log.whole()))
            }
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it does not listen any more.
    pub fn tell(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => writeln!(stdin, "{line}"),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }

    /// How it ended, if it has.
    pub fn death(&self) -> Option<String> {
        has_ended(self.pid()).then(|| self.log.whole())
    }

    /// `HOST:PORT` for clients.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process, to read its CPU time and memory.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        self.log.text()
    }

    /// Stops it cleanly; when it takes too long it is killed.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn stop(mut self) -> std::io::Result<ExitStatus> {
        drop(self.stdin.take());
        let started = Instant::now();
        while started.elapsed() < STOP_WAIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(STOP_POLL);
        }
        self.child.kill()?;
        self.child.wait()
    }

    /// Kills it as a crash would: nothing is flushed or marked.
    ///
    /// # Errors
    /// When the process cannot be killed or waited for.
    pub fn kill(mut self) -> std::io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}

/// Whether the child has ended and only waits to be reaped.
fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

fn command(options: &Options, data: &Path) -> Command {
    // The link names the running binary even after a new build replaced its file.
    let this = || PathBuf::from("/proc/self/exe");
    let mut command = Command::new(options.program.clone().unwrap_or_else(this));
    if options.role == Role::NullSink {
        command.arg("null-sink");
        return command;
    }
    let listen = options.listen.as_deref().unwrap_or("127.0.0.1:0");
    command
        .args(["serve", "--stop-at-stdin-eof", "--listen", listen, "--data"])
        .arg(data);
    for (name, value) in &options.properties {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    command.args(&options.extra);
    command
}

/// Waits for `ready HOST:PORT` and returns the address.
fn ready_line(stdout: impl Read + Send + 'static) -> Result<String, RecvTimeoutError> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let ready = line.trim().strip_prefix("ready ").map(str::to_owned);
        if let (Ok(_), Some(address)) = (read, ready) {
            let _nobody_waits = sender.send(address);
        }
    });
    receiver.recv_timeout(READY_WAIT)
}

/// The end of a log that is being written.
#[derive(Clone, Debug, Default)]
struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    done: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl Log {
    fn follow(&self, stderr: impl Read + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        let thread = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LOG_LINES_MAX {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        });
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// The text of a process that has ended: its last words may not be read yet.
    fn whole(&self) -> String {
        let reader = {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.take()
        };
        if let Some(reader) = reader {
            let _read = reader.join();
        }
        self.text()
    }

    fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return "it said nothing".to_owned();
        }
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::has_ended;

    #[test]
    fn a_process_that_is_gone_has_ended() {
        assert!(has_ended(u32::MAX));
        assert!(!has_ended(std::process::id()));
    }
}
