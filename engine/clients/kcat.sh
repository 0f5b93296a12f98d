#!/usr/bin/env bash
# kcat.sh HOST:PORT RECORDS: produces and consumes RECORDS in every codec and
# compares the checksum of what went in with that of what came out.
set -euo pipefail
broker=$1
records=$2
payload='{"order":%.0f,"state":"created","note":"the same words again and again"}'
expected=$(seq -f "$payload" 1 "$records" | sha256sum)
for codec in none gzip snappy lz4 zstd; do
    topic="kcat-$codec"
    seq -f "$payload" 1 "$records" | kcat -P -b "$broker" -t "$topic" -p 0 -z "$codec" -X queue.buffering.max.messages=2000000
    actual=$(kcat -C -b "$broker" -t "$topic" -p 0 -o beginning -e -q | sha256sum)
    if [ "$actual" != "$expected" ]; then
        echo "kcat: $codec: checksum differs: expected $expected, got $actual" >&2
        exit 1
    fi
    echo "kcat: $codec: $records records, checksum equal"
done
