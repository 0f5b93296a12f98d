import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The same loop as exactly_once_worker.py, with the Java client: BROKER GROUP ID
 * PROTOCOL SEED SESSION_MS. Exit code 7 means that another has taken this worker's
 * transactional id.
 */
public final class ExactlyOnceWorker {
    private static final int FENCED = 7;
    private static final int ABORTS_ONE_IN = 20;

    public static void main(String[] arguments) {
        String broker = arguments[0];
        Random dice = new Random(Long.parseLong(arguments[4]));
        try (var reader = new KafkaConsumer<byte[], byte[]>(consumer(broker, arguments[1], arguments[3], arguments[5]));
                var writer = new KafkaProducer<byte[], byte[]>(producer(broker, arguments[2]))) {
            reader.subscribe(List.of("in"));
            writer.initTransactions();
            while (true) {
                ConsumerRecords<byte[], byte[]> records = reader.poll(Duration.ofMillis(500));
                if (records.isEmpty()) {
                    continue;
                }
                try {
                    copy(reader, writer, records, dice.nextInt(ABORTS_ONE_IN) == 0);
                } catch (ProducerFencedException | InvalidProducerEpochException error) {
                    end(arguments[2], error, FENCED);
                } catch (KafkaException error) {
                    System.err.println("worker " + arguments[2] + ": " + error);
                    writer.abortTransaction();
                    rewind(reader);
                }
            }
        } catch (ProducerFencedException error) {
            end(arguments[2], error, FENCED);
        } catch (KafkaException error) {
            end(arguments[2], error, 1);
        }
    }

    private static void end(String name, KafkaException error, int code) {
        System.err.println("worker " + name + " ends: " + error);
        Runtime.getRuntime().halt(code);
    }

    private static void copy(
            KafkaConsumer<byte[], byte[]> reader,
            KafkaProducer<byte[], byte[]> writer,
            ConsumerRecords<byte[], byte[]> records,
            boolean aborts) {
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        writer.beginTransaction();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            byte[] value = aborts ? "ABORTED".getBytes() : record.value();
            writer.send(new ProducerRecord<>("out", record.partition(), null, value));
            next.put(new TopicPartition("in", record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        if (aborts) {
            writer.flush();
            writer.abortTransaction();
            rewind(reader);
            return;
        }
        writer.sendOffsetsToTransaction(next, reader.groupMetadata());
        writer.commitTransaction();
    }

    /** Back to what is committed: aborted records are to be read again. */
    private static void rewind(KafkaConsumer<byte[], byte[]> reader) {
        Map<TopicPartition, OffsetAndMetadata> committed = reader.committed(reader.assignment());
        for (TopicPartition place : reader.assignment()) {
            OffsetAndMetadata offset = committed.get(place);
            reader.seek(place, offset == null ? 0 : offset.offset());
        }
    }

    private static Properties common(String broker) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        properties.put("reconnect.backoff.max.ms", "200");
        return properties;
    }

    private static Properties consumer(String broker, String group, String protocol, String sessionMs) {
        Properties properties = common(broker);
        properties.put("group.id", group);
        properties.put("group.protocol", protocol);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", "read_committed");
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        if (protocol.equals("classic")) {
            properties.put("session.timeout.ms", sessionMs);
            properties.put("heartbeat.interval.ms", "500");
            properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        }
        return properties;
    }

    static Properties producer(String broker, String name) {
        Properties properties = common(broker);
        properties.put("transactional.id", name);
        properties.put("transaction.timeout.ms", "20000");
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        return properties;
    }
}
