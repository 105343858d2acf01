// A heap of 2 GiB of small blocks is freed and the program does nothing more: within two seconds
// its memory is back with the operating system, with default settings. On a machine where returning
// a page takes long it may take longer.
//
//   idle_return_stress [--mib N]
//
// cma-test: serial timeout=300 not=thread,address
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "stress/program.h"
#include "support/deadline.h"
#include "support/process_memory.h"

namespace {

using namespace cma_test;

using Seconds = std::chrono::duration<double>;

constexpr Seconds kLimit{2};
// Where a page goes back in so much time the limit holds; where it takes longer, as much longer.
constexpr Seconds kUsualReturn{4e-6};
constexpr Seconds kMost{60};
constexpr size_t kLists = 61;

// Blocks of 64 to 512 bytes, kept through their first words in several lists, so that neighbours
// are freed at different times and nothing but blocks takes memory.
class Heap {
 public:
  void Fill(size_t bytes, uint64_t seed) {
    Random random(seed);
    for (size_t taken = 0; taken < bytes;) {
      const size_t size = 64 + random.Below(449);
      void* const block = malloc(size);
      if (block == nullptr) Fail("no block of %zu bytes", size);
      memset(block, 1, size);
      void*& list = lists_[random.Below(kLists)];
      memcpy(block, &list, sizeof(list));
      list = block;
      taken += malloc_usable_size(block);
    }
  }

  void Free() {
    for (void*& list : lists_) {
      while (list != nullptr) {
        void* const block = list;
        memcpy(&list, block, sizeof(list));
        free(block);
      }
    }
  }

 private:
  void* lists_[kLists] = {};
};

// One page, while another thread runs: its CPU has to forget the page, too. Some virtual machines
// take over 100 us for that.
Seconds ReturnOfAPage() {
  constexpr size_t kPages = 512;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto* const start = static_cast<char*>(
      mmap(nullptr, kPages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (start == MAP_FAILED) Fail("no memory");
  std::atomic<bool> runs{false};
  std::atomic<bool> ends{false};
  std::thread other([&] {
    runs = true;
    while (!ends) start[0] = 1;
  });
  while (!runs) std::this_thread::yield();
  for (size_t i = 1; i < kPages; ++i) start[i * page] = 1;
  const auto before = std::chrono::steady_clock::now();
  for (size_t i = 1; i < kPages; ++i) madvise(start + i * page, page, MADV_DONTNEED);
  const Seconds taken = std::chrono::steady_clock::now() - before;
  ends = true;
  other.join();
  munmap(start, kPages * page);
  return taken / (kPages - 1);
}

void Judge(const char* name, size_t start, size_t peak, size_t total) {
  const auto freed_at = std::chrono::steady_clock::now();
  const size_t allowed = start + total / 20;
  size_t after = ResidentBytes();
  const Seconds limit = std::min(kMost, kLimit * std::max(1.0, ReturnOfAPage() / kUsualReturn));
  const bool returned = WaitUntil([&] { return (after = ResidentBytes()) <= allowed; },
                                  std::chrono::duration_cast<std::chrono::milliseconds>(limit));
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - freed_at;
  printf(
      "%s: RSS %.1f MiB at the start, %.1f MiB at the peak, %.1f MiB %.2f s after the last free\n",
      name, InMiB(start), InMiB(peak), InMiB(after), waited.count());
  if (peak < start + total) Fail("%s: the heap was never there", name);
  if (!returned) {
    Fail("%s: more than %.1f MiB after %.1f s", name, InMiB(allowed), limit.count());
  }
}

void MainThread(size_t start, size_t total) {
  Heap heap;
  heap.Fill(total, 1);
  const size_t peak = ResidentBytes();
  // 10 GiB of small blocks are to stay below 1,000; what the program itself has is less than 100.
  const size_t mappings = Mappings();
  const size_t allowed = 100 + total / (10'240 * kMiB / 1000);
  if (mappings > allowed) Fail("%zu mappings, more than %zu", mappings, allowed);
  heap.Free();
  Judge("one thread", start, peak, total);
}

// Four threads fill; each frees what another one filled, and then waits with all of them.
void IdleThreads(size_t start, size_t total) {
  constexpr size_t kThreads = 4;
  Heap heaps[kThreads];
  std::mutex mutex;
  std::condition_variable changed;
  size_t filled = 0, freed = 0;
  bool judged = false;
  size_t peak = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      heaps[i].Fill(total / kThreads, i);
      std::unique_lock lock(mutex);
      if (++filled == kThreads) peak = ResidentBytes();
      changed.notify_all();
      changed.wait(lock, [&] { return filled == kThreads; });
      lock.unlock();
      heaps[(i + 1) % kThreads].Free();
      lock.lock();
      ++freed;
      changed.notify_all();
      changed.wait(lock, [&] { return judged; });
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return freed == kThreads; });
  }
  Judge("four threads that wait", start, peak, total);
  {
    const std::lock_guard lock(mutex);
    judged = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  const size_t total = Argument(argc, argv, "mib", 2048) * kMiB;
  if (AvailableBytes() < total + total / 2) Skip("this machine has too little memory");
  const size_t start = ResidentBytes();
  MainThread(start, total);
  IdleThreads(start, total);
}
