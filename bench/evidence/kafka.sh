#!/usr/bin/env bash
# kafka.sh DIR PORT: runs Apache Kafka 4.1 as one node on the loopback, its data in
# DIR, its controller on the port after PORT, until it is stopped. Its jars come from
# Maven Central into target/client-tools/kafka, where the client checks look too.
# KAFKA_SETTINGS holds further lines for its server.properties.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$1
port=$2
jars=${CLIENT_TOOLS:-${CARGO_TARGET_DIR:-target}/client-tools}/kafka
if [ ! -d "$jars" ]; then
    mvn --quiet --batch-mode --file engine/clients/kafka-tools.xml dependency:copy-dependencies \
        -DoutputDirectory="$(realpath -m "$jars")" >&2
fi
mkdir -p "$dir"
cat > "$dir/server.properties" << END
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
${KAFKA_SETTINGS:-}
END
quiet_java() {
    command java -cp "$jars/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "$@" >&2
}
if [ ! -d "$dir/data" ]; then
    id=$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))')
    quiet_java kafka.tools.StorageTool format --standalone --cluster-id="$id" --config "$dir/server.properties"
fi
exec "$(command -v java)" -Xms512m -Xmx1g -XX:+UseG1GC -cp "$jars/*" \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn kafka.Kafka "$dir/server.properties" >&2
