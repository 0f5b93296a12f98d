//! What a classic group's leader assigns: even shares, everyone keeping what fits.

use std::collections::BTreeSet;

/// Shares of `partitions` partitions, given what each member owns. A cooperative
/// leader leaves out what its owner has to give up first.
pub fn shares(owned: &[BTreeSet<i32>], partitions: i32, cooperative: bool) -> Vec<BTreeSet<i32>> {
    let count = owned.len();
    let all = usize::try_from(partitions).unwrap_or(0);
    let (least, mut larger) = (all / count, all % count);
    let mut by_size: Vec<usize> = (0..count).collect();
    by_size.sort_by_key(|member| std::cmp::Reverse(owned[*member].len()));
    let mut shares = vec![BTreeSet::new(); count];
    let mut quotas = vec![least; count];
    for member in by_size {
        if larger > 0 {
            quotas[member] += 1;
            larger -= 1;
        }
        shares[member] = owned[member].iter().copied().take(quotas[member]).collect();
    }
    let taken: BTreeSet<i32> = match cooperative {
        true => owned.iter().flatten().copied().collect(),
        false => shares.iter().flatten().copied().collect(),
    };
    let mut free = (0..partitions).filter(|p| !taken.contains(p));
    for (share, quota) in shares.iter_mut().zip(quotas) {
        let lacking = quota - share.len();
        share.extend(free.by_ref().take(lacking));
    }
    shares
}
