//! Bytes on disk over time, under load: `retention.bytes` and `retention.ms`
//! hold within one segment and one check interval.
//!
//! ```text
//! cargo run --release -p plimsoll --example retention_bound -- PLIMSOLL [--seconds N] [--out DIR]
//! ```
//!
//! PLIMSOLL is the binary. Two topics take the same steady load; what lies in
//! their directories is sampled ten times a second and compared with the bound.
//! Writes `retention-bound.svg` and `.png` into DIR, exits with 1 when a sample
//! exceeds its bound.

use plimsoll::embedded::{Embedded, Options};
use plimsoll_plots::{CurveAxis, CurveChart};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const SEGMENT_BYTES: u64 = 1 << 20;
const RETENTION_BYTES: u64 = 16 << 20;
const RETENTION: Duration = Duration::from_secs(4);
const CHECK: Duration = Duration::from_millis(500);
const RECORD_BYTES: usize = 10_000;
const RECORD_EVERY: Duration = Duration::from_millis(5);
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// What scheduling and a batch on its way may add to a check.
const SLACK: Duration = Duration::from_millis(500);

/// A topic, its setting, and the most that may lie in its directory.
struct Watched {
    topic: &'static str,
    setting: (&'static str, String),
    bound: f64,
    samples: Vec<(f64, f64)>,
}

struct Args {
    plimsoll: PathBuf,
    load: Duration,
    out: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = read_args()?;
    let mut watched = topics();
    let ms = |time: Duration| time.as_millis().to_string();
    let broker = Embedded::start(&Options {
        program: Some(args.plimsoll),
        properties: vec![
            ("log.retention.check.interval.ms".into(), ms(CHECK)),
            ("log.segment.bytes".into(), SEGMENT_BYTES.to_string()),
            ("log.segment.delete.delay.ms".into(), "0".into()),
        ],
        ..Options::default()
    })?;
    create(broker.address(), &watched)?;
    load(broker.address(), broker.data(), args.load, &mut watched)?;
    broker.stop()?;
    chart(&watched, &args.out)?;
    let mut holds = true;
    for topic in &watched {
        let most = topic.samples.iter().map(|(_, y)| *y).fold(0.0, f64::max);
        holds &= most <= topic.bound;
        println!(
            "{}: {}={}: at most {:.2} MB on disk, {:.2} MB allowed, {} samples",
            topic.topic,
            topic.setting.0,
            topic.setting.1,
            most / 1e6,
            topic.bound / 1e6,
            topic.samples.len(),
        );
    }
    Ok(ExitCode::from(u8::from(!holds)))
}

fn read_args() -> Result<Args, Box<dyn Error>> {
    const USAGE: &str = "usage: retention_bound PLIMSOLL [--seconds N] [--out DIR]";
    let mut words = std::env::args().skip(1);
    let mut args = Args {
        plimsoll: words.next().ok_or(USAGE)?.into(),
        load: Duration::from_secs(30),
        out: ".".into(),
    };
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--seconds" => args.load = Duration::from_secs(value.parse()?),
            "--out" => args.out = value.into(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(args)
}

fn topics() -> Vec<Watched> {
    // Batches of one record add less than a hundredth to its bytes.
    let rate = RECORD_BYTES as f64 * 1.01 / RECORD_EVERY.as_secs_f64();
    let after_a_check = (CHECK + SLACK).as_secs_f64() * rate;
    let one_segment = SEGMENT_BYTES as f64;
    vec![
        Watched {
            topic: "by-size",
            setting: ("retention.bytes", RETENTION_BYTES.to_string()),
            bound: RETENTION_BYTES as f64 + one_segment + after_a_check,
            samples: Vec::new(),
        },
        Watched {
            topic: "by-age",
            setting: ("retention.ms", RETENTION.as_millis().to_string()),
            bound: RETENTION.as_secs_f64() * rate + one_segment + after_a_check,
            samples: Vec::new(),
        },
    ]
}

fn create(address: &str, watched: &[Watched]) -> Result<(), Box<dyn Error>> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()?;
    let topics: Vec<NewTopic<'_>> = watched
        .iter()
        .map(|w| {
            NewTopic::new(w.topic, 1, TopicReplication::Fixed(1)).set(w.setting.0, &w.setting.1)
        })
        .collect();
    let created = admin.create_topics(&topics, &AdminOptions::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for outcome in runtime.block_on(created)? {
        outcome.map_err(|(topic, code)| format!("cannot create {topic}: {code}"))?;
    }
    Ok(())
}

/// Sends at a steady rate and samples meanwhile.
fn load(
    address: &str,
    data: &Path,
    time: Duration,
    watched: &mut [Watched],
) -> Result<(), Box<dyn Error>> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("linger.ms", "0")
        .create()?;
    let payload = vec![b'x'; RECORD_BYTES];
    let began = Instant::now();
    let (mut sent, mut sampled) = (0_u32, 0_u32);
    while began.elapsed() < time {
        while RECORD_EVERY * sent < began.elapsed() {
            for topic in watched.iter() {
                let record = BaseRecord::<(), _>::to(topic.topic).payload(&payload);
                producer.send(record).map_err(|(error, _)| error)?;
            }
            sent += 1;
        }
        if SAMPLE_EVERY * sampled < began.elapsed() {
            sampled += 1;
            for topic in watched.iter_mut() {
                let bytes = log_bytes(&data.join(format!("{}-0", topic.topic)))?;
                topic
                    .samples
                    .push((began.elapsed().as_secs_f64(), bytes as f64));
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    producer.flush(Duration::from_secs(30))?;
    Ok(())
}

/// Bytes of the segments in use.
fn log_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "log") {
            // It may be deleted between the listing and here.
            bytes += std::fs::metadata(&path).map_or(0, |meta| meta.len());
        }
    }
    Ok(bytes)
}

fn chart(watched: &[Watched], out: &Path) -> Result<(), Box<dyn Error>> {
    let axis = |label: &str, format| CurveAxis {
        label: label.into(),
        format,
        log: false,
    };
    let mut lines = Vec::new();
    for topic in watched {
        let last = topic.samples.last().map_or(0.0, |(x, _)| *x);
        lines.push((topic.topic.to_owned(), topic.samples.clone()));
        lines.push((
            format!("bound {}", topic.topic),
            vec![(0.0, topic.bound), (last, topic.bound)],
        ));
    }
    let settings: Vec<String> = watched
        .iter()
        .map(|w| format!("{} with {}={}", w.topic, w.setting.0, w.setting.1))
        .collect();
    let chart = CurveChart {
        title: "Retention holds within one segment and one check".into(),
        subtitle: format!(
            "Bytes of the segments in use, {}; {:.0} MB/s into each topic, segments of {:.0} MB, \
             a check every {} ms.",
            settings.join(", "),
            RECORD_BYTES as f64 / RECORD_EVERY.as_secs_f64() / 1e6,
            SEGMENT_BYTES as f64 / 1e6,
            CHECK.as_millis(),
        ),
        footer: "Sampled from the data directory of a live broker ten times a second".into(),
        across: axis("seconds since the load began", |x| format!("{x:.0}")),
        up: axis("MB on disk", |y| format!("{}", (y / 1e5).round() / 10.0)),
        lines,
    };
    std::fs::create_dir_all(out)?;
    chart.draw("retention-bound")?.write(out)?;
    Ok(())
}
