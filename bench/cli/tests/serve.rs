//! `plimsoll serve` as a process: what it prints, how it fails, how it stops.

use plimsoll::embedded::{Embedded, EmbeddedError, Options};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::{TempDir, tempdir};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

fn serve(args: &[&str]) -> Command {
    let mut command = Command::new(PLIMSOLL);
    command.arg("serve").args(args).env_remove("RUST_LOG");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(path: &Path) -> &str {
    path.to_str()
        .expect("temporary directories have plain names")
}

fn options(data: &TempDir) -> Options {
    Options {
        program: Some(PLIMSOLL.into()),
        data: Some(data.path().to_owned()),
        ..Options::default()
    }
}

/// Runs a broker that must not start; returns its exit code and its error.
fn refused(args: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = serve(args).output().expect("it runs");
    assert!(
        stdout.is_empty(),
        "stdout is for the ready line: {:?}",
        String::from_utf8_lossy(&stdout)
    );
    let stderr = String::from_utf8(stderr).expect("errors are text");
    let error = stderr.lines().find_map(|line| line.strip_prefix("error: "));
    (status.code(), error.unwrap_or(&stderr).to_owned())
}

/// Starts a broker and reads its first line.
fn ready(args: &[&str]) -> (Child, String) {
    let mut child = serve(args).spawn().expect("it runs");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("a line");
    child.stdout = Some(stdout.into_inner());
    (child, line)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .arg(name)
        .arg(child.id().to_string())
        .status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn it_says_where_it_listens_and_nothing_else() {
    let data = tempdir().unwrap();
    let (mut child, line) = ready(&["--listen", "127.0.0.1:0", "--data", text(data.path())]);
    let address = line.strip_prefix("ready ").expect("the ready line").trim();
    assert!(!address.ends_with(":0"), "{address} is no port");
    assert!(TcpStream::connect(address).is_ok());
    signal(&child, "-TERM");
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_signal_stops_it_cleanly_and_leaves_the_mark() {
    for name in ["-TERM", "-INT"] {
        let data = tempdir().unwrap();
        let (mut child, _line) = ready(&["--listen", "127.0.0.1:0", "--data", text(data.path())]);
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
        assert!(data.path().join(".kafka_cleanshutdown").exists(), "{name}");
        let again = Embedded::start(&options(&data)).unwrap();
        assert!(
            !data.path().join(".kafka_cleanshutdown").exists(),
            "the mark is used up"
        );
        assert!(again.stop().unwrap().success());
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let data = tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let (code, error) = refused(&["--listen", &address, "--data", text(data.path())]);
    assert_eq!(
        error,
        format!("cannot listen on {address}: the port is taken")
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_data_directory_in_use_is_named_and_left_alone() {
    let data = tempdir().unwrap();
    let first = Embedded::start(&options(&data)).unwrap();
    let (code, error) = refused(&["--listen", "127.0.0.1:0", "--data", text(data.path())]);
    assert!(
        error.contains(text(data.path())) && error.contains("lock"),
        "{error}"
    );
    assert_eq!(code, Some(1));
    assert!(TcpStream::connect(first.address()).is_ok());
    assert!(first.stop().unwrap().success());
}

#[test]
fn a_data_directory_that_cannot_be_one_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    for data in [file.clone(), file.join("below")] {
        let (code, error) = refused(&["--listen", "127.0.0.1:0", "--data", text(&data)]);
        assert!(error.contains(text(&data)), "{error}");
        assert_eq!(code, Some(1), "{error}");
    }
}

#[test]
fn wrong_settings_are_usage_errors_that_say_what_is_accepted() {
    let check = |args: &[&str], expected: &str| {
        let (code, error) = refused(args);
        assert!(error.contains(expected), "{error}");
        assert_eq!(code, Some(2), "{error}");
    };
    check(
        &["--set", "num.partition=3"],
        "num.partition: no such property, did you mean num.partitions?",
    );
    check(
        &["--set", "num.partitions=0"],
        "num.partitions: 0 is not accepted, give an integer of at least 1",
    );
    check(&["--set", "num.partitions"], "give PROPERTY=VALUE");
    check(
        &["--listen", "localhost"],
        "--listen localhost: give HOST:PORT",
    );
    check(
        &["--nodes", "2"],
        "--nodes 2: a quorum needs an odd number; accepted: 1, 3 or 5",
    );
    check(
        &["--config", "/no/such/file"],
        "/no/such/file: cannot be read",
    );
    check(&["--log", "=="], "--log ==");
    check(&["--prot", "1"], "unexpected argument");
}

#[test]
fn an_embedded_broker_ends_with_its_handle() {
    let data = tempdir().unwrap();
    let broker = Embedded::start(&options(&data)).unwrap();
    let address = broker.address().to_owned();
    assert!(Path::new(&format!("/proc/{}", broker.pid())).exists());
    drop(broker);
    assert!(TcpStream::connect(&address).is_err(), "killed on drop");

    let mut parentless = serve(&["--listen", "127.0.0.1:0", "--stop-at-stdin-eof", "--data"]);
    let mut child = parentless.arg(data.path()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ignored").unwrap();
    assert!(
        child.wait().unwrap().success(),
        "it stops when its parent is gone"
    );
}

#[test]
fn an_embedded_broker_that_does_not_start_says_why() {
    let data = tempdir().unwrap();
    let mut options = options(&data);
    options.properties = vec![("num.partition".into(), "3".into())];
    match Embedded::start(&options) {
        Err(EmbeddedError::Ended(log)) => {
            assert!(log.contains("did you mean num.partitions?"), "{log}")
        }
        other => panic!("{other:?}"),
    }
    options.program = Some("/no/such/program".into());
    assert!(matches!(
        Embedded::start(&options),
        Err(EmbeddedError::Spawn(_))
    ));
}
