//! Clusters that cannot be: each start says what is wrong with which setting, and
//! leaves the data as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn serve(data: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args([
        "serve",
        "--log",
        "warn",
        "--listen",
        "127.0.0.1:0",
        "--data",
    ]);
    command.arg(data);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends a node, also when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Every file under a directory, with what it holds.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    found
}

#[test]
fn settings_of_no_cluster_are_refused_by_name_before_anything_is_made() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let check = |settings: &[&str], expected: &str| {
        let data = home.path().join("data");
        let output = serve(&data, settings).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{settings:?}: {said}");
        assert!(said.contains(expected), "{settings:?}: {said}");
        assert!(!data.exists(), "{settings:?}: something was made");
    };
    let voters = |list: &str| format!("controller.quorum.voters={list}");
    let three = voters("1@a:1,2@b:2,3@c:3");
    check(
        &[&voters("1@a:1,2@b:2")],
        "controller.quorum.voters: 1@a:1,2@b:2 is not accepted, give 1, 3 or 5 voters",
    );
    check(
        &[&voters("1@a:1,1@b:2,3@c:3")],
        "controller.quorum.voters: 1@a:1,1@b:2,3@c:3 is not accepted, give each node once",
    );
    check(
        &[&voters("a:1")],
        "controller.quorum.voters: a:1 is not accepted, give ID@HOST:PORT, as 1@localhost:9093",
    );
    check(&[&three, "node.id=9"], "node.id=9");
    check(&[&three, "node.id=one"], "node.id: one is not accepted");
    check(
        &[&three, "process.roles=broker"],
        "process.roles: broker contradicts node.id=1 and controller.quorum.voters=1@a:1,2@b:2,3@c:3",
    );
    check(
        &[&three, "process.roles=controller", "node.id=4"],
        "a controller is one of the voters, and only a controller is",
    );
    check(
        &["process.roles=broker"],
        "process.roles: broker contradicts controller.quorum.voters, which is not set",
    );
    check(
        &[&three, "process.roles=brokr"],
        "process.roles: brokr is not accepted",
    );
}

#[test]
fn the_disk_of_another_node_or_cluster_is_left_alone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let data = home.path().join("data");
    let mut first = Running(serve(&data, &["node.id=7"]).spawn().expect("it starts"));
    let mut line = String::new();
    let stdout = first.0.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.starts_with("ready "), "{line}");
    drop(first);
    let before = contents(&data);
    let check = |settings: &[&str], expected: &str| {
        let output = serve(&data, settings).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{settings:?}: {said}");
        assert!(said.contains(expected), "{settings:?}: {said}");
        assert!(contents(&data) == before, "{settings:?}: the data changed");
    };
    check(&["node.id=8"], "node.id is 7, 8 is wanted");
    let other = "cluster.id=AAAAAAAAAAAAAAAAAAAAAA";
    check(&["node.id=7", other], "AAAAAAAAAAAAAAAAAAAAAA is wanted");
}

#[test]
fn a_node_without_a_majority_says_whom_it_waits_for() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = nobody.local_addr().expect("an address").port();
    let voters = format!("1@127.0.0.1:{port},2@127.0.0.1:{port},3@127.0.0.1:{port}");
    let settings = [
        format!("controller.quorum.voters={voters}"),
        "node.id=1".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let node = serve(&home.path().join("data"), &settings).spawn();
    let mut node = Running(node.expect("it starts"));
    let stderr = node.0.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let said = lines.find(|line| line.contains("not ready yet"));
    let said = said.expect("it says so");
    let expected = format!("no controller was heard of: a majority of {voters} must run");
    assert!(said.contains(&expected), "{said}");
}

/// A second node of the same number, at another address and with a disk of its own.
#[test]
fn a_second_node_of_a_number_is_kept_out_and_told_so() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    let voters = format!("controller.quorum.voters=1@{address}");
    let start = |name: &str, settings: &[&str]| {
        let mut settings = settings.to_vec();
        settings.push(&voters);
        let node = serve(&home.path().join(name), &settings).spawn();
        Running(node.expect("it starts"))
    };
    let ready = |node: &mut Running| {
        let mut line = String::new();
        let stdout = node.0.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.starts_with("ready "), "{line}");
    };
    let listens = format!("listeners=PLAINTEXT://{address}");
    let mut controller = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    controller.args(["serve", "--log", "warn", "--data"]);
    controller.arg(home.path().join("controller"));
    for setting in [&voters, &listens] {
        controller.args(["--set", setting]);
    }
    let controller = controller.stdout(Stdio::piped()).spawn();
    let mut controller = Running(controller.expect("it starts"));
    ready(&mut controller);
    let broker = ["node.id=2", "process.roles=broker"];
    let mut first = start("first", &broker);
    ready(&mut first);
    let mut second = start("second", &broker);
    let stderr = second.0.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let said = lines.find(|line| line.contains("not ready yet"));
    let expected =
        "controller 1 lets no second node 2 in: stop the other, or give this one another node.id";
    let said = said.expect("it says so");
    assert!(said.contains(expected), "{said}");
}
