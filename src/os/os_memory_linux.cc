#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/constants.h"
#include "os/os_cpu.h"
#include "os/os_memory.h"
#include "os/small_file.h"
#include "os/syscall.h"

namespace cma {
namespace {

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer has to see that memory at known addresses is new, or it takes the threads that
// used it before and after for racing ones.
class KeepErrno {
 public:
  ~KeepErrno() { errno = saved_; }

 private:
  const int saved_ = errno;
};

long RawSyscall(long number, long a, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  KeepErrno keep;
  long result;
  if (number == SYS_mmap) {
    result = reinterpret_cast<long>(mmap(nullptr, static_cast<size_t>(b), static_cast<int>(c),
                                         static_cast<int>(d), static_cast<int>(e), f));
  } else if (number == SYS_munmap) {
    result = munmap(reinterpret_cast<void*>(a), static_cast<size_t>(b));
  } else {
    return cma::RawSyscall(number, a, b, c, d, e, f);
  }
  return result == -1 ? -errno : result;
}
#endif

std::byte* MapAnonymous(size_t bytes, int protection, int flags) {
  const long result = RawSyscall(SYS_mmap, 0, static_cast<long>(bytes), protection,
                                 MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (result < 0 && result > -4096) return nullptr;
  return reinterpret_cast<std::byte*>(result);
}

std::byte* Map(size_t bytes) { return MapAnonymous(bytes, PROT_READ | PROT_WRITE, 0); }

std::byte* Reserve(size_t bytes) {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur / 8 < bytes) return nullptr;
  return MapAnonymous(bytes, PROT_READ, MAP_NORESERVE);
}

bool Allow(std::byte* start, size_t bytes) {
  return RawSyscall(SYS_mprotect, reinterpret_cast<long>(start), static_cast<long>(bytes),
                    PROT_READ | PROT_WRITE) == 0;
}

bool Unmap(std::byte* start, size_t bytes) {
  return RawSyscall(SYS_munmap, reinterpret_cast<long>(start), static_cast<long>(bytes)) == 0;
}

bool Advise(std::byte* start, size_t bytes, int advice) {
  return RawSyscall(SYS_madvise, reinterpret_cast<long>(start), static_cast<long>(bytes), advice) ==
         0;
}

bool Decommit(std::byte* start, size_t bytes, bool lazily) {
  if (lazily && Advise(start, bytes, MADV_FREE)) return true;
  return Advise(start, bytes, MADV_DONTNEED);
}

// The mode that is set stands in brackets: always [madvise] never.
bool GivesHuge() {
  char text[64];
  if (ReadSmallFile("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) == 0 ||
      strstr(text, "[never]") != nullptr) {
    return false;
  }
  return OsPageBytes() == kMinPageBytes && RawSyscall(SYS_prctl, PR_GET_THP_DISABLE, 0) == 0;
}

void AdviseHuge(std::byte* start, size_t bytes) { Advise(start, bytes, MADV_HUGEPAGE); }

int64_t Touch(std::byte* byte) {
  timespec before;
  timespec after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  *static_cast<volatile std::byte*>(byte) = std::byte{0};
  clock_gettime(CLOCK_MONOTONIC, &after);
  return int64_t{after.tv_sec - before.tv_sec} * 1'000'000'000 + (after.tv_nsec - before.tv_nsec);
}

// The quickest of some, as each may be interrupted, without what the clock takes.
int64_t MeasureFault() {
  constexpr size_t kPages = 8;
  const size_t page = OsPageBytes();
  std::byte* const pages = Map(kPages * page);
  if (pages == nullptr) return 0;
  Advise(pages, kPages * page, MADV_NOHUGEPAGE);  // nor pages that are somewhat larger
  int64_t least = Touch(pages);
  int64_t clock = Touch(pages);
  for (size_t i = 1; i < kPages; ++i) {
    least = std::min(least, Touch(pages + i * page));
    clock = std::min(clock, Touch(pages + i * page));
  }
  Unmap(pages, kPages * page);
  return std::max<int64_t>(least - clock, 0);
}

int64_t FaultTime() {
  static std::atomic<int64_t> measured{-1};
  int64_t time = measured.load(std::memory_order_relaxed);
  if (time < 0) {
    time = MeasureFault();
    measured.store(time, std::memory_order_relaxed);
  }
  return time;
}

// Linux has it from 5.14 on.
void Populate(std::byte* start, size_t bytes) {
  static std::atomic<bool> unknown{false};
  if (unknown.load(std::memory_order_relaxed)) return;
  const long result = RawSyscall(SYS_madvise, reinterpret_cast<long>(start),
                                 static_cast<long>(bytes), MADV_POPULATE_WRITE);
  if (result == -EINVAL || result == -ENOSYS) unknown.store(true, std::memory_order_relaxed);
}

// The kernel compares it before it would wake nobody. mincore() is what filters of system calls do
// not let through, such as systemd's @system-service, and they let futex() through.
bool Differs(std::byte* word, uint32_t expected) {
  const long address = reinterpret_cast<long>(word);
  return RawSyscall(SYS_futex, address, FUTEX_CMP_REQUEUE_PRIVATE, 0, 0, address,
                    static_cast<long>(expected)) == -EAGAIN;
}

void AdviseSmall(std::byte* start, size_t bytes) { Advise(start, bytes, MADV_NOHUGEPAGE); }

Resized Resize(std::byte* start, size_t old_bytes, size_t new_bytes) {
  const long result = RawSyscall(SYS_mremap, reinterpret_cast<long>(start),
                                 static_cast<long>(old_bytes), static_cast<long>(new_bytes), 0);
  if (result == reinterpret_cast<long>(start)) return Resized::kYes;
  return result == -ENOMEM ? Resized::kNo : Resized::kFixed;
}

bool Move(std::byte* start, size_t old_bytes, std::byte* target, size_t new_bytes) {
  const long result =
      RawSyscall(SYS_mremap, reinterpret_cast<long>(start), static_cast<long>(old_bytes),
                 static_cast<long>(new_bytes), MREMAP_MAYMOVE | MREMAP_FIXED,
                 reinterpret_cast<long>(target));
  return result == reinterpret_cast<long>(target);
}

Milliseconds Now() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
  return static_cast<Milliseconds>(ts.tv_sec) * 1000 +
         static_cast<Milliseconds>(ts.tv_nsec) / 1000000;
}

}  // namespace

constinit const OsOps kLinuxOs = {
    Map,      Reserve, Allow, Unmap,     Decommit, GivesHuge, AdviseHuge, AdviseSmall,
    Populate, Differs, Touch, FaultTime, Resize,   Move,      Now,        OsCurrentCpu};

size_t OsPageBytes() {
  static std::atomic<size_t> page_bytes{0};
  size_t bytes = page_bytes.load(std::memory_order_relaxed);
  if (bytes == 0) {
    bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    page_bytes.store(bytes, std::memory_order_relaxed);
  }
  return bytes;
}

std::byte* MapAligned(const OsOps& os, size_t bytes, size_t alignment) {
  // The kernel places mappings next to each other, so after the first one this fits by luck.
  std::byte* start = os.map(bytes);
  if (start == nullptr || AddressOf(start) % alignment == 0) return start;
  os.unmap(start, bytes);
  if (bytes + alignment < bytes) return nullptr;
  start = os.map(bytes + alignment);
  if (start == nullptr) return nullptr;
  std::byte* const aligned = start + (RoundUp(AddressOf(start), alignment) - AddressOf(start));
  const size_t front = static_cast<size_t>(aligned - start);
  if (front > 0) os.unmap(start, front);
  if (alignment - front > 0) os.unmap(aligned + bytes, alignment - front);
  return aligned;
}

}  // namespace cma
