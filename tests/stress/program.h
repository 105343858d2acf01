// What the stress programs share: arguments, failing, and the proof that cma is at work.
//
// The programs call malloc and its like. They run with libcma.so preloaded, without it, and with
// support/prefixed_malloc.h, which makes those names cma's prefixed ones.
#ifndef CMA_TESTS_STRESS_PROGRAM_H_
#define CMA_TESTS_STRESS_PROGRAM_H_

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "support/sanitizer.h"

// Not in the headers of glibc 2.36.
extern "C" {
[[gnu::weak]] void free_sized(void* block, size_t size) noexcept;
[[gnu::weak]] void free_aligned_sized(void* block, size_t alignment, size_t size) noexcept;
}

namespace cma_test {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;
inline constexpr int kSkipped = 77;

#if defined(CMA_TEST_PREFIXED)
inline constexpr bool kPrefixed = true;
#else
inline constexpr bool kPrefixed = false;
#endif

[[noreturn, gnu::format(printf, 1, 2)]] inline void Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("FAILED: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs("\n", stderr);
  va_end(arguments);
  _exit(1);
}

[[noreturn]] inline void Skip(const char* reason) {
  fprintf(stderr, "skipped: %s\n", reason);
  _exit(kSkipped);
}

inline bool CmaIsPreloaded() { return dlsym(RTLD_DEFAULT, "cma_version") != nullptr; }

// Says which allocator is at work. Fails if cma should be and is not.
inline void NameTheAllocator() {
  setvbuf(stdout, nullptr, _IOLBF, 0);  // what was printed before a failure is seen
  if (kPrefixed) {
    puts("allocator: cma, by its prefixed names");
    return;
  }
  const char* const preload = getenv("LD_PRELOAD");
  if (preload != nullptr && strstr(preload, "libcma") != nullptr && !CmaIsPreloaded()) {
    Fail("LD_PRELOAD is %s, but cma is not in this process", preload);
  }
  puts(CmaIsPreloaded() ? "allocator: cma, preloaded" : "allocator: the C library's");
}

// The number that follows --<name>, or `otherwise`.
inline uint64_t Argument(int argc, char** argv, const char* name, uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) {
      return strtoull(argv[i + 1], nullptr, 0);
    }
  }
  return otherwise;
}

inline double InMiB(size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kMiB); }

// xorshift64*; small and the same everywhere, so that a seed tells the run.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u | 1) {}

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du >> 11;
  }
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace cma_test

#endif  // CMA_TESTS_STRESS_PROGRAM_H_
