#!/usr/bin/env bash
# java.sh HOST:PORT JARS: Kafka's own tools against the broker. JARS is a folder of
# Kafka's jars.
set -euo pipefail
broker=$1
jars=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tool() {
    local class=$1
    shift
    timeout 120 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$class" "$@"
}
topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" "$@"; }
configs() { tool kafka.admin.ConfigCommand --bootstrap-server "$broker" "$@"; }
fail() {
    echo "java: $*" >&2
    exit 1
}
expect() { # WHAT PATTERN FILE
    grep -qE "$2" "$3" || fail "$1: no line like '$2' in: $(cat "$3")"
    echo "java: $1"
}

tool org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server "$broker" > "$work/api"
expect "broker-api-versions lists Produce" 'Produce\(0\): ' "$work/api"

topics --create --topic java-orders --partitions 3 --config retention.ms=604800000 --config compression.type=producer > "$work/create"
expect "topics --create" 'Created topic java-orders' "$work/create"
topics --describe --topic java-orders > "$work/describe"
expect "topics --describe shows 3 partitions" 'PartitionCount: 3' "$work/describe"
expect "topics --describe shows the leader and ISR" 'Partition: 2.*Leader: [0-9]+.*Isr: [0-9]+' "$work/describe"
topics --alter --topic java-orders --partitions 4 > "$work/alter"
topics --describe --topic java-orders > "$work/describe"
expect "topics --alter adds a partition" 'PartitionCount: 4' "$work/describe"
topics --list > "$work/list"
expect "topics --list" '^java-orders$' "$work/list"

configs --alter --entity-type topics --entity-name java-orders --add-config segment.bytes=1048576,max.message.bytes=2000000 > "$work/configs"
configs --describe --entity-type topics --entity-name java-orders > "$work/configs"
expect "configs --alter, --describe" 'segment.bytes=1048576' "$work/configs"
configs --alter --entity-type topics --entity-name java-orders --delete-config max.message.bytes > "$work/configs"
if configs --alter --entity-type topics --entity-name java-orders --add-config retention.ms=soon > "$work/bad" 2>&1; then
    fail "configs accepted retention.ms=soon"
fi
expect "configs refuses a bad value" 'retention.ms' "$work/bad"

seq 1 5000 | sed 's/.*/key&:value &/' > "$work/sent"
for codec in none gzip snappy lz4 zstd; do
    tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --topic java-orders \
        --property parse.key=true --property key.separator=: --compression-codec "$codec" < "$work/sent"
done
tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic java-orders --from-beginning \
    --max-messages 25000 --timeout-ms 60000 --property print.key=true --property key.separator=: > "$work/received" 2> "$work/errors" || fail "console consumer: $(cat "$work/errors")"
for _ in 1 2 3 4 5; do cat "$work/sent"; done | sort > "$work/expected"
sort "$work/received" | cmp - "$work/expected" || fail "console consumer: records differ from those produced"
echo "java: console producer and consumer, 5 codecs, 25000 records equal"

tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$broker" --topic java-orders > "$work/offsets"
total=$(awk -F: '{sum += $3} END {print sum}' "$work/offsets")
[ "$total" = 25000 ] || fail "get-offsets: expected 25000 in all, got $total"
echo "java: get-offsets agrees"

tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" --list > "$work/groups"
expect "consumer-groups --list" '^console-consumer-' "$work/groups"

topics --delete --topic java-orders-scratch > "$work/missing" 2>&1 && fail "topics --delete took a topic that does not exist"
expect "topics --delete refuses a missing topic" 'does not exist' "$work/missing"
