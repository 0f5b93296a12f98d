// Lifetimes.java HOST:PORT RECORDS: a Java client fills a compacted and a
// retained topic, waits until the broker has cleaned both, and reads them from
// every offset. Run by lifetimes.sh, with Kafka's jars on the class path.

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

public class Lifetimes {
    static final String STRINGS = "org.apache.kafka.common.serialization.String";
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final TopicPartition COMPACTED = new TopicPartition("life-compacted", 0);
    static final TopicPartition RETAINED = new TopicPartition("life-retained", 0);
    static final int KEYS = 100;
    static final Duration WAIT = Duration.ofSeconds(60);

    static String broker;

    public static void main(String[] args) throws Exception {
        broker = args[0];
        int records = Integer.parseInt(args[1]);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
            NewTopic compacted = new NewTopic(COMPACTED.topic(), 1, (short) 1).configs(Map.of(
                "cleanup.policy", "compact", "segment.bytes", "16384",
                "min.cleanable.dirty.ratio", "0.01"));
            NewTopic retained = new NewTopic(RETAINED.topic(), 1, (short) 1).configs(Map.of(
                "retention.bytes", "100000", "segment.bytes", "16384"));
            admin.createTopics(List.of(compacted, retained)).all().get();
        }
        compacted(records);
        retained(records);
    }

    // Each codec in turn sends transactions, of which every third is aborted, and
    // idempotent records outside of any; every tenth record is a tombstone.
    static Map<String, String> fill(int records) {
        Map<String, String> latest = new HashMap<>();
        Random dice = new Random(1);
        int sent = 0;
        for (int turn = 0; sent < records; turn++) {
            Map<String, Object> config = new HashMap<>(Map.of(
                "bootstrap.servers", broker, "compression.type", CODECS.get(turn % 5),
                "linger.ms", "5", "batch.size", "4096",
                "key.serializer", STRINGS + "Serializer", "value.serializer", STRINGS + "Serializer"));
            boolean transactional = turn % 2 == 0;
            if (transactional) {
                config.put("transactional.id", "life");
            }
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
                if (transactional) {
                    producer.initTransactions();
                }
                for (int txn = 0; txn < 10 && sent < records; txn++) {
                    Map<String, String> written = new HashMap<>();
                    if (transactional) {
                        producer.beginTransaction();
                    }
                    for (int i = 0; i < 50; i++, sent++) {
                        String key = "key-" + dice.nextInt(KEYS);
                        String value = i % 10 == 9 ? null : "value-" + sent + "-" + "x".repeat(dice.nextInt(200));
                        producer.send(new ProducerRecord<>(COMPACTED.topic(), key, value));
                        written.put(key, value);
                    }
                    if (!transactional) {
                        producer.flush();
                        latest.putAll(written);
                    } else if (txn % 3 == 2) {
                        producer.flush();
                        producer.abortTransaction();
                    } else {
                        producer.commitTransaction();
                        latest.putAll(written);
                    }
                }
            }
        }
        latest.values().removeIf(value -> value == null);
        return latest;
    }

    static void compacted(int records) throws Exception {
        Map<String, String> expected = fill(records);
        long end = end(COMPACTED);
        TreeMap<Long, ConsumerRecord<String, String>> all = new TreeMap<>();
        long deadline = System.nanoTime() + WAIT.toNanos();
        // Compaction never touches the active segment: what lies there stays.
        do {
            if (System.nanoTime() > deadline) {
                throw new AssertionError(all.size() + " of " + records + " records are left: too little is compacted");
            }
            Thread.sleep(500);
            all = read(COMPACTED, "read_committed");
        } while (all.size() > records / 2);
        Map<String, String> table = new HashMap<>();
        for (ConsumerRecord<String, String> record : all.values()) {
            table.put(record.key(), record.value());
        }
        table.values().removeIf(value -> value == null);
        if (!table.equals(expected)) {
            throw new AssertionError("the latest values differ: " + table.size() + " keys, expected " + expected.size());
        }
        for (String isolation : List.of("read_committed", "read_uncommitted")) {
            everyOffset(COMPACTED, isolation, 0, end);
        }
        System.out.println("lifetimes: compacted " + end + " offsets to " + all.size()
            + " committed records, " + table.size() + " keys as they were; read from every offset");
    }

    static void retained(int records) throws Exception {
        Map<String, Object> config = Map.of(
            "bootstrap.servers", broker, "linger.ms", "5", "batch.size", "4096",
            "key.serializer", STRINGS + "Serializer", "value.serializer", STRINGS + "Serializer");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
            for (int i = 0; i < records; i++) {
                producer.send(new ProducerRecord<>(RETAINED.topic(), null, i + "-" + "y".repeat(300)));
            }
        }
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (start(RETAINED) == 0) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("nothing was deleted for " + WAIT);
            }
            Thread.sleep(200);
        }
        long start = start(RETAINED);
        long end = end(RETAINED);
        everyOffset(RETAINED, "read_uncommitted", start, end);
        try (KafkaConsumer<String, String> consumer = consumer(RETAINED, "read_uncommitted")) {
            consumer.seek(RETAINED, start - 1);
            consumer.poll(Duration.ofSeconds(5));
            throw new AssertionError("offset " + (start - 1) + " was deleted and can be read");
        } catch (OffsetOutOfRangeException gone) {
            System.out.println("lifetimes: retained offsets " + start + " to " + end
                + " of 0 to " + end + "; read from every offset");
        }
    }

    // From each offset the first record is the one that the whole log has there
    // or next.
    static void everyOffset(TopicPartition partition, String isolation, long start, long end) {
        TreeMap<Long, ConsumerRecord<String, String>> all = read(partition, isolation);
        if (all.isEmpty()) {
            throw new AssertionError(partition + " has no records");
        }
        try (KafkaConsumer<String, String> consumer = consumer(partition, isolation)) {
            for (long from = start; from <= all.lastKey(); from++) {
                consumer.seek(partition, from);
                ConsumerRecord<String, String> first = null;
                for (int polls = 0; first == null; polls++) {
                    List<ConsumerRecord<String, String>> some = consumer.poll(Duration.ofSeconds(1)).records(partition);
                    first = some.isEmpty() ? null : some.get(0);
                    if (polls > 30) {
                        throw new AssertionError(partition + " " + isolation + ": nothing from offset " + from);
                    }
                }
                ConsumerRecord<String, String> expected = all.ceilingEntry(from).getValue();
                if (first.offset() != expected.offset() || !String.valueOf(first.value()).equals(String.valueOf(expected.value()))) {
                    throw new AssertionError(partition + " " + isolation + ": from offset " + from + " came "
                        + first.offset() + ", expected " + expected.offset());
                }
            }
        }
    }

    static TreeMap<Long, ConsumerRecord<String, String>> read(TopicPartition partition, String isolation) {
        TreeMap<Long, ConsumerRecord<String, String>> all = new TreeMap<>();
        try (KafkaConsumer<String, String> consumer = consumer(partition, isolation)) {
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    all.put(record.offset(), record);
                }
            }
        }
        return all;
    }

    static KafkaConsumer<String, String> consumer(TopicPartition partition, String isolation) {
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Map.of(
            "bootstrap.servers", broker, "isolation.level", isolation, "auto.offset.reset", "none",
            "enable.auto.commit", "false", "max.partition.fetch.bytes", "8192",
            // A seek waits for the fetch that is under way, which may wait at the end.
            "fetch.max.wait.ms", "5",
            "key.deserializer", STRINGS + "Deserializer", "value.deserializer", STRINGS + "Deserializer"));
        consumer.assign(new ArrayList<>(List.of(partition)));
        return consumer;
    }

    static long start(TopicPartition partition) {
        try (KafkaConsumer<String, String> consumer = consumer(partition, "read_uncommitted")) {
            return consumer.beginningOffsets(List.of(partition)).get(partition);
        }
    }

    static long end(TopicPartition partition) {
        try (KafkaConsumer<String, String> consumer = consumer(partition, "read_uncommitted")) {
            return consumer.endOffsets(List.of(partition)).get(partition);
        }
    }
}
