import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Reads keys, one a line in hexadecimal, and writes the partition that Kafka's own producer gives each. */
class Partitions {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[0]);
        BufferedReader keys = new BufferedReader(new InputStreamReader(System.in));
        for (String key = keys.readLine(); key != null; key = keys.readLine()) {
            System.out.println(BuiltInPartitioner.partitionForKey(HexFormat.of().parseHex(key), count));
        }
    }
}
