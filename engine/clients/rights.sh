#!/usr/bin/env bash
# rights.sh PLIMSOLL [PYTHON] [JARS]: a broker with an authorizer, and real clients that
# may do something or may not: confluent-kafka of the environment PYTHON, Kafka's own
# tools of the folder JARS. Then quotas: a client that is held back, by its rest alone.
set -euo pipefail
plimsoll=$(realpath "$1")
python=${2:-}
jars=${3:-}
work=$(mktemp -d)
server=
trap 'kill $server 2> /dev/null || true; wait $server 2> /dev/null || true; rm -rf "$work"' EXIT
fail() {
    echo "rights: $*" >&2
    exit 1
}

cat > "$work/server.properties" << END
listeners=SASL_PLAINTEXT://localhost:0
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_root="top" user_alice="secret" user_bob="hidden";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:root
quota.window.num=2
END
"$plimsoll" serve --config "$work/server.properties" --data "$work/data" > "$work/ready" 2> "$work/log" &
server=$!
for _ in $(seq 200); do
    grep -q ^ready "$work/ready" && break
    sleep 0.05
done
broker=$(sed -n 's/^ready //p' "$work/ready")
[ -n "$broker" ] || fail "the broker did not become ready: $(cat "$work/log")"

if [ -n "$jars" ]; then
    for user in "root top" "alice secret"; do
        read -r name password <<< "$user"
        printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s";\n' \
            "$name" "$password" > "$work/$name.properties"
    done
    tool() {
        timeout 120 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$@"
    }
    acls() {
        tool org.apache.kafka.tools.AclCommand --bootstrap-server "$broker" --command-config "$work/root.properties" "$@"
    }
    produce() {
        tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$broker" --topic orders \
            --producer.config "$work/alice.properties" --producer-property max.block.ms=20000 < "$work/sent"
    }
    consume() {
        tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker" --topic orders --group readers \
            --consumer.config "$work/alice.properties" --from-beginning --max-messages 200 --timeout-ms 60000
    }
    seq 1 200 | sed 's/.*/value &/' > "$work/sent"
    tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$broker" --command-config "$work/root.properties" \
        --create --topic orders --partitions 2 > /dev/null
    produce > "$work/refused" 2>&1 || true
    grep -q 'TopicAuthorizationException\|Not authorized to access topics' "$work/refused" \
        || fail "java: alice writes without an entry: $(tail -3 "$work/refused")"
    acls --add --allow-principal User:alice --producer --topic orders > /dev/null
    produce > "$work/errors" 2>&1 || fail "java: alice may not write: $(tail -3 "$work/errors")"
    consume > "$work/refused" 2>&1 || true
    grep -q 'GroupAuthorizationException\|Not authorized to access group' "$work/refused" \
        || fail "java: alice reads without an entry: $(tail -3 "$work/refused")"
    acls --add --allow-principal User:alice --consumer --topic ord --group readers --resource-pattern-type prefixed > /dev/null
    consume > "$work/received" 2> "$work/errors" || fail "java: alice may not read: $(tail -3 "$work/errors")"
    cmp <(sort "$work/sent") <(sort "$work/received") || fail "java: records differ"
    acls --list > "$work/listed"
    grep -q 'ResourcePattern(resourceType=TOPIC, name=ord, patternType=PREFIXED)' "$work/listed" \
        || fail "java: kafka-acls does not list the prefix: $(cat "$work/listed")"
    if tool org.apache.kafka.tools.AclCommand --bootstrap-server "$broker" --command-config "$work/alice.properties" --list > "$work/refused" 2>&1; then
        fail "java: alice lists entries without one"
    fi
    grep -q ClusterAuthorizationException "$work/refused" || fail "java: alice lists: $(tail -3 "$work/refused")"
    acls --remove --force --allow-principal User:alice --producer --topic orders > /dev/null
    acls --remove --force --topic ord --group readers --resource-pattern-type prefixed > /dev/null
    [ -z "$(acls --list | tr -d '[:space:]')" ] || fail "java: entries are left: $(acls --list)"
    echo "rights: java: kafka-acls lets alice write and read, lists and takes away; 200 records equal"

    configs() {
        tool kafka.admin.ConfigCommand --bootstrap-server "$broker" --command-config "$work/root.properties" "$@"
    }
    configs --alter --entity-type users --entity-name alice --add-config producer_byte_rate=100000,consumer_byte_rate=200000 > /dev/null
    configs --alter --entity-type users --entity-name alice --entity-type clients --entity-default --add-config producer_byte_rate=50000 > /dev/null
    configs --describe --entity-type users --entity-name alice > "$work/described"
    grep -q "producer_byte_rate=100000" "$work/described" || fail "java: kafka-configs shows no quota: $(cat "$work/described")"
    configs --alter --entity-type users --entity-name alice --delete-config producer_byte_rate,consumer_byte_rate > /dev/null
    configs --alter --entity-type users --entity-name alice --entity-type clients --entity-default --delete-config producer_byte_rate > /dev/null
    if configs --alter --entity-type users --entity-name alice --add-config request_percentage=50 > "$work/refused" 2>&1; then
        fail "java: a quota that is not enforced is taken"
    fi
    grep -q 'not enforced here' "$work/refused" || fail "java: a refused quota is not explained: $(tail -3 "$work/refused")"
    echo "rights: java: kafka-configs sets, shows and removes quotas of users and their clients"
fi

if [ -n "$python" ]; then
    bounded=
    if [ -n "$jars" ]; then
        configs --alter --entity-type clients --entity-name slow --add-config producer_byte_rate=100000,consumer_byte_rate=100000 > /dev/null
        bounded=--bounded
    fi
    "$python" "$(dirname "$0")/rights.py" "$broker" $bounded || fail "confluent"
fi
echo "rights: passed"
