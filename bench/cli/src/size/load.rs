//! Options that several calculators share.

use plimsoll_calculators::Between;
use plimsoll_calculators::batch::{HeaderShape, RecordShape};
use plimsoll_calculators::calibration::Calibration;
use plimsoll_calculators::disk::{Storage, documented_ratio};
use plimsoll_units::{Rate, Share, Size, Span};

/// Records a second, and how large they are.
#[derive(clap::Args)]
pub struct Load {
    /// Records a second, over all partitions: 50K/s.
    #[arg(long)]
    pub rate: Rate,
    /// Bytes of a record: 1KB is 1000, 1KiB is 1024.
    #[arg(long)]
    pub size: Size,
}

/// Who gets every record.
#[derive(clap::Args)]
pub struct Fanout {
    /// Copies of every partition.
    #[arg(long, default_value_t = 3)]
    pub replication: u32,
    /// Groups that read everything.
    #[arg(long, default_value_t = 1)]
    pub groups: u32,
}

/// What else a record holds.
#[derive(Clone, clap::Args)]
pub struct Shape {
    /// Bytes of the key; null keys unless given.
    #[arg(long)]
    pub key: Option<Size>,
    /// A header of every record, as bytes of its name and value: 10B:20B.
    #[arg(long, value_name = "NAME:VALUE", value_parser = header)]
    pub header: Vec<HeaderShape>,
}

impl Shape {
    /// Records whose values hold `value` bytes.
    pub fn record(self, value: Size) -> RecordShape {
        RecordShape {
            key: self.key,
            value,
            headers: self.header,
        }
    }
}

fn header(text: &str) -> Result<HeaderShape, String> {
    let (key, value) = text
        .split_once(':')
        .ok_or("accepted: two sizes, such as 10B:20B")?;
    let size = |text: &str| text.parse::<Size>().map_err(|error| error.to_string());
    Ok(HeaderShape {
        key: size(key)?,
        value: size(value)?,
    })
}

/// How a topic is stored.
#[derive(clap::Args)]
pub struct Stored {
    /// Copies of every partition.
    #[arg(long, default_value_t = 3)]
    pub replication: u32,
    /// Brokers that share the bytes.
    #[arg(long, default_value_t = 3)]
    pub brokers: u32,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 12)]
    pub partitions: u32,
    /// Bytes of one batch before compression, batch.size.
    #[arg(long)]
    pub batch: Option<Size>,
    /// How many times smaller compression makes records; the document has 3..6.
    #[arg(long, value_name = "TIMES[..TIMES]", conflicts_with = "codec")]
    pub ratio: Option<Between<f64>>,
    /// Codec of the batches: none, gzip, snappy, lz4 or zstd. Its ratio is the
    /// calibration's on your records, or else the document's for any codec.
    #[arg(long, value_name = "NAME", value_parser = codec)]
    pub codec: Option<String>,
    /// Bytes at which a segment is rolled, log.segment.bytes.
    #[arg(long)]
    pub segment: Option<Size>,
    /// Age at which a segment is rolled, log.roll.ms.
    #[arg(long)]
    pub roll: Option<Span>,
    /// Room above what is used; the document has 20%..30%.
    #[arg(long, value_name = "SHARE[..SHARE]")]
    pub headroom: Option<Between<Share>>,
    /// Use of a disk at which an alert goes off.
    #[arg(long)]
    pub alert: Option<Share>,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            replication: 3,
            brokers: 3,
            partitions: 12,
            batch: None,
            ratio: None,
            codec: None,
            segment: None,
            roll: None,
            headroom: None,
            alert: None,
        }
    }
}

impl Stored {
    /// These settings, defaults for the rest.
    pub fn storage(self, calibration: Option<&Calibration>) -> Storage {
        let mut default = Storage::default();
        if let Some(codec) = self.codec.as_deref().filter(|codec| *codec != "none") {
            let measured = calibration.and_then(|found| found.ratio(codec));
            default.ratio = measured.unwrap_or_else(documented_ratio);
        }
        Storage {
            replication: self.replication,
            brokers: self.brokers,
            partitions: self.partitions,
            batch: default.batch.or_user(self.batch),
            ratio: default.ratio.or_user(self.ratio),
            segment: default.segment.or_user(self.segment),
            roll: default.roll.or_user(self.roll),
            headroom: default.headroom.or_user(self.headroom),
            alert: default.alert.or_user(self.alert),
        }
    }
}

fn codec(text: &str) -> Result<String, &'static str> {
    match text {
        "none" | "gzip" | "snappy" | "lz4" | "zstd" => Ok(text.to_owned()),
        _ => Err("accepted: none, gzip, snappy, lz4 or zstd"),
    }
}
