//! Whether two runs were measured as one: in time their cells come two by two,
//! one of each, as the sides of a gate do.

use crate::RunResult;

/// Whether the two runs' cells alternate in pairs. Cells that do not say when
/// they began tell nothing.
pub fn interleaved(a: &RunResult, b: &RunResult) -> bool {
    let of = |run: &'_ RunResult, side: u8| -> Vec<(String, u8)> {
        let began = run.cells.iter().map(|cell| cell.started_at.clone());
        began.map(|at| (at, side)).collect()
    };
    let mut all = of(a, 0);
    all.extend(of(b, 1));
    if a.cells.len() != b.cells.len() || all.len() < 4 || all.iter().any(|(at, _)| at.is_empty()) {
        return false;
    }
    all.sort();
    let one_of_each = |two: &[(String, u8)]| matches!(two, [(_, x), (_, y)] if x != y);
    all.chunks(2).all(one_of_each)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellResult;

    fn run(seconds: &[u32]) -> RunResult {
        let cell = |at: &u32| CellResult {
            started_at: match at {
                0 => String::new(),
                at => format!("2026-01-01T00:00:{at:02}Z"),
            },
            ..CellResult::default()
        };
        RunResult {
            cells: seconds.iter().map(cell).collect(),
            ..RunResult::default()
        }
    }

    #[track_caller]
    fn check(a: &[u32], b: &[u32], expected: bool) {
        assert_eq!(interleaved(&run(a), &run(b)), expected, "{a:?} {b:?}");
    }

    #[test]
    fn pairs_in_any_order_are_told_from_one_run_after_the_other() {
        check(&[1, 4, 5], &[2, 3, 6], true);
        check(&[1, 2, 3], &[4, 5, 6], false);
        check(&[1, 2, 5], &[3, 4, 6], false);
        check(&[1], &[2], false);
        check(&[1, 4], &[2, 3, 5], false);
        check(&[0, 0], &[0, 0], false);
    }
}
