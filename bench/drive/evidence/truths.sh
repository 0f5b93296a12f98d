#!/usr/bin/env bash
# truths.sh: the known truths and the search, with the bounds that only a quiet
# machine holds.
set -euo pipefail
cd "$(dirname "$0")/../../.."
export PLIMSOLL_QUIET=1
cargo test --release --quiet -p plimsoll-drive --lib clock_bound
cargo test --release --quiet -p plimsoll-drive --test driving -- --nocapture --test-threads 1 truths:: search::
echo "PASS: freeze, delay, jitter and capacity recovered, 50 of 50 starved clients flagged"
