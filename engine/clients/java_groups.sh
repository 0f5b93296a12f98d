#!/usr/bin/env bash
# java_groups.sh HOST:PORT JARS PYTHON: Kafka's own tools on groups and
# transactions: list, describe, reset, delete; list, describe, abort one that hangs.
set -euo pipefail
broker=$1
jars=$2
python=$3
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'exec 3>&- 2> /dev/null || true; rm -rf "$work"' EXIT

tool() {
    local class=$1
    shift
    timeout 120 java -Xmx256m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$class" "$@"
}
topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" "$@"; }
groups() { tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" "$@"; }
transactions() { tool org.apache.kafka.tools.TransactionsCommand --bootstrap-server "$broker" "$@"; }
read_all() { # COUNT ARGUMENTS…
    local count=$1
    shift
    tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic java-groups \
        --max-messages "$count" --timeout-ms 60000 "$@" 2> "$work/errors"
}
fail() {
    echo "java groups: $*" >&2
    exit 1
}
expect() { # WHAT PATTERN FILE
    grep -qE "$2" "$3" || fail "$1: no line like '$2' in: $(cat "$3")"
    echo "java groups: $1"
}

topics --create --topic java-groups --partitions 1 > /dev/null
seq 1 100 | tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --topic java-groups
for protocol in classic consumer; do
    group="tools-$protocol"
    read_all 100 --from-beginning --group "$group" --consumer-property group.protocol=$protocol > "$work/read"
    [ "$(wc -l < "$work/read")" = 100 ] || fail "$protocol: read $(wc -l < "$work/read") of 100"
done
groups --list --state > "$work/list"
expect "--list --state shows both" 'tools-consumer +Empty' "$work/list"
groups --describe --all-groups > "$work/describe" 2>&1
expect "--describe shows offset, end and lag" 'tools-classic +java-groups +0 +100 +100 +0' "$work/describe"
expect "--describe of the consumer protocol" 'tools-consumer +java-groups +0 +100 +100 +0' "$work/describe"
for protocol in classic consumer; do
    group="tools-$protocol"
    groups --group "$group" --reset-offsets --topic java-groups --shift-by -40 --execute > "$work/reset"
    expect "--reset-offsets --shift-by ($protocol)" 'java-groups +0 +60' "$work/reset"
    [ "$(read_all 40 --group "$group" --consumer-property group.protocol=$protocol | head -1)" = 61 ] || fail "$group: did not go on from offset 60"
done
groups --delete --group tools-classic --group tools-consumer > "$work/delete"
expect "--delete" 'Deletion of requested consumer groups.*was successful' "$work/delete"

mkfifo "$work/hold"
"$python" open_transaction.py "$broker" java-groups hanging < "$work/hold" > "$work/open" &
opener=$!
exec 3> "$work/hold"
for _ in $(seq 300); do
    grep -q open "$work/open" && break
    sleep 0.1
done
transactions list > "$work/list"
expect "transactions list" '^hanging.*Ongoing' "$work/list"
transactions describe --transactional-id hanging > "$work/describe"
expect "transactions describe" 'hanging.*Ongoing.*java-groups-0' "$work/describe"
transactions describe-producers --topic java-groups --partition 0 > "$work/producers"
start=$(awk 'NR > 1 && $NF ~ /^[0-9]+$/ {print $NF}' "$work/producers" | tail -1)
[ -n "$start" ] || fail "describe-producers shows no open transaction: $(cat "$work/producers")"
transactions abort --topic java-groups --partition 0 --start-offset "$start" > "$work/abort" 2>&1 || fail "transactions abort: $(cat "$work/abort")"
read_all 1 --partition 0 --offset 100 --consumer-property isolation.level=read_committed > "$work/after"
expect "transactions abort lets readers of committed records go on" '^after it$' "$work/after"
exec 3>&-
wait "$opener" || true
