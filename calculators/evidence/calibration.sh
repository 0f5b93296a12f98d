#!/usr/bin/env bash
# calibration.sh [DIR]: half of a partition-scaling sweep predicts the other half.
#
# 13 numbers of partitions x 5 repeats on the embedded engine, in randomised blocks
# of short cells, so that a slow minute of the machine falls on every number alike.
# Batches of 256 KiB keep so much in flight that few partitions do not wait for the
# scheduler: with 64 KiB a busy neighbour halves what 1 to 4 of them carry, and no
# law explains that. The Universal Scalability Law fitted to every other number must predict the rest
# within 15 %, and its 90 % intervals hold at least 80 % of the runs held back. Then
# a calculator uses the file, and refuses it as another machine's unless forced.
# A cell is not valid while the hypervisor takes much of a core, so there are two
# repeats more than a law needs, and a number that still has too few is left out.
# About 2 minutes on a quiet machine; DIR keeps what was measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
plimsoll=${PLIMSOLL:-target/release/plimsoll}
work=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
"$plimsoll" run partition-scaling --quiet --out "$work/scaling" \
    --set 'topic.partitions=[1,2,3,4,6,8,12,16,24,32,40,48,64]' --set repeats=5 \
    --set producer.batch_bytes=256KiB --set load.warmup=300ms --set load.duration=900ms > "$work/run.txt" || true
tail -n 18 "$work/run.txt"
verdict=0
"$plimsoll" calibrate "$work/scaling" --out "$work/calibration.json" > "$work/calibrated.txt"
"$plimsoll" calibrate "$work/scaling" --check || verdict=1
use=(size partitions --rate 50K/s --size 1KiB --calibration)
"$plimsoll" "${use[@]}" "$work/calibration.json" > "$work/sized.txt" || verdict=1
sed 's/"hash": "[0-9a-f]*"/"hash": "0000000000000000"/' "$work/calibration.json" > "$work/other.json"
if "$plimsoll" "${use[@]}" "$work/other.json" > "$work/refused.txt" 2>&1; then
    echo "another machine's calibration was taken"
    verdict=1
else
    cat "$work/refused.txt"
fi
"$plimsoll" "${use[@]}" "$work/other.json" --force > /dev/null || verdict=1
[ "$verdict" = 0 ] && echo "PASS" || echo "FAIL"
exit "$verdict"
