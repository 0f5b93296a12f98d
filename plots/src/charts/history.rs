//! One setting over weeks: every run, the level between change points, and what
//! each change was.

use crate::page::{LABEL, Tick, Words, label_room, page, shorten, ticks, x_labels, y_grid};
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::{digits, memory, micros, si, signed_percent};
use plimsoll_gate::Unit;
use plimsoll_gate::history::Track;

/// Height of one metric's panel, its title included.
const PANEL: f64 = 138.0;
/// What stands above a panel's frame: its name, and labels of changes.
const HEAD: f64 = 36.0;
/// Dates below the last panel.
const DATES_MAX: usize = 6;

/// Draws the tracks of one setting below each other; `None` when nothing was
/// ever measured.
pub(crate) fn scene(tracks: &[Track]) -> Option<Scene> {
    let tracks: Vec<&Track> = tracks.iter().filter(|t| !t.points.is_empty()).collect();
    let first = tracks.first()?;
    let words = words(first);
    let (mut scene, body) = page(&words, 128.0 + tracks.len() as f64 * PANEL);
    let rooms = tracks
        .iter()
        .map(|track| label_room(&scale(track, 1.0, 0.0).1));
    let room = rooms.fold(0.0, f64::max);
    for (at, track) in tracks.iter().enumerate() {
        let top = body.top + at as f64 * PANEL;
        let frame = Frame {
            top: top + HEAD,
            bottom: top + PANEL - 20.0,
            ..body
        };
        panel(&mut scene, frame, track, (room, at + 1 == tracks.len()));
    }
    Some(scene)
}

fn words(track: &Track) -> Words {
    let runs = track.points.len();
    let setting = match track.setting.as_str() {
        "" => String::new(),
        setting => format!(" at {setting}"),
    };
    Words {
        title: format!("History of {}{setting}", track.name),
        subtitle: format!(
            "{runs} runs on one machine. Each dot is the median of a run; lines are the levels \
             between change points (E-divisive)."
        ),
        footer: track.machine_text.clone(),
    }
}

fn format(unit: Unit) -> fn(f64) -> String {
    match unit {
        Unit::RecordsPerSecond => si,
        Unit::Micros => micros,
        Unit::Nanos => |nanos| micros(nanos / 1e3),
        Unit::CpuSecondsPerGb => digits,
        Unit::Bytes => memory,
    }
}

const fn named(unit: Unit) -> &'static str {
    match unit {
        Unit::RecordsPerSecond => "records/s",
        Unit::CpuSecondsPerGb => "CPU s/GB",
        Unit::Micros | Unit::Nanos | Unit::Bytes => "",
    }
}

/// The vertical scale of a track, and what stands at it.
fn scale(track: &Track, bottom: f64, top: f64) -> (Scale, Vec<Tick>) {
    let values = track.points.iter().map(|point| point.value);
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let pad = ((high - low) * 0.15).max(high * 0.02);
    let y = Scale::linear((low - pad).max(0.0), high + pad, bottom, top);
    let every: Vec<Tick> = ticks(&y, format(track.unit));
    let marks = every.into_iter().step_by(2).collect();
    (y, marks)
}

/// `room` is what the labels of all panels need.
fn panel(scene: &mut Scene, frame: Frame, track: &Track, (room, dated): (f64, bool)) {
    let values = track.points.iter().map(|point| point.value);
    let (y, marks) = scale(track, frame.bottom, frame.top);
    let frame = Frame {
        left: frame.left + room,
        right: frame.right - 8.0,
        ..frame
    };
    let last = track.points.len().saturating_sub(1).max(1);
    let x = Scale::linear(0.0, last as f64, frame.left + 6.0, frame.right - 6.0);
    y_grid(scene, frame, &y, &marks, true);
    let name = Text::new(
        At(frame.left, frame.top - 24.0),
        LABEL,
        track.metric.clone(),
    )
    .bold();
    scene.text(name);
    let unit = Text::new(
        At(frame.left + 108.0, frame.top - 24.0),
        LABEL,
        named(track.unit),
    );
    scene.text(unit.paint(Role::Muted));
    for (at, value) in values.enumerate() {
        let dot = Paint::from(Role::Series(0)).opacity(0.55);
        scene.dot(At(x.at(at as f64), y.at(value)), 2.6, dot);
    }
    levels(scene, frame, track, (&x, &y));
    if dated {
        dates(scene, frame, track, &x);
    }
}

/// The mean of each stretch, and where one ends.
fn levels(scene: &mut Scene, frame: Frame, track: &Track, (x, y): (&Scale, &Scale)) {
    let mut from = 0.0;
    let mut level = track.changes.first().map(|change| change.before);
    let last = track.points.len().saturating_sub(1) as f64;
    for change in &track.changes {
        let at = change.index as f64 - 0.5;
        if let Some(level) = level {
            scene.line(
                At(x.at(from), y.at(level)),
                At(x.at(at), y.at(level)),
                2.0,
                Role::Ink,
            );
        }
        let role = match track.is_worse(change) {
            true => Role::Series(1),
            false => Role::Series(2),
        };
        scene.line(
            At(x.at(at), frame.top - 4.0),
            At(x.at(at), frame.bottom),
            1.5,
            role,
        );
        let right_half = x.at(at) > frame.middle().0;
        let label = Text::new(At(x.at(at), frame.top - 10.0), LABEL, told(track, change));
        let label = label.bold().paint(role);
        scene.text(if right_half {
            label.align(Align::End)
        } else {
            label
        });
        (from, level) = (at, Some(change.after));
    }
    if let Some(level) = level {
        scene.line(
            At(x.at(from), y.at(level)),
            At(x.at(last), y.at(level)),
            2.0,
            Role::Ink,
        );
    }
}

fn told(track: &Track, change: &plimsoll_gate::change_points::ChangePoint) -> String {
    let size = signed_percent(change.change());
    let point = track.points.get(change.index);
    let revision = point.and_then(|point| point.revision.as_deref()?.get(..7));
    revision.map_or_else(|| size.clone(), |revision| format!("{size} at {revision}"))
}

fn dates(scene: &mut Scene, frame: Frame, track: &Track, x: &Scale) {
    let every = track.points.len().div_ceil(DATES_MAX).max(1);
    let marks = track
        .points
        .iter()
        .enumerate()
        .step_by(every)
        .map(|(at, point)| {
            let day = point.started_at.get(..10).unwrap_or(&point.started_at);
            Tick {
                value: at as f64,
                label: shorten(day, LABEL, 90.0),
            }
        });
    x_labels(scene, frame, x, &marks.collect::<Vec<_>>(), false);
}
