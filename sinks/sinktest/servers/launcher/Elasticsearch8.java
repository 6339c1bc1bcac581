import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;

/**
 * Starts one Elasticsearch 8 node: Elasticsearch8 HOME CONFIG. The server's own
 * main class expects the layout and the native helpers of a distribution.
 */
public final class Elasticsearch8 {
    public static void main(String[] args) throws Exception {
        LogConfigurator.configureESLogging();
        Environment env = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY, Map.of("path.home", args[0]), Path.of(args[1]), () -> "test");
        LogConfigurator.configure(env, true);
        Node node = new Node(env);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        node.start();
        // All threads of the node are daemons.
        new CountDownLatch(1).await();
    }
}
