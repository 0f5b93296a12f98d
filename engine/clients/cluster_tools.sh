#!/usr/bin/env bash
# cluster_tools.sh PLIMSOLL JARS: Kafka's own tools against a controller and three
# brokers that do not vote, each in a rack. JARS is a folder of Kafka's jars.
set -euo pipefail
plimsoll=$1
jars=$2
work=$(mktemp -d)
cluster=
trap '[ -z "$cluster" ] || { kill "$cluster" 2> /dev/null || true; wait "$cluster" 2> /dev/null || true; }; kill $(jobs -p) 2> /dev/null || true; wait; rm -rf "$work"' EXIT
fail() {
    echo "cluster_tools: $*" >&2
    exit 1
}
tool() {
    local class=$1
    shift
    timeout 120 java -Xmx256m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$class" "$@"
}
expect() { # WHAT PATTERN FILE
    grep -qE "$2" "$3" || fail "$1: no line like '$2' in: $(cat "$3")"
    echo "cluster_tools: $1"
}

mapfile -t ports < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in held), sep="\n")')
nodes=()
for node in 1 2 3 4; do
    role=broker
    [ "$node" != 1 ] || role=controller
    "$plimsoll" serve --log warn --listen "127.0.0.1:${ports[node - 1]}" --data "$work/node-$node" \
        --set "node.id=$node" --set "process.roles=$role" --set "broker.rack=rack-$node" \
        --set "controller.quorum.voters=1@127.0.0.1:${ports[0]}" --set broker.session.timeout.ms=3000 \
        --set replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector \
        > "$work/ready-$node" 2> "$work/log-$node" &
    nodes+=($!)
done
for node in 1 2 3 4; do
    for _ in $(seq 300); do
        grep -q ^ready "$work/ready-$node" && break
        sleep 0.1
    done
    grep -q ^ready "$work/ready-$node" || fail "node $node did not become ready: $(cat "$work/log-$node")"
done
controller=127.0.0.1:${ports[0]}
broker=127.0.0.1:${ports[1]},127.0.0.1:${ports[2]},127.0.0.1:${ports[3]}

quorum() { tool org.apache.kafka.tools.MetadataQuorumCommand "$@"; }
quorum --bootstrap-server "$broker" describe --status > "$work/out"
expect "metadata-quorum --status names the voter" 'CurrentVoters:.*"id": 1' "$work/out"
expect "metadata-quorum --status names the observers" 'CurrentObservers:.*"id": 2.*"id": 3.*"id": 4' "$work/out"
quorum --bootstrap-controller "$controller" describe --replication > "$work/out"
expect "metadata-quorum --bootstrap-controller shows the leader" '^1 .*Leader' "$work/out"
expect "metadata-quorum --bootstrap-controller shows observers" '^4 .*Observer' "$work/out"
if tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$controller" --list > "$work/out" 2>&1; then
    fail "a controller told a client of brokers about topics"
fi
expect "a controller is no bootstrap server" 'METADATA|[Cc]ontroller' "$work/out"

topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" "$@"; }
topics --create --topic orders --partitions 2 --replication-factor 3 --config min.insync.replicas=2 > /dev/null
topics --describe --topic orders > "$work/out"
expect "topics --describe shows ISR and ELR" 'Partition: 1.*Replicas: [2-4],[2-4],[2-4].*Isr: [2-4],[2-4],[2-4].*Elr: .*LastKnownElr:' "$work/out"
seq 1 20000 | tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --topic orders --producer-property acks=all
tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic orders --from-beginning \
    --max-messages 20000 --timeout-ms 60000 --consumer-property client.rack=rack-3 > "$work/read" 2> "$work/errors" ||
    fail "a consumer with client.rack: $(cat "$work/errors")"
seq 1 20000 | sort | cmp - <(sort "$work/read") || fail "a consumer with client.rack read something else"
echo "cluster_tools: a consumer with client.rack reads all"

cat > "$work/plan.json" << 'PLAN'
{"version": 1, "partitions": [
    {"topic": "orders", "partition": 0, "replicas": [4, 2]},
    {"topic": "orders", "partition": 1, "replicas": [3, 4]}]}
PLAN
reassign() { tool org.apache.kafka.tools.reassign.ReassignPartitionsCommand --bootstrap-server "$broker" --reassignment-json-file "$work/plan.json" "$@"; }
reassign --execute --throttle 50000000 > "$work/out"
expect "reassign-partitions --execute --throttle" 'Successfully started partition reassignment' "$work/out"
for _ in $(seq 30); do
    reassign --verify > "$work/out" 2>&1 || true
    grep -q 'in progress' "$work/out" || break
done
expect "reassign-partitions --verify" 'Reassignment of partition orders-1 is completed' "$work/out"
expect "reassign-partitions --verify clears the throttle" 'Clearing topic-level throttles' "$work/out"
topics --describe --topic orders > "$work/out"
expect "topics --describe shows the new replicas" 'Partition: 0.*Replicas: 4,2' "$work/out"

features() { tool org.apache.kafka.tools.FeatureCommand --bootstrap-server "$broker" "$@"; }
features describe > "$work/out"
expect "features describe" 'Feature: group.version.*FinalizedVersionLevel: 1' "$work/out"
features downgrade --feature group.version=0 > "$work/out"
expect "features downgrade" 'group.version was downgraded to 0' "$work/out"
features upgrade --feature group.version=1 > "$work/out"
expect "features upgrade" 'group.version was upgraded to 1' "$work/out"

kill -9 "${nodes[3]}"
{ wait "${nodes[3]}" || true; } 2> /dev/null
for _ in $(seq 30); do
    topics --describe --topic orders > "$work/out"
    ! grep -qE 'Partition: 0.*Elr: 4' "$work/out" || break
done
expect "topics --describe shows who took over, and who is eligible" 'Partition: 0.*Leader: 2.*Isr: 2.*Elr: 4' "$work/out"
echo "cluster_tools: all passed"
