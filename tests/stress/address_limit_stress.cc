// A process that runs out of address space gets NULL and ENOMEM, loses nothing, and works again
// once it has freed: first with a limit set while it runs, then with `ulimit -v` of 256 MiB from
// its first instruction.
//
// cma-test: api plain not=thread,address
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <thread>
#include <vector>

#include "stress/program.h"
#include "support/pattern.h"
#include "support/process_memory.h"

namespace {

using namespace cma_test;

constexpr size_t kBudget = 128 * kMiB;
constexpr size_t kLimitFromStart = 256 * kMiB;
constexpr char kLimitedArgument[] = "limited-from-start";

// Blocks in a list through their first words: holding them takes no memory.
struct Held {
  void* first = nullptr;
  size_t blocks = 0;
  size_t bytes = 0;

  void Add(void* block, size_t size) {
    memcpy(block, &first, sizeof(first));
    if (size > 16) {
      memcpy(static_cast<char*>(block) + size - sizeof(first), &first, sizeof(first));
    }
    first = block;
    ++blocks;
    bytes += malloc_usable_size(block);
  }

  void FreeAll(size_t size) {
    while (first != nullptr) {
      void* const block = first;
      memcpy(&first, block, sizeof(first));
      if (size > 16 &&
          memcmp(block, static_cast<char*>(block) + size - sizeof(first), sizeof(first)) != 0) {
        Fail("a block of %zu bytes is damaged", size);
      }
      free(block);
    }
  }
};

using Allocator = void* (*)(size_t);

void* ByMalloc(size_t size) { return malloc(size); }
void* ByCalloc(size_t size) { return calloc(1, size); }
void* ByRealloc(size_t size) {
  void* const block = malloc(16);
  if (block == nullptr) return nullptr;
  errno = 0;
  void* const grown = realloc(block, size);
  if (grown == nullptr) {
    const int error = errno;
    free(block);
    errno = error;
  }
  return grown;
}
void* ByAlignedAlloc(size_t size) { return aligned_alloc(4096, size); }

// Allocates until NULL.
Held Exhaust(Allocator allocate, size_t size) {
  Held held;
  for (;;) {
    errno = 0;
    void* const block = allocate(size);
    if (block == nullptr) {
      if (errno != ENOMEM) Fail("NULL for %zu bytes with errno %d", size, errno);
      return held;
    }
    held.Add(block, size);
  }
}

// Nothing large is left; what was there before is as it was, and free needs no memory.
void CheckOtherFailures() {
  void* const block = malloc(64);  // small ones may still be there
  if (block != nullptr) {
    FillPattern(block, 64, 1);
    errno = 0;
    if (realloc(block, kBudget) != nullptr || errno != ENOMEM) Fail("realloc beyond the limit");
    if (FindDamage(block, 64, 1) != kIntact) Fail("a failed realloc changed the block");
    free(block);
  }
  errno = 0;
  if (calloc(kBudget / 16, 16) != nullptr || errno != ENOMEM) Fail("calloc beyond the limit");
  void* result = &result;
  if (posix_memalign(&result, 64, kBudget) != ENOMEM || result != &result) {
    Fail("posix_memalign beyond the limit");
  }
}

// Twice the same: what was freed must be there again, also for another size.
void ExhaustTwice(Allocator allocate, size_t size, size_t at_least) {
  Held first = Exhaust(allocate, size);
  CheckOtherFailures();
  first.FreeAll(size);
  Held second = Exhaust(allocate, size);
  second.FreeAll(size);
  printf("%9zu bytes: %8zu blocks, %6.1f MiB; again %8zu\n", size, first.blocks, InMiB(first.bytes),
         second.blocks);
  if (first.bytes < at_least) {
    Fail("only %.1f MiB in blocks of %zu bytes before ENOMEM", InMiB(first.bytes), size);
  }
  if (second.blocks * 10 < first.blocks * 9) {
    Fail("%zu blocks of %zu bytes, but %zu after all were freed", first.blocks, size,
         second.blocks);
  }
}

void ExhaustEverySize(size_t at_least) {
  for (const size_t size : {size_t{16}, size_t{64}, size_t{1000}, size_t{1040}, size_t{5000},
                            size_t{40000}, 200 * kKiB, 2 * kMiB, 8 * kMiB, 32 * kMiB}) {
    ExhaustTwice(ByMalloc, size, at_least);
  }
  for (const size_t size : {size_t{64}, size_t{5000}, 200 * kKiB, 8 * kMiB}) {
    ExhaustTwice(ByCalloc, size, at_least);
    ExhaustTwice(ByRealloc, size, at_least);
    ExhaustTwice(ByAlignedAlloc, std::max<size_t>(size, 4096), at_least);
  }
}

// Threads that reach the limit at the same time. They are made before it is set, as their stacks
// would not fit under it, and wait.
class Crowd {
 public:
  Crowd() {
    for (size_t i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this, i] {
        gate_.arrive_and_wait();
        Work(i);
      });
    }
  }

  void Run() {
    gate_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
    printf("%zu threads at the limit at once: fine\n", kThreads);
  }

 private:
  static constexpr size_t kThreads = 4;

  static void Work(size_t thread) {
    constexpr size_t kSizes[] = {48, 3000, 70000, 3 * kMiB};
    for (size_t round = 0; round < 8; ++round) {
      const size_t size = kSizes[(thread + round) % std::size(kSizes)];
      Exhaust(ByMalloc, size).FreeAll(size);
    }
  }

  std::barrier<> gate_{kThreads + 1};
  std::vector<std::thread> threads_;
};

size_t LimitBytes() {
  rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 ? limit.rlim_cur : 0;
}

void SetLimit(size_t bytes) {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0) Fail("getrlimit: errno %d", errno);
  limit.rlim_cur = bytes;
  if (setrlimit(RLIMIT_AS, &limit) != 0) Fail("setrlimit: errno %d", errno);
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  if (argc > 1 && strcmp(argv[1], kLimitedArgument) == 0) {
    if (LimitBytes() != kLimitFromStart) Fail("this part is started by the other one");
    printf("-- ulimit -v %zu from the start, %.1f MiB are taken\n", kLimitFromStart / kKiB,
           InMiB(AddressSpaceBytes()));
    Crowd crowd;
    const size_t free_bytes = kLimitFromStart - AddressSpaceBytes();
    ExhaustEverySize(free_bytes / 2);
    crowd.Run();
    ExhaustEverySize(free_bytes / 3);
    return 0;
  }
  Crowd crowd;
  free(malloc(100));
  SetLimit(AddressSpaceBytes() + kBudget);
  printf("-- %.1f MiB more than now\n", InMiB(kBudget));
  ExhaustEverySize(kBudget / 2);
  crowd.Run();
  ExhaustEverySize(kBudget / 3);
  fflush(stdout);

  SetLimit(kLimitFromStart);
  char argument[sizeof(kLimitedArgument)];
  memcpy(argument, kLimitedArgument, sizeof(argument));
  char* arguments[] = {argv[0], argument, nullptr};
  execv("/proc/self/exe", arguments);
  Fail("execv: errno %d", errno);
}
