#!/usr/bin/env bash
# beside_kafka.sh [OUT]: acks-and-compression, batch-and-linger and transactions on
# the embedded engine and on Apache Kafka 4.1, one after the other on this machine,
# shortened; one report for each workload with both, and their comparison. OUT keeps
# the results [results/beside-kafka]; EACH is the measured time of a run [2s].
set -euo pipefail
cd "$(dirname "$0")/../.."
plimsoll=$(realpath "${PLIMSOLL:-${CARGO_TARGET_DIR:-target}/release/plimsoll}")
out=${1:-results/beside-kafka}
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
bench/evidence/kafka.sh "$work" "$port" 2> "$out/kafka.log" &
kafka=$!
trap 'kill $kafka 2> /dev/null || true; wait $kafka 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 120); do
    kill -0 $kafka 2> /dev/null || { echo "beside_kafka: FAILED, Apache Kafka ended: $(tail -3 "$out/kafka.log")"; exit 1; }
    "$plimsoll" topics list --target "127.0.0.1:$port" > /dev/null 2>&1 && break
    sleep 1
done

short=(--set repeats=2 --set load.warmup=1s --set load.duration="${EACH:-2s}" --set load.drain=10s --quiet)
both() { # WORKLOAD [--set KEY=VALUE]…
    local workload=$1 name
    name=$(basename "$workload" .toml)
    shift
    "$plimsoll" run "$workload" "${short[@]}" "$@" --out "$out/$name-ours"
    "$plimsoll" run "$workload" "${short[@]}" "$@" --out "$out/$name-kafka" \
        --target "127.0.0.1:$port" --target-name "Apache Kafka 4.1"
    "$plimsoll" report "$out/$name-kafka" "$out/$name-ours" --out "$out/$name.html"
    "$plimsoll" compare "$out/$name-kafka" "$out/$name-ours" | tee "$out/$name.txt"
}
# Kafka's JIT has the first runs to warm up in; nothing of them is kept.
"$plimsoll" run quickstart "${short[@]}" --set repeats=1 --set topic.partitions=1 --set producer.acks=all \
    --out "$out/warm-up" --target "127.0.0.1:$port" > /dev/null
both acks-and-compression --set 'producer.acks=[1,all]' --set 'producer.compression=[none,zstd]' --set load.rate=max
both batch-and-linger --set 'producer.batch_bytes=[16KiB,256KiB]' --set 'producer.linger=[0s,5ms]'
both workloads/transactions.toml --set 'transactions.records=[10,100]' --set transactions.abort_rate=0
python3 - "$out" << 'END'
import glob, json, sys

clean = True
for path in sorted(glob.glob(f"{sys.argv[1]}/*-*/result.json")):
    run = json.load(open(path))
    lost = sum(cell["verified"]["lost"] + cell["verified"].get("corrupt", 0) for cell in run["cells"])
    done = len(run["cells"])
    clean &= lost == 0 and done == run["planned_cells"]
    print(f"{path}: {done} of {run['planned_cells']} runs, {lost} records lost or damaged")
print("beside_kafka:", "passed" if clean else "FAILED")
sys.exit(not clean)
END
