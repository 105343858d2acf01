#!/usr/bin/env bash
# The Java virtual machine, whose compiler threads and native buffers use malloc.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need java
cat >"$scratch/Work.java" <<'JAVA'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
  static long checksum(int seed) {
    Random random = new Random(seed);
    Map<String, List<Integer>> table = new TreeMap<>();
    for (int i = 0; i < 20000; ++i) {
      table.computeIfAbsent("key" + random.nextInt(3000), k -> new ArrayList<>()).add(i);
    }
    CRC32 crc = new CRC32();
    Deflater deflater = new Deflater();
    deflater.setInput(table.toString().getBytes());
    deflater.finish();
    byte[] packed = new byte[1 << 20];
    crc.update(packed, 0, deflater.deflate(packed));
    deflater.end();
    for (int i = 0; i < 50; ++i) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(1 + random.nextInt(200000));
      while (buffer.remaining() >= 4) buffer.putInt(i);
      buffer.flip();
      crc.update(buffer);
    }
    return crc.getValue();
  }

  public static void main(String[] arguments) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<Long>> sums = new ArrayList<>();
    for (int i = 0; i < 24; ++i) {
      final int seed = i;
      sums.add(pool.submit(() -> checksum(seed)));
    }
    for (Future<Long> sum : sums) System.out.println(sum.get());
    pool.shutdown();
    System.out.println(IntStream.range(0, 1000000).parallel().filter(i -> i % 7 == 3).count());
  }
}
JAVA
export JAVA_TOOL_OPTIONS=

java --version >/dev/null 2>&1 || { echo "skipped: java does not start" >&2; exit 77; }
expect_cma java --version
expect_same work timeout 200 java -Xmx256m "$scratch/Work.java"
