#!/usr/bin/env bash
# dump.sh JARS DATA: Kafka's log dump over the segments and indexes in DATA, the
# data directory of a broker that was stopped cleanly: a running one still holds
# the newest index entries in memory. DUMP_LIMIT says how many segments, largest
# first.
set -euo pipefail
jars=$1
data=$2
output=$(mktemp)
trap 'rm -f "$output"' EXIT

dump() {
    timeout 120 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" kafka.tools.DumpLogSegments "$@" > "$output" 2>&1
}
check() { # WHAT ARGUMENTS…
    local what=$1
    shift
    dump "$@" || { echo "dump: $what: $(tail -3 "$output")" >&2; exit 1; }
    if grep -qiE 'isvalid: false|invalid|mismatch|exception|corrupt|out of order' "$output"; then
        echo "dump: $what: $(grep -iE 'isvalid: false|invalid|mismatch|exception|corrupt|out of order' "$output" | head -3)" >&2
        exit 1
    fi
}

segments=0
indexes=0
while read -r log; do
    check "$log" --deep-iteration --files "$log"
    segments=$((segments + 1))
    for index in "${log%.log}.index" "${log%.log}.timeindex"; do
        [ -s "$index" ] || continue
        check "$index" --index-sanity-check --files "$index"
        grep -q 'passed sanity check' "$output" || { echo "dump: $index: $(cat "$output")" >&2; exit 1; }
        check "$index" --verify-index-only --files "$index"
        indexes=$((indexes + 1))
    done
done < <(find "$data" -name '*.log' -size +0 -printf '%s %p\n' | sort -rn | head -n "${DUMP_LIMIT:-8}" | cut -d' ' -f2-)
[ "$segments" -gt 0 ] && [ "$indexes" -gt 0 ] || { echo "dump: nothing to read under $data" >&2; exit 1; }
echo "dump: read $segments segments and $indexes indexes and found nothing wrong"
