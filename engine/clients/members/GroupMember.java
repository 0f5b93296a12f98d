import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A group member with the Java client: BROKER TOPIC GROUP PROTOCOL ASSIGNOR
 * SESSION_MS INSTANCE. Says {@code HOLDS p p …} whenever that changes.
 */
public final class GroupMember {
    public static void main(String[] arguments) throws InterruptedException {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("group.id", arguments[2]);
        properties.put("group.protocol", arguments[3]);
        properties.put("auto.offset.reset", "earliest");
        properties.put("auto.commit.interval.ms", "200");
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        if (arguments[3].equals("classic")) {
            properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            properties.put("session.timeout.ms", arguments[5]);
            properties.put("heartbeat.interval.ms", "300");
        } else {
            properties.put("group.remote.assignor", arguments[4]);
        }
        if (arguments.length > 6 && !arguments[6].isEmpty()) {
            properties.put("group.instance.id", arguments[6]);
        }
        var consumer = new KafkaConsumer<byte[], byte[]>(properties);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }));
        consumer.subscribe(List.of(arguments[1]), new Listener());
        try {
            while (true) {
                consumer.poll(Duration.ofMillis(100));
            }
        } catch (WakeupException stop) {
            consumer.close();
        }
    }

    private static final class Listener implements ConsumerRebalanceListener {
        private final TreeSet<Integer> held = new TreeSet<>();

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
            revoked.forEach(place -> held.remove(place.partition()));
            say();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            assigned.forEach(place -> held.add(place.partition()));
            say();
        }

        private void say() {
            StringBuilder line = new StringBuilder("HOLDS");
            held.forEach(partition -> line.append(' ').append(partition));
            System.out.println(line);
        }
    }
}
