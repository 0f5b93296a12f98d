//! What each fault that a workload caused did, as lines for the terminal.

use super::table::in_order;
use plimsoll_plots::units::si;
use plimsoll_results::stats::Spread;
use plimsoll_results::{Dip, Fault, Group, RunResult, params_label};

/// One line for each fault and setting: medians over the repeats in which it was
/// caused.
pub fn describe(run: &RunResult) -> Vec<String> {
    let of_group = |group: &Group<'_>| {
        let most = group.cells.iter().map(|cell| cell.faults.len()).max();
        let setting = params_label(group.params, &run.varied);
        let gap = if setting.is_empty() { "" } else { ": " };
        let line = |at| Some(format!("{setting}{gap}{}", one(group, at)?));
        (0..most.unwrap_or(0)).filter_map(line).collect::<Vec<_>>()
    };
    in_order(run).iter().flat_map(of_group).collect()
}

fn one(group: &Group<'_>, at: usize) -> Option<String> {
    let caused = || group.cells.iter().filter_map(|cell| cell.faults.get(at));
    let first = caused().next()?;
    let begun = median(caused().map(|fault| fault.from_s))?;
    let lasted = median(caused().filter_map(|fault| Some(fault.to_s? - fault.from_s)));
    let lasted = lasted.map_or_else(
        || "to the end".to_owned(),
        |lasted| format!("for {lasted:.1} s"),
    );
    let dips: Vec<&Dip> = caused()
        .filter_map(|fault: &Fault| fault.dip.as_ref())
        .collect();
    Some(format!(
        "{} at {begun:.1} s {lasted}: {}",
        first.what,
        effect(&dips)
    ))
}

fn effect(dips: &[&Dip]) -> String {
    let before = median(dips.iter().map(|dip| dip.before_records_per_s));
    let lowest = median(dips.iter().map(|dip| dip.lowest_records_per_s));
    let (Some(before), Some(lowest)) = (before, lowest) else {
        return "nothing before or after it to compare with".to_owned();
    };
    let recovered: Vec<f64> = dips
        .iter()
        .filter_map(|dip| dip.recovered_after_s)
        .collect();
    let (before, lowest) = (si(before), si(lowest));
    match (median(recovered.iter().copied()), recovered.len()) {
        (Some(0.0), all) if all == dips.len() => {
            format!("no second fell below nine tenths of {before} records/s")
        }
        (Some(after), some) => {
            let of = match some == dips.len() {
                true => String::new(),
                false => format!(" in {some} of {} runs", dips.len()),
            };
            format!("from {before} to {lowest} records/s, recovered after {after:.1} s{of}")
        }
        (None, _) => format!("from {before} to {lowest} records/s, not recovered"),
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    Spread::of(&values).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_results::CellResult;

    #[test]
    fn a_line_says_when_for_how_long_and_what_became_of_it() {
        let check = |dips: &[Option<(f64, Option<f64>)>], expected: &str| {
            let cells = dips.iter().map(|dip| CellResult {
                faults: vec![Fault {
                    what: "kill node 1".to_owned(),
                    from_s: 5.04,
                    to_s: Some(8.0),
                    dip: dip.map(|(lowest, recovered)| Dip {
                        before_records_per_s: 10_000.0,
                        lowest_records_per_s: lowest,
                        recovered_after_s: recovered,
                    }),
                    ..Fault::default()
                }],
                ..CellResult::default()
            });
            let run = RunResult {
                cells: cells.collect(),
                ..RunResult::default()
            };
            let expected = format!("kill node 1 at 5.0 s for 3.0 s: {expected}");
            assert_eq!(describe(&run), [expected]);
        };
        let low = |recovered| Some((300.0, recovered));
        check(
            &[low(Some(2.0)), low(Some(3.0))],
            "from 10K to 300 records/s, recovered after 2.5 s",
        );
        check(
            &[low(Some(2.0)), low(None)],
            "from 10K to 300 records/s, recovered after 2.0 s in 1 of 2 runs",
        );
        check(&[low(None)], "from 10K to 300 records/s, not recovered");
        check(
            &[Some((10_000.0, Some(0.0)))],
            "no second fell below nine tenths of 10K records/s",
        );
        check(&[None], "nothing before or after it to compare with");
        assert_eq!(describe(&RunResult::default()), Vec::<String>::new());
    }
}
