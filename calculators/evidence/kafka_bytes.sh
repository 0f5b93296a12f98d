#!/usr/bin/env bash
# kafka_bytes.sh: `size disk` against Apache Kafka's own data directory.
#
# The twenty combinations of bench/cli/tests/disk_bytes go to Apache Kafka 4.1; what
# lies under each topic's directories must be as predicted, within 0.5 % uncompressed
# and 2 % compressed. Kafka first looks for expired segments when everything is
# written: earlier, it would roll segments that are still filling. About 3 minutes
# after a debug build of the test, most of it waiting; needs a JDK with Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."
port=${PORT:-19692}
command -v java > /dev/null || { echo "FAIL: no java"; exit 1; }
cargo test --quiet -p plimsoll --test disk_bytes --no-run
work=$(mktemp -d)
# Seconds until Kafka looks, and until it has deleted.
looks=150 done=165
started=$(date +%s)
KAFKA_SETTINGS="message.max.bytes=8000000
log.initial.task.delay.ms=${looks}000
log.retention.check.interval.ms=2000" bench/evidence/kafka.sh "$work" "$port" &
server=$!
trap 'kill $server 2> /dev/null || true; wait $server 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break
    kill -0 $server || { echo "FAIL: Kafka did not start"; exit 1; }
    sleep 0.2
done
stop="while [ \$(date +%s) -lt $((started + done)) ]; do sleep 1; done; kill $server; while kill -0 $server 2> /dev/null; do sleep 0.2; done"
if DISK_BYTES_SEGMENT_SETTING=internal.segment.bytes DISK_BYTES_TARGET=127.0.0.1:$port DISK_BYTES_DATA=$work/data DISK_BYTES_STOP=$stop \
    cargo test --quiet -p plimsoll --test disk_bytes -- --nocapture; then
    echo "PASS"
else
    echo "FAIL"
    exit 1
fi
