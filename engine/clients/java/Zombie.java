import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/**
 * A producer whose transactional id another takes in the middle of a transaction:
 * BROKER. Exit code 0 means that it could neither commit nor begin anew.
 */
public final class Zombie {
    public static void main(String[] arguments) {
        var settings = ExactlyOnceWorker.producer(arguments[0], "contested");
        // Neither is closed: a zombie's close would wait for what it cannot send.
        var zombie = new KafkaProducer<byte[], byte[]>(settings);
        var heir = new KafkaProducer<byte[], byte[]>(settings);
        zombie.initTransactions();
        zombie.beginTransaction();
        zombie.send(new ProducerRecord<>("out", 0, null, "ZOMBIE".getBytes()));
        zombie.flush();
        heir.initTransactions();
        boolean fenced = refuses("commit", zombie::commitTransaction) && refuses("begin", zombie::beginTransaction);
        Runtime.getRuntime().halt(fenced ? 0 : 1);
    }

    private static boolean refuses(String what, Runnable action) {
        try {
            action.run();
        } catch (ProducerFencedException | InvalidProducerEpochException error) {
            return true;
        } catch (RuntimeException error) {
            // What follows the first refusal repeats it as its cause.
            Throwable cause = error.getCause();
            if (cause instanceof ProducerFencedException || cause instanceof InvalidProducerEpochException) {
                return true;
            }
            System.err.println("zombie: " + what + " failed otherwise: " + error);
            return false;
        }
        System.err.println("zombie: could " + what);
        return false;
    }
}
