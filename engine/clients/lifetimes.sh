#!/usr/bin/env bash
# lifetimes.sh PLIMSOLL JARS [RECORDS]: compacted and retained logs, read by a Java
# client from every offset and by Kafka's log dump tool from the files. Starts a
# broker of its own, whose cleaning is fast. JARS is a folder of Kafka's jars.
set -euo pipefail
plimsoll=$1
jars=$2
records=${3:-3000}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || true; wait 2> /dev/null || true; rm -rf "$work"' EXIT

"$plimsoll" serve --listen 127.0.0.1:0 --data "$work/data" \
    --set log.retention.check.interval.ms=500 --set log.cleaner.backoff.ms=500 \
    --set log.flush.offset.checkpoint.interval.ms=500 --set log.segment.delete.delay.ms=500 \
    --log warn > "$work/ready" &
server=$!
for _ in $(seq 200); do
    grep -q ^ready "$work/ready" && break
    sleep 0.05
done
broker=$(sed -n 's/^ready //p' "$work/ready")
[ -n "$broker" ] || { echo "lifetimes: the broker did not become ready" >&2; exit 1; }

java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$here/Lifetimes.java" "$broker" "$records"
kill "$server"
wait "$server"
server=
for topic in life-compacted life-retained; do
    DUMP_LIMIT=${DUMP_LIMIT:-2} "$here/dump.sh" "$jars" "$work/data/$topic-0"
done
