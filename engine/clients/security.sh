#!/usr/bin/env bash
# security.sh PLIMSOLL [PYTHON] [JARS]: a broker with listeners of every kind, and real
# clients that come in by each: confluent-kafka of the environment PYTHON, Kafka's own
# tools of the folder JARS, kcat where there is one. Needs openssl.
set -euo pipefail
plimsoll=$(realpath "$1")
python=${2:-}
jars=${3:-}
work=$(mktemp -d)
server=
trap 'kill $server 2> /dev/null || true; wait $server 2> /dev/null || true; rm -rf "$work"' EXIT
fail() {
    echo "security: $*" >&2
    exit 1
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=plimsoll-test-ca \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2> /dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$work/node.key" -out "$work/node.csr" 2> /dev/null
openssl x509 -req -in "$work/node.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo subjectAltName=DNS:localhost) -out "$work/node.crt" 2> /dev/null
cat "$work/node.key" "$work/node.crt" > "$work/node.pem"

cat > "$work/server.properties" << END
listeners=PLAINTEXT://localhost:0,SSL://localhost:0,SASL_PLAINTEXT://localhost:0,SASL_SSL://localhost:0
ssl.keystore.type=PEM
ssl.keystore.location=$work/node.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_bob="hidden";
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_bob="hidden";
END
"$plimsoll" serve --config "$work/server.properties" --data "$work/data" --log info \
    --add-scram 'SCRAM-SHA-512=[name=alice,password=secret]' > "$work/ready" 2> "$work/log" &
server=$!
for _ in $(seq 200); do
    grep -q ^ready "$work/ready" && break
    sleep 0.05
done
grep -q ^ready "$work/ready" || fail "the broker did not become ready: $(cat "$work/log")"
at() { # PROTOCOL
    sed 's/\x1b\[[0-9;]*m//g' "$work/log" | sed -n "s/.*listening.*protocol=\"$1\" bound=.*:\([0-9]*\).*/localhost:\1/p" | head -1
}

# properties PROTOCOL MECHANISM USER PASSWORD: a client's, as Java wants them.
properties() {
    echo "security.protocol=$1"
    case $1 in *SSL) printf 'ssl.truststore.type=PEM\nssl.truststore.location=%s\n' "$work/ca.pem" ;; esac
    [ -n "${2:-}" ] || return 0
    local module=scram.ScramLoginModule
    [ "$2" != PLAIN ] || module=plain.PlainLoginModule
    printf 'sasl.mechanism=%s\nsasl.jaas.config=org.apache.kafka.common.security.%s required username="%s" password="%s";\n' \
        "$2" "$module" "$3" "$4"
}
ways=("PLAINTEXT" "SSL" "SASL_PLAINTEXT PLAIN bob hidden" "SASL_SSL PLAIN bob hidden" "SASL_SSL SCRAM-SHA-512 alice secret")

if [ -n "$jars" ]; then
    tool() {
        timeout 120 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" "$@"
    }
    seq 1 500 | sed 's/.*/value &/' > "$work/sent"
    for way in "${ways[@]}"; do
        read -r protocol mechanism user password <<< "$way"
        properties $way > "$work/client.properties"
        topic=java-$protocol-${mechanism:-none}
        tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$(at "$protocol")" --topic "$topic" \
            --producer.config "$work/client.properties" < "$work/sent"
        tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$(at "$protocol")" --topic "$topic" \
            --consumer.config "$work/client.properties" --from-beginning --max-messages 500 --timeout-ms 60000 \
            > "$work/received" 2> "$work/errors" || fail "java: $way: $(tail -3 "$work/errors")"
        cmp "$work/sent" "$work/received" || fail "java: $way: records differ"
        echo "security: java: $protocol ${mechanism:-without SASL}, 500 records equal"
    done
    configs() {
        tool kafka.admin.ConfigCommand --bootstrap-server "$(at PLAINTEXT)" "$@"
    }
    configs --alter --entity-type users --entity-name carol --add-config 'SCRAM-SHA-256=[iterations=8192,password=fresh]' > /dev/null
    properties SASL_SSL SCRAM-SHA-256 carol fresh > "$work/client.properties"
    tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(at SASL_SSL)" --command-config "$work/client.properties" --list > "$work/topics"
    grep -q java-SSL "$work/topics" || fail "java: carol sees no topics"
    properties SASL_SSL SCRAM-SHA-256 carol stale > "$work/client.properties"
    if tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(at SASL_SSL)" --command-config "$work/client.properties" --list > "$work/topics" 2>&1; then
        fail "java: a wrong password opened"
    fi
    grep -q 'invalid credentials' "$work/topics" || fail "java: a wrong password is not said to be one: $(tail -3 "$work/topics")"
    echo "security: java: a SCRAM user added by kafka-configs comes in, with its password only"
fi

if [ -n "$python" ]; then
    for way in "${ways[@]}"; do
        read -r protocol mechanism user password <<< "$way"
        "$python" - "$(at "$protocol")" "$work/ca.pem" "$protocol" "${mechanism:-}" "${user:-}" "${password:-}" << 'END' || fail "confluent: $way"
import sys

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

broker, ca, protocol, mechanism, user, password = sys.argv[1:]


def settings(password):
    given = {"bootstrap.servers": broker, "security.protocol": protocol, "log_level": 0}
    if protocol.endswith("SSL"):
        given["ssl.ca.location"] = ca
    if mechanism:
        given.update({"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password})
    return given


topic = f"confluent-{protocol}-{mechanism or 'none'}"
producer = Producer(settings(password))
sent = [b"value %d" % number for number in range(500)]
for value in sent:
    producer.produce(topic, value)
if producer.flush(60):
    sys.exit("not everything was delivered")
consumer = Consumer({**settings(password), "group.id": topic, "auto.offset.reset": "earliest"})
consumer.subscribe([topic])
received = []
while len(received) < len(sent):
    message = consumer.poll(30)
    if message is None or message.error():
        sys.exit(f"{len(received)} of {len(sent)} came: {message and message.error()}")
    received.append(message.value())
consumer.close()
if received != sent:
    sys.exit("records differ")
if mechanism:
    try:
        AdminClient(settings("wrong")).list_topics(timeout=5)
        sys.exit("a wrong password opened")
    except KafkaException:
        pass
print(f"security: confluent: {protocol} {mechanism or 'without SASL'}, 500 records equal")
END
    done
fi

if command -v kcat > /dev/null; then
    options=(-X security.protocol=SASL_SSL -X ssl.ca.location="$work/ca.pem" -X sasl.mechanism=SCRAM-SHA-512 -X sasl.username=alice -X sasl.password=secret)
    seq 1 500 | kcat -P -b "$(at SASL_SSL)" -t kcat-secured "${options[@]}"
    kcat -C -q -e -b "$(at SASL_SSL)" -t kcat-secured "${options[@]}" | cmp - <(seq 1 500) || fail "kcat: records differ"
    echo "security: kcat: SASL_SSL SCRAM-SHA-512, 500 records equal"
fi
echo "security: passed"
