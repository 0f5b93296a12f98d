#!/usr/bin/env bash
# plan.sh PLIMSOLL JARS [COPIES]: the command lines that `plimsoll plan` prints
# are accepted by Kafka's own kafka-topics against `plimsoll serve`, and make
# the topics that the plan says. COPIES is the replication factor, and as many
# nodes are started.
set -euo pipefail
plimsoll=$1
jars=$2
copies=${3:-1}
work=$(mktemp -d)
"$plimsoll" serve --nodes "$copies" --listen 127.0.0.1:0 --data "$work/data" > "$work/ready" 2> "$work/log" &
server=$!
trap 'kill $server 2> /dev/null || true; wait $server 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 200); do
    grep -q ^ready "$work/ready" && break
    sleep 0.05
done
brokers=$(sed -n 's/^ready //p' "$work/ready")
[ -n "$brokers" ] || { echo "plan: the broker did not become ready: $(cat "$work/log")" >&2; exit 1; }
fail() {
    echo "plan: $*" >&2
    exit 1
}
topics() {
    timeout 120 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" \
        org.apache.kafka.tools.TopicCommand "$@"
}

cat > "$work/needs.toml" <<'TOML'
[[topics]]
name = "orders"
rate = "50K/s"
retention = "30d"
groups = 3
processing = "200us"
record = { value = "1KB" }

[[topics]]
name = "large.documents"
rate = "20/s"
retention = "1d"
record = { value = "2MiB", key = "16B" }
TOML
plan() {
    "$plimsoll" plan --needs "$work/needs.toml" --replication "$copies" --bootstrap "$brokers" "$@"
}
plan --json > "$work/plan.json"
plan --commands > "$work/commands"
[ "$(wc -l < "$work/commands")" = 2 ] || fail "expected two command lines: $(cat "$work/commands")"
while read -r tool line; do
    [ "$tool" = kafka-topics.sh ] || fail "not a kafka-topics line: $tool"
    # shellcheck disable=SC2086 # the words of the line are its arguments
    topics $line > "$work/created" 2>&1 || fail "refused: $line: $(cat "$work/created")"
    grep -q 'Created topic' "$work/created" || fail "not created: $line: $(cat "$work/created")"
done < "$work/commands"
topics --bootstrap-server "$brokers" --describe > "$work/described"
python3 - "$work/plan.json" "$work/described" <<'PYTHON'
import json, re, sys

plan = json.load(open(sys.argv[1]))["plan"]
described = open(sys.argv[2]).read()
for topic in plan["topics"]:
    line = next(l for l in described.splitlines() if l.startswith("Topic: " + topic["name"] + "\t"))
    number = lambda name: int(re.search(name + r": (\d+)", line).group(1))
    assert number("PartitionCount") == topic["partitions"], line
    assert number("ReplicationFactor") == topic["replication"], line
    for name, value in topic["settings"].items():
        assert f"{name}={value}" in line, f"{name}={value} is not in {line}"
PYTHON
echo "plan: kafka-topics takes both command lines; partitions, copies and settings are the plan's"
