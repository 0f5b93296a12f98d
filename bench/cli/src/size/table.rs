//! An answer for the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableComponent, presets};
use plimsoll_calculators::Answer;
use std::fmt::Write as _;

/// Below this a table of three columns is a column of letters.
const NARROWEST: u16 = 72;

/// Renders an answer: results first, then what decides, what was assumed, and
/// where the rules are off.
pub fn render(answer: &Answer) -> String {
    let mut text = String::new();
    let mut lines = table(["", &answer.calculator, "how"]);
    for line in &answer.lines {
        let value = Cell::new(line.value.shown()).set_alignment(CellAlignment::Right);
        lines.add_row([Cell::new(&line.name), value, Cell::new(&line.because)]);
    }
    let _ = writeln!(text, "{lines}");
    if let Some(binds) = &answer.binds {
        let _ = writeln!(text, "\nwhat binds: {}: {}", binds.term, binds.because);
    }
    if !answer.assumptions.is_empty() {
        let mut assumed = table(["assumed", "value", "from"]);
        for assumption in &answer.assumptions {
            let from = assumption.provenance.to_string();
            assumed.add_row([&assumption.name, &assumption.value, &from]);
        }
        let _ = writeln!(text, "\n{assumed}");
    }
    for correction in &answer.corrections {
        let _ = writeln!(
            text,
            "\nrule {}: the document says {};\n  the right number is {},\n  because {}",
            correction.rule, correction.document, correction.right, correction.because
        );
    }
    if !answer.notes.is_empty() {
        let _ = writeln!(text);
    }
    for note in &answer.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "\nrules: {}", answer.rules.join(", "));
    text
}

/// A table with lines around its header alone.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    for lines_between_rows in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
        TableComponent::LeftBorderIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(lines_between_rows);
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // Some terminals do not know how wide they are.
    if table.width().is_some_and(|width| width < NARROWEST) {
        table.set_width(NARROWEST);
    }
    table.set_header(header);
    table
}
