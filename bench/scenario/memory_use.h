#ifndef CMA_BENCH_SCENARIO_MEMORY_USE_H_
#define CMA_BENCH_SCENARIO_MEMORY_USE_H_

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace scenario {

// One figure of /proc/self/status in KiB, read without allocating; 0 if it is not there.
inline uint64_t ReadStatusKib(const char* key) {
  char text[4096];
  const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return 0;
  text[length] = '\0';
  const char* line = std::strstr(text, key);
  return line == nullptr ? 0 : std::strtoull(line + std::strlen(key), nullptr, 10);
}

inline uint64_t RssKib() { return ReadStatusKib("\nVmRSS:"); }
inline uint64_t PeakRssKib() { return ReadStatusKib("\nVmHWM:"); }

// Bytes that the program holds, over all threads, and the most it ever held.
struct LiveTotal {
  std::atomic<int64_t> now{0};
  std::atomic<int64_t> peak{0};

  void Change(int64_t bytes) {
    const int64_t total = now.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t seen = peak.load(std::memory_order_relaxed);
    while (total > seen && !peak.compare_exchange_weak(seen, total, std::memory_order_relaxed)) {
    }
  }
};

inline LiveTotal live_total;

// One thread's share of that count. It is published in steps of 64 KiB, so that counting costs an
// addition per call and the peak is exact to 64 KiB per thread.
class LiveBytes {
 public:
  void Add(size_t bytes) { Change(static_cast<int64_t>(bytes)); }
  void Subtract(size_t bytes) { Change(-static_cast<int64_t>(bytes)); }

  void Publish() {
    live_total.Change(pending_);
    pending_ = 0;
  }

 private:
  static constexpr int64_t kStep = 64 * 1024;

  void Change(int64_t bytes) {
    pending_ += bytes;
    if (pending_ > kStep || pending_ < -kStep) [[unlikely]]
      Publish();
  }

  int64_t pending_ = 0;
};

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_MEMORY_USE_H_
