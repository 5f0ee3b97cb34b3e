import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.ImplicitLinkedHashCollection;

/**
 * Kafka's own message classes beside our encodings.
 *
 *   KafkaBytes SAMPLES OUT
 *
 * Reads each line of SAMPLES ("name version hex"), writes it again with the Java class, and prints a line for each that
 * differs. Then makes messages of its own, random from a seed, of every name and version seen, and writes them to OUT.
 */
public final class KafkaBytes {
    private static final int SEEDS = 3;

    public static void main(String[] arguments) throws Exception {
        List<String> samples = Files.readAllLines(Path.of(arguments[0]));
        TreeSet<String> kinds = new TreeSet<>();
        int differences = 0;
        for (String line : samples) {
            String[] parts = line.split(" ", 3);
            kinds.add(parts[0] + " " + parts[1]);
            String theirs;
            try {
                theirs = rewritten(parts[0], Short.parseShort(parts[1]), HexFormat.of().parseHex(parts[2]));
            } catch (RuntimeException error) {
                theirs = error.toString();
            }
            if (!theirs.equals(parts[2])) {
                differences++;
                System.out.println(parts[0] + " v" + parts[1] + ": ours " + parts[2] + " Java's " + theirs);
            }
        }
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(arguments[1])))) {
            for (String kind : kinds) {
                String[] parts = kind.split(" ");
                for (int seed = 0; seed < SEEDS; seed++) {
                    String hex = random(parts[0], Short.parseShort(parts[1]), new Random(seed));
                    out.println(kind + " " + (hex.isEmpty() ? "-" : hex));
                }
            }
        }
        System.out.println(samples.size() + " samples, " + kinds.size() + " kinds, " + differences + " differences");
    }

    private static Class<?> classOf(String name) throws ClassNotFoundException {
        return Class.forName("org.apache.kafka.common.message." + name + "Data");
    }

    private static String rewritten(String name, short version, byte[] body) throws Exception {
        Message message = (Message) classOf(name).getConstructor().newInstance();
        ByteBuffer in = ByteBuffer.wrap(body);
        message.read(new ByteBufferAccessor(in), version);
        if (in.hasRemaining()) return in.remaining() + " bytes were not read";
        return written(message, version);
    }

    private static String written(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        return HexFormat.of().formatHex(out.array(), 0, out.position());
    }

    private static String random(String name, short version, Random random) throws Exception {
        Message message = (Message) classOf(name).getConstructor().newInstance();
        fill(message, version, random);
        return written(message, version);
    }

    /** Gives each field a random value, if the version can carry it. */
    private static void fill(Message message, short version, Random random) throws Exception {
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) continue;
            if (field.getName().equals("next") || field.getName().equals("prev")) continue;
            field.setAccessible(true);
            Object before = field.get(message);
            Object value = value(field.getGenericType(), version, random);
            if (value == null) continue;
            field.set(message, value);
            try {
                written(message, version);
            } catch (RuntimeException notInThisVersion) {
                field.set(message, before);
            }
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object value(Type type, short version, Random random) throws Exception {
        if (type == boolean.class) return random.nextBoolean();
        if (type == byte.class) return (byte) random.nextInt();
        if (type == short.class || type == Short.class) return (short) random.nextInt();
        if (type == int.class || type == Integer.class) return random.nextInt();
        if (type == long.class || type == Long.class) return random.nextLong();
        if (type == double.class) return random.nextDouble() * 1e6;
        if (type == Byte.class) return (byte) random.nextInt();
        if (type == String.class) return "text \u00e4 " + random.nextInt(1000);
        if (type == Uuid.class) return new Uuid(random.nextLong(), random.nextLong());
        if (type == byte[].class) return bytes(random);
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes(random));
        if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
            List<Object> values = new ArrayList<>();
            for (int i = random.nextInt(3); i >= 0; i--) {
                Object one = value(list.getActualTypeArguments()[0], version, random);
                if (one != null) values.add(one);
            }
            return values;
        }
        if (!(type instanceof Class<?> of)) return null;
        if (ImplicitLinkedHashCollection.class.isAssignableFrom(of)) {
            Type element = ((ParameterizedType) of.getGenericSuperclass()).getActualTypeArguments()[0];
            Collection values = (Collection) of.getConstructor().newInstance();
            for (int i = random.nextInt(3); i >= 0; i--) values.add(value(element, version, random));
            return values;
        }
        if (of.getName().endsWith("Records")) return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(random)));
        if (Message.class.isAssignableFrom(of)) {
            Message nested = (Message) of.getConstructor().newInstance();
            fill(nested, version, random);
            return nested;
        }
        return null;
    }

    private static byte[] bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        return bytes;
    }
}
