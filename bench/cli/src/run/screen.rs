//! The live view of a run, below the lines of the cells that are done.
//!
//! It takes a few lines at the foot of the terminal and leaves what was there
//! above it. Keys are read on a thread of its own: q, Escape and Ctrl-C ask the
//! run to stop and keep what was measured, a second one ends the process. The
//! terminal is given back however the run ends.

use super::plan_text::time;
use crate::interrupt::{INTERRUPTED, Stop};
use plimsoll_drive::cell::Pulse;
use plimsoll_plots::units::{micros, si};
use plimsoll_workloads::Plan;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Padding, Paragraph, Sparkline, Widget, Wrap};
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::collections::VecDeque;
use std::io::{self, Stderr};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Lines that the view takes.
const HEIGHT: u16 = 8;
/// Rates kept for the small chart.
const RATES_MAX: usize = 60;
/// How often the screen is drawn at most.
const FRAME: Duration = Duration::from_millis(100);
/// How long the keys' thread waits before it looks whether it should end.
const KEY_WAIT: Duration = Duration::from_millis(100);
/// The colour of what is alive; one that colour-blind people can tell.
const ACCENT: Color = Color::Indexed(32);

/// What the screen shows.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The workload.
    pub name: String,
    /// Which run of a cell, from 1, and of how many.
    pub at: usize,
    /// How many runs there are.
    pub of: usize,
    /// The cell's settings.
    pub label: String,
    /// What it is doing.
    pub phase: &'static str,
    /// Time into the cell, and the time it takes.
    pub cell_time: (Duration, Duration),
    /// Time that the plan has taken so far, and takes in all.
    pub spent: Duration,
    /// The plan's expected time.
    pub total: Duration,
    /// Whether the user asked to stop.
    pub stopping: bool,
    pulse: Option<Pulse>,
    rates: VecDeque<u64>,
}

impl View {
    /// Of a plan of which nothing is done yet.
    pub fn of(plan: &Plan) -> Self {
        Self {
            name: plan.name.clone(),
            of: plan.runs.len(),
            total: plan.expected().duration(),
            ..Self::default()
        }
    }

    /// Another cell begins.
    pub fn begin(&mut self, label: String) {
        self.at += 1;
        self.label = label;
        self.phase = "starting";
        self.cell_time = (Duration::ZERO, Duration::ZERO);
        self.pulse = None;
        self.rates.clear();
    }

    /// Takes in how the cell goes.
    pub fn feel(&mut self, pulse: &Pulse) {
        let newer = self
            .pulse
            .as_ref()
            .is_none_or(|old| old.second.second != pulse.second.second);
        if newer && self.rates.len() == RATES_MAX {
            self.rates.pop_front();
        }
        if !newer {
            self.rates.pop_back();
        }
        self.rates.push_back(pulse.second.records);
        self.pulse = Some(pulse.clone());
    }
}

impl Widget for &View {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let title = format!(" {} ", self.name);
        let block = Block::bordered()
            .border_style(Style::new().dim())
            .title(Span::from(title).bold())
            .title_top(Line::from(format!(" {} left ", left(self))).right_aligned())
            .title_bottom(Line::from(foot(self)).right_aligned())
            .padding(Padding::horizontal(1));
        let inside = block.inner(area);
        block.render(area, buffer);
        let rows = Layout::vertical([Constraint::Length(1); 6]).split(inside);
        let mut lines = [
            Line::default(),
            Line::default(),
            rate(self),
            latency(self),
            backlog(self),
            cpu(self),
        ];
        lines[0] = Line::from(vec![
            format!("{}/{} ", self.at, self.of).bold(),
            self.label.as_str().into(),
        ]);
        for (line, row) in lines.into_iter().zip(rows.iter()) {
            line.render(*row, buffer);
        }
        progress(self, rows[1], buffer);
        let chart = Rect {
            x: rows[2].x + 30.min(rows[2].width),
            width: rows[2].width.saturating_sub(30),
            ..rows[2]
        };
        let rates: Vec<u64> = self.rates.iter().copied().collect();
        let newest = rates.len().saturating_sub(chart.width as usize);
        Sparkline::default()
            .data(&rates[newest..])
            .style(Style::new().fg(ACCENT))
            .render(chart, buffer);
    }
}

fn left(view: &View) -> String {
    time(view.total.saturating_sub(view.spent))
}

const fn foot(view: &View) -> &'static str {
    match view.stopping {
        true => " stopping, what was measured is kept; once more to quit at once ",
        false => " q stops and keeps what was measured ",
    }
}

fn progress(view: &View, row: Rect, buffer: &mut Buffer) {
    let share = view.spent.as_secs_f64() / view.total.as_secs_f64().max(1e-3);
    let [bar, text] = Layout::horizontal([Constraint::Length(28), Constraint::Fill(1)]).areas(row);
    Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .gauge_style(Style::new().fg(ACCENT))
        .use_unicode(true)
        .render(bar, buffer);
    let (at, of) = view.cell_time;
    if of.is_zero() {
        Line::from(format!("  {}", view.phase)).render(text, buffer);
        return;
    }
    let said = format!(
        "  {}, {:.1} of {:.1} s",
        view.phase,
        at.as_secs_f64(),
        of.as_secs_f64()
    );
    Line::from(said).render(text, buffer);
}

/// A row's name, in a column of its own.
fn named(name: &'static str, text: String) -> Line<'static> {
    Line::from(vec![format!("{name:<9}").dim(), text.into()])
}

fn nothing_yet() -> String {
    "–".to_owned()
}

fn rate(view: &View) -> Line<'static> {
    let pulse = view.pulse.as_ref();
    let text = pulse.map_or_else(nothing_yet, |pulse| {
        format!("{} records/s", si(pulse.second.records as f64))
    });
    named("rate", text)
}

fn latency(view: &View) -> Line<'static> {
    let Some(second) = view.pulse.as_ref().map(|pulse| &pulse.second) else {
        return named("latency", nothing_yet());
    };
    let show = |name: &str, value: Option<f64>| {
        let value = value.map_or_else(nothing_yet, micros);
        format!("{name} {value}")
    };
    let parts = [
        show("p50", second.p50_us),
        show("p99", second.p99_us),
        show("p99.9", second.p999_us),
        show("max", second.max_us),
    ];
    named("latency", parts.join("   "))
}

fn backlog(view: &View) -> Line<'static> {
    let Some(pulse) = &view.pulse else {
        return named("lag", nothing_yet());
    };
    let mut line = named("lag", format!("{} records   errors ", si(pulse.lag as f64)));
    let errors = Span::from(pulse.errors.to_string());
    line.push_span(match pulse.errors {
        0 => errors,
        _ => errors.bold().red(),
    });
    line
}

fn cpu(view: &View) -> Line<'static> {
    let cores = view.pulse.as_ref().and_then(|pulse| pulse.cores);
    let text = cores.map_or_else(nothing_yet, |cores| {
        let broker = cores
            .broker
            .map_or_else(nothing_yet, |used| format!("{used:.2}"));
        format!("broker {broker}   client {:.2} cores", cores.client)
    });
    named("CPU", text)
}

/// The terminal while a run goes on.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    stop: Stop,
    keys: Option<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    drawn: Option<Instant>,
}

impl Screen {
    /// Takes the foot of the terminal.
    pub fn open(stop: &Stop) -> io::Result<Self> {
        enable_raw_mode()?;
        let options = TerminalOptions {
            viewport: Viewport::Inline(HEIGHT),
        };
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stderr()), options);
        let terminal = terminal.inspect_err(|_| restore())?;
        let over = Arc::new(AtomicBool::new(false));
        let (asked, ended) = (stop.clone(), Arc::clone(&over));
        let keys = thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read_keys(&asked, &ended))
            .inspect_err(|_| restore())?;
        Ok(Self {
            terminal,
            stop: stop.clone(),
            keys: Some(keys),
            over,
            drawn: None,
        })
    }

    /// Shows the view. A terminal that went away ends nothing.
    pub fn draw(&mut self, view: &View) {
        if self.drawn.is_some_and(|at| at.elapsed() < FRAME) {
            return;
        }
        self.drawn = Some(Instant::now());
        let view = View {
            stopping: self.stop.is_asked(),
            ..view.clone()
        };
        let _gone = self
            .terminal
            .draw(|frame| frame.render_widget(&view, frame.area()));
    }

    /// Puts a line above the view, where it stays.
    pub fn line(&mut self, text: &str) {
        let width = self.terminal.size().map_or(80, |size| size.width.max(1));
        let paragraph = Paragraph::new(text).wrap(Wrap { trim: false });
        let letters = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        let height = letters.div_ceil(width).max(1);
        let _gone = self.terminal.insert_before(height, |buffer| {
            paragraph.render(buffer.area, buffer);
        });
    }

    /// Gives the terminal back.
    pub fn close(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(keys) = self.keys.take() {
            let _ended = keys.join();
            let _gone = self.terminal.clear();
            restore();
            // What follows begins at the left, where the view began.
            eprint!("\r");
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

fn restore() {
    let _gone = disable_raw_mode();
}

fn read_keys(stop: &Stop, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let key = match event::poll(KEY_WAIT) {
            Ok(true) => event::read(),
            Ok(false) => continue,
            Err(_) => return,
        };
        match key {
            Ok(Event::Key(key)) if ends(&key) => {
                if stop.ask() {
                    restore();
                    process::exit(INTERRUPTED);
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn ends(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let wanted = match key.code {
        KeyCode::Char('c') => control,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => true,
        _ => false,
    };
    wanted && key.kind != KeyEventKind::Release
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_drive::observe::Cores;
    use plimsoll_results::Second;
    use ratatui::backend::TestBackend;

    fn view() -> View {
        View {
            name: "quickstart".to_owned(),
            of: 24,
            spent: Duration::from_secs(20),
            total: Duration::from_secs(72),
            ..View::default()
        }
    }

    fn shown(view: &View, width: u16) -> String {
        let Ok(mut terminal) = Terminal::new(TestBackend::new(width, HEIGHT));
        let Ok(_) = terminal.draw(|frame| frame.render_widget(view, frame.area()));
        terminal.backend().to_string()
    }

    #[test]
    fn the_view_before_and_while_something_is_measured() {
        let mut view = view();
        view.begin("acks=all compression=lz4 partitions=6".to_owned());
        let starting = shown(&view, 78);
        view.phase = "measuring";
        view.cell_time = (Duration::from_millis(1_200), Duration::from_millis(2_500));
        for (second, records) in [(0, 300_000), (1, 700_000), (1, 812_000)] {
            view.feel(&Pulse {
                second: Second {
                    second,
                    records,
                    p50_us: Some(640.0),
                    p99_us: Some(3_300.0),
                    p999_us: Some(5_000.0),
                    max_us: Some(9_100.0),
                    ..Second::default()
                },
                lag: 12_345,
                cores: Some(Cores {
                    broker: Some(0.92),
                    client: 1.1,
                }),
                errors: 0,
            });
        }
        view.stopping = true;
        insta::assert_snapshot!(format!("{starting}\n{}", shown(&view, 78)));
    }

    #[test]
    fn a_narrow_terminal_shows_what_fits() {
        for width in [1, 5, 20, 40] {
            assert!(!shown(&view(), width).is_empty());
        }
    }

    #[test]
    fn the_keys_that_end_a_run() {
        let check = |code, modifiers, expected| {
            assert_eq!(ends(&KeyEvent::new(code, modifiers)), expected, "{code:?}");
        };
        check(KeyCode::Char('q'), KeyModifiers::NONE, true);
        check(KeyCode::Esc, KeyModifiers::NONE, true);
        check(KeyCode::Char('c'), KeyModifiers::CONTROL, true);
        check(KeyCode::Char('c'), KeyModifiers::NONE, false);
        check(KeyCode::Char('x'), KeyModifiers::NONE, false);
    }
}
