//! TLS and SASL from end to end: a broker with a listener of each kind, and
//! load that comes in by each.

use plimsoll_results::load;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");

/// A broker with a listener of each kind, and the files to come in by.
struct Guarded {
    child: Child,
    home: tempfile::TempDir,
    /// `HOST:PORT` by the protocol's name.
    at: std::collections::BTreeMap<String, String>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// An authority's certificate, and the key and certificate of localhost.
fn certificates(home: &Path) -> (PathBuf, PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let leaf = CertificateParams::new(names).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
    let (ca, node) = (home.join("ca.pem"), home.join("node.pem"));
    fs::write(&ca, authority.pem()).expect("written");
    fs::write(&node, key.serialize_pem() + &leaf.pem()).expect("written");
    (ca, node)
}

fn start() -> Guarded {
    let home = tempfile::tempdir().expect("a directory");
    let (_, node) = certificates(home.path());
    let users = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                 user_bob=\"hidden\";";
    let properties = format!(
        "listeners=PLAINTEXT://localhost:0,SSL://localhost:0,\\\n\
         \x20 SASL_PLAINTEXT://localhost:0,SASL_SSL://localhost:0\n\
         ssl.keystore.location={}\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
         listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config={users}\n",
        node.display()
    );
    let config = home.path().join("server.properties");
    fs::write(&config, properties).expect("written");
    let mut child = Command::new(PLIMSOLL)
        .args([
            "serve",
            "--add-scram",
            "SCRAM-SHA-256=[name=alice,password=secret]",
        ])
        .args(["--add-scram", "SCRAM-SHA-512=[name=alice,password=secret]"])
        .args(["--stop-at-stdin-eof", "--log", "info", "--config"])
        .arg(&config)
        .arg("--data")
        .arg(home.path().join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let log = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let mut at = std::collections::BTreeMap::new();
    let mut seen = String::new();
    while let Some(line) = lines.find(|line| line.contains("listening") || line.contains("serving"))
    {
        seen.push_str(&line);
        let field = |name: &str| {
            let rest = line.split(name).nth(1)?;
            Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
        };
        match (field("protocol="), field("bound=")) {
            (Some(protocol), Some(bound)) => {
                let port = bound.rsplit_once(':').expect("a port").1;
                at.insert(protocol, format!("localhost:{port}"));
            }
            _ => break,
        }
    }
    assert_eq!(at.len(), 4, "{seen}");
    // The log is read on, so that the broker never waits for its reader.
    std::thread::spawn(move || lines.for_each(drop));
    Guarded { child, home, at }
}

/// Sends a little load by a listener with these client properties.
fn load_by(
    guarded: &Guarded,
    protocol: &str,
    properties: &str,
    more: &[&str],
) -> (Output, PathBuf) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let home = guarded.home.path();
    let name = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
    let config = home.join(format!("{name}.properties"));
    fs::write(&config, properties).expect("written");
    let mut command = Command::new(PLIMSOLL);
    command
        .current_dir(home)
        .args(["run", "quickstart", "--quiet", "--out", &name])
        .args(["--target", &guarded.at[protocol], "--target-config"])
        .arg(&config);
    for set in [
        "repeats=1",
        "topic.partitions=2",
        "producer.acks=all",
        "producer.compression=none",
        "load.rate=2K/s",
        "load.warmup=50ms",
        "load.duration=300ms",
    ] {
        command.args(["--set", set]);
    }
    let output = command.args(more).output().expect("it runs");
    (output, home.join(name))
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn load_comes_in_by_every_kind_of_listener_and_without_the_password_by_none() {
    let guarded = start();
    let ca = guarded.home.path().join("ca.pem");
    let trust = format!("ssl.ca.location={}\n", ca.display());
    let login = |mechanism: &str, user: &str, password: &str| {
        format!("sasl.mechanism={mechanism}\nsasl.username={user}\nsasl.password={password}\n")
    };
    let check = |protocol: &str, properties: &str, described: &str| {
        let properties = format!("security.protocol={protocol}\n{properties}");
        let (output, dir) = load_by(&guarded, protocol, &properties, &[]);
        assert!(output.status.success(), "{protocol}: {}", words(&output));
        let run = load(&dir).expect("a result").run;
        assert_eq!(run.target.security, described);
        let cell = run.cells.first().expect("a cell");
        assert!(cell.verified.is_clean(), "{protocol}: {:?}", cell.verified);
        assert!(cell.verified.acknowledged > 0, "{protocol}");
        let whole = fs::read_to_string(dir.join("result.json")).expect("read");
        assert!(!whole.contains("secret") && !whole.contains("hidden"));
    };
    check("PLAINTEXT", "", "PLAINTEXT");
    check("SSL", &trust, "SSL");
    check(
        "SASL_PLAINTEXT",
        &login("PLAIN", "bob", "hidden"),
        "SASL_PLAINTEXT, PLAIN",
    );
    check(
        "SASL_PLAINTEXT",
        &login("SCRAM-SHA-256", "alice", "secret"),
        "SASL_PLAINTEXT, SCRAM-SHA-256",
    );
    check(
        "SASL_SSL",
        &(trust.clone() + &login("SCRAM-SHA-512", "alice", "secret")),
        "SASL_SSL, SCRAM-SHA-512",
    );

    let refused = |protocol: &str, properties: &str, more: &[&str], expected: &str| {
        let properties = format!("security.protocol={protocol}\n{properties}");
        let (output, _) = load_by(&guarded, protocol, &properties, more);
        assert!(!output.status.success(), "{protocol} {properties}");
        let shown = words(&output);
        assert!(shown.contains(expected), "{protocol}: {shown}");
        assert!(
            !shown.contains("secret") && !shown.contains("hidden"),
            "{shown}"
        );
    };
    let wrong = "due to invalid credentials with SASL mechanism";
    refused(
        "SASL_PLAINTEXT",
        &login("PLAIN", "bob", "other"),
        &[],
        wrong,
    );
    refused("SASL_PLAINTEXT", &login("PLAIN", "alice", "x"), &[], wrong);
    refused(
        "SASL_SSL",
        &(trust.clone() + &login("SCRAM-SHA-512", "alice", "other")),
        &[],
        wrong,
    );
    refused(
        "SASL_SSL",
        &(trust.clone() + &login("PLAIN", "bob", "hidden")),
        &[],
        "PLAIN is not accepted: it offers SCRAM-SHA-512",
    );
    let node = guarded.home.path().join("node.pem");
    let stranger = format!("ssl.ca.location={}\n", node.display());
    refused("SSL", &stranger, &[], "the TLS handshake failed");
    refused(
        "SSL",
        &trust,
        &["--set", "driver=librdkafka"],
        "the librdkafka of this build has no TLS",
    );
}
