//! `plimsoll groups reset-offsets`.

use crate::admin::{ClusterArgs, TopicChoice, columns, or_dash, print_json};
use crate::failure::{Failure, Outcome};
use anyhow::{Context as _, anyhow, bail};
use plimsoll_drive::admin::{
    Admin, At, Committed, DescribedGroup, Isolation, NewOffset, Offset, TimestampMs, TopicPartition,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Move a group to other offsets.
///
/// Prints where each partition would go and changes nothing unless --execute is
/// given; --dry-run says so in so many words. Refused while the group is active:
/// its members would commit over the new offsets. An offset outside the log is
/// moved to the log's beginning or end.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    plimsoll groups reset-offsets order-processor --to-earliest --target localhost:9092\n  \
    plimsoll groups reset-offsets order-processor --shift-by -100 --topic orders:0,1 --execute --target localhost:9092")]
pub struct Args {
    /// The group.
    #[arg(value_name = "GROUP")]
    group: String,
    #[command(flatten)]
    to: To,
    /// Only this topic, or only these of its partitions [default: all that the
    /// group has committed].
    #[arg(long, value_name = "TOPIC[:P,…]")]
    topic: Vec<String>,
    /// Only print what would be done, which is also the default.
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Do it.
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where to.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct To {
    /// To the first record there is.
    #[arg(long)]
    to_earliest: bool,
    /// To the end, past everything there is.
    #[arg(long)]
    to_latest: bool,
    /// To the first record of this time or later; UTC unless it says otherwise.
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SS[Z|±HH:MM]")]
    to_datetime: Option<String>,
    /// This many records forward, or back with a minus.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    shift_by: Option<i64>,
    /// To this offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
}

/// Where to, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Earliest,
    Latest,
    Time(TimestampMs),
    Shift(i64),
    Offset(i64),
}

/// One partition's move.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    partition: TopicPartition,
    from: Option<Offset>,
    to: Offset,
    /// The offset that was asked for, when the log does not reach it.
    out_of_range: Option<i64>,
}

/// The ends of each log, and what the goal's time is in it.
struct Logs {
    begins: BTreeMap<TopicPartition, Offset>,
    ends: BTreeMap<TopicPartition, Offset>,
    times: BTreeMap<TopicPartition, Offset>,
}

/// Prints the moves, and makes them when told to.
pub fn run(args: &Args) -> Outcome {
    let goal = args.to.goal().map_err(Failure::usage)?;
    let choices: anyhow::Result<Vec<_>> =
        args.topic.iter().map(|t| TopicChoice::parse(t)).collect();
    let choices = choices.map_err(Failure::usage)?;
    let mut admin = args.cluster.reach()?;
    let group = admin
        .describe_group(&args.group)
        .map_err(Failure::runtime)?;
    refuse_active(&group)?;
    let committed = admin.committed(&args.group).map_err(Failure::runtime)?;
    let places = places(&mut admin, &args.group, &choices, &committed)?;
    let logs = Logs::look(&mut admin, &places, goal).map_err(Failure::runtime)?;
    let moves: anyhow::Result<Vec<Move>> = places
        .iter()
        .map(|place| plan(place, committed.get(place).copied(), goal, &logs))
        .collect();
    let moves = moves?;
    if args.execute {
        let offsets: Vec<NewOffset> = moves
            .iter()
            .map(|m| NewOffset {
                partition: m.partition.clone(),
                offset: m.to,
            })
            .collect();
        admin
            .commit(&args.group, &offsets)
            .map_err(Failure::runtime)?;
    }
    if args.cluster.json {
        print_json(&as_json(args, &moves));
    } else {
        print!("{}", as_text(&args.group, &moves));
    }
    for m in &moves {
        if let Some(asked) = m.out_of_range {
            let (topic, index) = &m.partition;
            let (index, to) = (index.get(), m.to.get());
            eprintln!("warning: {topic}-{index} has no offset {asked}: moved to {to}");
        }
    }
    if !args.execute {
        eprintln!("nothing was changed; --execute does it");
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse_active(group: &DescribedGroup) -> Result<(), Failure> {
    if !group.is_active() {
        return Ok(());
    }
    Err(Failure::runtime(anyhow!(
        "group {} is {} with {} members, which would commit over the new offsets; accepted: a \
         group whose members have left",
        group.group,
        group.state,
        group.members.len()
    )))
}

/// The partitions to move: those chosen, or all that have been committed.
fn places(
    admin: &mut Admin,
    group: &str,
    choices: &[TopicChoice],
    committed: &Committed,
) -> Result<Vec<TopicPartition>, Failure> {
    if choices.is_empty() && committed.is_empty() {
        return Err(Failure::runtime(anyhow!(
            "group {group} has committed no offsets; accepted: another group, or --topic to begin \
             with"
        )));
    }
    if choices.is_empty() {
        return Ok(committed.keys().cloned().collect());
    }
    let names: Vec<String> = choices.iter().map(|c| c.topic.clone()).collect();
    let topics = admin.describe_topics(&names).map_err(Failure::runtime)?;
    let mut places = Vec::new();
    for choice in choices {
        let partitions = topics.iter().find(|topic| topic.name == choice.topic);
        let there = partitions.map(|topic| &topic.partitions);
        let there = there
            .map(|p| p.keys().copied().collect::<Vec<_>>())
            .unwrap_or_default();
        if let Some(missing) = choice
            .partitions
            .iter()
            .flatten()
            .find(|p| !there.contains(p))
        {
            return Err(Failure::usage(anyhow!(
                "--topic {}: there is no partition {}; accepted: 0 to {}",
                choice.topic,
                missing.get(),
                there.len().saturating_sub(1)
            )));
        }
        let all = there.into_iter().map(|index| (choice.topic.clone(), index));
        places.extend(all.filter(|place| choice.has(place)));
    }
    places.sort();
    places.dedup();
    Ok(places)
}

impl To {
    fn goal(&self) -> anyhow::Result<Goal> {
        match self {
            Self {
                to_earliest: true, ..
            } => Ok(Goal::Earliest),
            Self {
                to_latest: true, ..
            } => Ok(Goal::Latest),
            Self {
                to_datetime: Some(text),
                ..
            } => Ok(Goal::Time(time(text)?)),
            Self {
                shift_by: Some(by), ..
            } => Ok(Goal::Shift(*by)),
            Self {
                to_offset: Some(offset),
                ..
            } => Ok(Goal::Offset(*offset)),
            _ => bail!("no goal was given; accepted: one of the --to-… options or --shift-by"),
        }
    }
}

/// Reads a time with an offset, or one in UTC.
fn time(text: &str) -> anyhow::Result<TimestampMs> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(TimestampMs(moment.as_millisecond()));
    }
    let civil: jiff::civil::DateTime = text.parse().map_err(|_| {
        anyhow!(
            "--to-datetime {text}: no such time; accepted: 2026-01-31T08:00:00, in UTC, or with Z or \
             +02:00 at its end"
        )
    })?;
    let moment = civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .context("--to-datetime")?;
    Ok(TimestampMs(moment.timestamp().as_millisecond()))
}

impl Logs {
    fn look(
        admin: &mut Admin,
        places: &[TopicPartition],
        goal: Goal,
    ) -> Result<Self, plimsoll_drive::DriveError> {
        let isolation = Isolation::ReadUncommitted;
        Ok(Self {
            begins: admin.offsets(places, At::Earliest, isolation)?,
            ends: admin.offsets(places, At::Latest, isolation)?,
            times: match goal {
                Goal::Time(time) => admin.offsets(places, At::Time(time), isolation)?,
                _ => BTreeMap::new(),
            },
        })
    }
}

/// Where one partition goes.
fn plan(
    place: &TopicPartition,
    from: Option<Offset>,
    goal: Goal,
    logs: &Logs,
) -> anyhow::Result<Move> {
    let (topic, index) = (&place.0, place.1.get());
    let (Some(begin), Some(end)) = (logs.begins.get(place), logs.ends.get(place)) else {
        bail!("{topic}-{index} has no leader, or does not exist any more");
    };
    let wanted = match goal {
        Goal::Earliest => begin.get(),
        Goal::Latest => end.get(),
        // No record is as late as that.
        Goal::Time(_) => logs.times.get(place).unwrap_or(end).get(),
        Goal::Offset(offset) => offset,
        Goal::Shift(by) => match from {
            Some(from) => from.get().saturating_add(by),
            None => bail!("--shift-by {by}: {topic}-{index} has no committed offset to shift"),
        },
    };
    let to = wanted.clamp(begin.get(), end.get());
    Ok(Move {
        partition: place.clone(),
        from,
        to: Offset(to),
        out_of_range: (to != wanted).then_some(wanted),
    })
}

fn as_text(group: &str, moves: &[Move]) -> String {
    let rows = moves.iter().map(|m| {
        [
            group.to_owned(),
            m.partition.0.clone(),
            m.partition.1.get().to_string(),
            or_dash(m.from.map(|o| o.get())),
            m.to.get().to_string(),
        ]
    });
    let header = [
        "GROUP",
        "TOPIC",
        "#PARTITION",
        "#CURRENT-OFFSET",
        "#NEW-OFFSET",
    ];
    columns(header, &rows.collect::<Vec<_>>())
}

fn as_json(args: &Args, moves: &[Move]) -> serde_json::Value {
    let moves = moves.iter().map(|m| {
        json!({
            "topic": m.partition.0,
            "partition": m.partition.1.get(),
            "current_offset": m.from.map(|o| o.get()),
            "new_offset": m.to.get(),
        })
    });
    json!({
        "group": args.group,
        "executed": args.execute,
        "offsets": moves.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_drive::admin::PartitionIndex;

    #[test]
    fn times_are_in_utc_unless_they_say_otherwise() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(time(text).ok().map(|t| t.get()), expected, "{text}");
        };
        check("1970-01-01T00:00:01", Some(1_000));
        check("1970-01-01T00:00:01.5", Some(1_500));
        check("1970-01-01T02:00:01+02:00", Some(1_000));
        check("1970-01-01T00:00:01Z", Some(1_000));
        check("yesterday", None);
    }

    #[test]
    fn a_goal_is_held_inside_the_log() {
        let place = ("t".to_owned(), PartitionIndex(0));
        let one = |offset| BTreeMap::from([(place.clone(), Offset(offset))]);
        let logs = Logs {
            begins: one(10),
            ends: one(50),
            times: one(30),
        };
        let check = |goal: Goal, from: Option<i64>, expected: Option<(i64, bool)>| {
            let planned = plan(&place, from.map(Offset), goal, &logs).ok();
            let planned = planned.map(|m| (m.to.get(), m.out_of_range.is_some()));
            assert_eq!(planned, expected, "{goal:?} from {from:?}");
        };
        check(Goal::Earliest, None, Some((10, false)));
        check(Goal::Latest, Some(20), Some((50, false)));
        check(Goal::Time(TimestampMs(0)), None, Some((30, false)));
        check(Goal::Shift(-5), Some(20), Some((15, false)));
        check(Goal::Shift(-15), Some(20), Some((10, true)));
        check(Goal::Shift(i64::MAX), Some(20), Some((50, true)));
        check(Goal::Shift(1), None, None);
        check(Goal::Offset(49), Some(20), Some((49, false)));
        check(Goal::Offset(51), Some(20), Some((50, true)));
    }
}
