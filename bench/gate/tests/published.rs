//! Change points that the literature agrees on.

use plimsoll_gate::change_points::{Sensitivity, change_points};

/// Annual flow of the Nile at Aswan, 1871 to 1970, in 10⁸ m³. The level fell in
/// 1899: Cobb, "The problem of the Nile", Biometrika 65 (1978).
const NILE: [f64; 100] = [
    1120.0, 1160.0, 963.0, 1210.0, 1160.0, 1160.0, 813.0, 1230.0, 1370.0, 1140.0, 995.0, 935.0,
    1110.0, 994.0, 1020.0, 960.0, 1180.0, 799.0, 958.0, 1140.0, 1100.0, 1210.0, 1150.0, 1250.0,
    1260.0, 1220.0, 1030.0, 1100.0, 774.0, 840.0, 874.0, 694.0, 940.0, 833.0, 701.0, 916.0, 692.0,
    1020.0, 1050.0, 969.0, 831.0, 726.0, 456.0, 824.0, 702.0, 1120.0, 1100.0, 832.0, 764.0, 821.0,
    768.0, 845.0, 864.0, 862.0, 698.0, 845.0, 744.0, 796.0, 1040.0, 759.0, 781.0, 865.0, 845.0,
    944.0, 984.0, 897.0, 822.0, 1010.0, 771.0, 676.0, 649.0, 846.0, 812.0, 742.0, 801.0, 1040.0,
    860.0, 874.0, 848.0, 890.0, 744.0, 749.0, 838.0, 1050.0, 918.0, 986.0, 797.0, 923.0, 975.0,
    815.0, 1020.0, 906.0, 901.0, 1170.0, 912.0, 746.0, 919.0, 718.0, 714.0, 740.0,
];

/// British coal-mining disasters a year, 1851 to 1961. Their rate fell around
/// 1890: Jarrett, Biometrika 66 (1979); Carlin, Gelfand and Smith, Applied
/// Statistics 41 (1992), put it between 1886 and 1896.
const DISASTERS: [f64; 111] = [
    4.0, 5.0, 4.0, 1.0, 0.0, 4.0, 3.0, 4.0, 0.0, 6.0, 3.0, 3.0, 4.0, 0.0, 2.0, 6.0, 3.0, 3.0, 5.0,
    4.0, 5.0, 3.0, 1.0, 4.0, 4.0, 1.0, 5.0, 5.0, 3.0, 4.0, 2.0, 5.0, 2.0, 2.0, 3.0, 4.0, 2.0, 1.0,
    3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 3.0, 1.0, 0.0,
    3.0, 2.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0,
    1.0, 1.0, 0.0, 2.0, 3.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 2.0, 0.0, 0.0, 1.0,
    4.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0,
];

/// Expects the first change in one of `years` and a level that fell.
#[track_caller]
fn check(series: &[f64], first_year: usize, years: std::ops::RangeInclusive<usize>) {
    let found = change_points(series, &Sensitivity::default());
    let changed: Vec<usize> = found.iter().map(|p| first_year + p.index).collect();
    let first = found.first().expect("a change");
    assert!(years.contains(&changed[0]), "{changed:?}");
    assert!(first.after < first.before, "{first:?}");
}

#[test]
fn the_nile_fell_in_1899() {
    check(&NILE, 1871, 1899..=1899);
    let all = change_points(&NILE, &Sensitivity::default());
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn mining_became_safer_around_1890() {
    check(&DISASTERS, 1851, 1886..=1896);
}
