import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends numbers, idempotent and at acks=all, and says which were acknowledged:
 * BROKERS TOPIC PER_SECOND KEYS. A line of output is a number; after the end of the
 * input, once everything is answered, "end" and how many failed.
 */
public final class AckedProducer {
    private static final int BURST_MS = 20;

    public static void main(String[] arguments) throws Exception {
        var topic = arguments[1];
        int burst = Math.max(1, Integer.parseInt(arguments[2]) * BURST_MS / 1000);
        int keys = Integer.parseInt(arguments[3]);
        var failed = new AtomicLong();
        var stopped = new Thread(AckedProducer::awaitEnd);
        stopped.setDaemon(true);
        stopped.start();
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", arguments[0],
                "acks", "all",
                "enable.idempotence", true,
                "linger.ms", 5,
                "delivery.timeout.ms", 120_000,
                "metadata.max.age.ms", 5000,
                "reconnect.backoff.max.ms", 500,
                "key.serializer", ByteArraySerializer.class,
                "value.serializer", ByteArraySerializer.class);
        var producer = new KafkaProducer<byte[], byte[]>(settings);
        long next = System.nanoTime();
        for (long number = 0; stopped.isAlive(); ) {
            for (int sent = 0; sent < burst; sent++, number++) {
                var value = Long.toString(number);
                var key = "key-" + number % keys;
                producer.send(new ProducerRecord<>(topic, key.getBytes(), value.getBytes()), (place, error) -> {
                    if (error != null) {
                        failed.incrementAndGet();
                    } else {
                        System.out.println(value);
                    }
                });
            }
            next = Math.max(next + BURST_MS * 1_000_000L, System.nanoTime() - 1_000_000_000L);
            Thread.sleep(Math.max(0, (next - System.nanoTime()) / 1_000_000));
        }
        producer.close();
        System.out.println("end " + failed.get());
    }

    private static void awaitEnd() {
        try {
            while (System.in.read() >= 0) {
                // What it says does not matter.
            }
        } catch (java.io.IOException gone) {
            // The parent is gone, which is an end as well.
        }
    }
}
