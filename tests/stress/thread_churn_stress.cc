// 200 threads at a time, 50,000 in all. Every thread allocates, also from the destructors that run
// as it ends: of C++ thread_local objects and of pthread keys, set before and after its first
// malloc. Blocks are handed to threads that free them after their maker has ended. The memory in
// use must not grow with the number of threads that ever were.
//
//   thread_churn_stress [--total N] [--threads N]
//
// cma-test: api plain timeout=300
#include <pthread.h>
#include <stdlib.h>

#include <atomic>
#include <vector>

#include "stress/program.h"
#include "support/pattern.h"
#include "support/process_memory.h"

namespace {

using namespace cma_test;

constexpr size_t kMailboxes = 512;
constexpr size_t kSizes[] = {16, 24, 100, 500, 1024, 3000, 20000, 100000};

pthread_key_t g_early_key;
pthread_key_t g_late_key;
std::atomic<void*> g_mailboxes[kMailboxes];
std::atomic<size_t> g_destructors{0};

// The first word says how large a block is.
void* NewBlock(size_t size) {
  void* const block = malloc(size);
  if (block == nullptr) Fail("no block of %zu bytes", size);
  memcpy(block, &size, sizeof(size));
  FillPattern(static_cast<char*>(block) + sizeof(size), size - sizeof(size), KeyOfAddress(block));
  return block;
}

void FreeBlock(void* block) {
  if (block == nullptr) return;
  size_t size;
  memcpy(&size, block, sizeof(size));
  if (FindDamage(static_cast<char*>(block) + sizeof(size), size - sizeof(size),
                 KeyOfAddress(block)) != kIntact) {
    Fail("block %p of %zu bytes is damaged", block, size);
  }
  free(block);
}

void AllocateALittle() {
  for (const size_t size : kSizes) FreeBlock(NewBlock(size));
}

class ThreadLocal {
 public:
  ~ThreadLocal() {
    FreeBlock(block_);
    AllocateALittle();
    ++g_destructors;
  }
  void Use(size_t size) {
    FreeBlock(block_);
    block_ = NewBlock(size);
  }

 private:
  void* block_ = nullptr;
};

thread_local ThreadLocal t_first;
thread_local ThreadLocal t_second;

// Runs in the rounds of POSIX: it sets its key again twice, so it is called three times.
void OnKey(pthread_key_t key, void* block) {
  size_t size;
  memcpy(&size, block, sizeof(size));
  FreeBlock(block);
  AllocateALittle();
  if (size >= 64 && size < 66) pthread_setspecific(key, NewBlock(size + 1));
  ++g_destructors;
}

void OnEarlyKey(void* block) { OnKey(g_early_key, block); }
void OnLateKey(void* block) { OnKey(g_late_key, block); }

// The key is set before this thread's first malloc, with a block of its creator.
void* Body(void* block_of_creator) {
  pthread_setspecific(g_early_key, block_of_creator);
  Random random(reinterpret_cast<uintptr_t>(block_of_creator) ^
                reinterpret_cast<uintptr_t>(&random));
  t_first.Use(40);
  for (int i = 0; i < 20; ++i) {
    void* const block = NewBlock(16 + random.Below(i % 10 == 0 ? 50000 : 600));
    FreeBlock(g_mailboxes[random.Below(kMailboxes)].exchange(block));
  }
  t_second.Use(4000);
  pthread_setspecific(g_late_key, NewBlock(64));
  return nullptr;
}

pthread_t StartThread() {
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, Body, NewBlock(64));
  if (error != 0) Fail("pthread_create: error %d", error);
  return thread;
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  const size_t total = Argument(argc, argv, "total", kHasShadowMemory ? 3000 : 50000);
  const size_t threads = Argument(argc, argv, "threads", 200);
  pthread_key_create(&g_early_key, OnEarlyKey);
  pthread_key_create(&g_late_key, OnLateKey);

  std::vector<pthread_t> running(threads);
  for (pthread_t& thread : running) thread = StartThread();
  size_t resident_early = 0;
  for (size_t started = threads; started < total; ++started) {
    pthread_t& thread = running[started % threads];
    pthread_join(thread, nullptr);
    thread = StartThread();
    if (started == total / 10) resident_early = ResidentBytes();
  }
  for (const pthread_t thread : running) pthread_join(thread, nullptr);

  const size_t resident_late = ResidentBytes();
  for (std::atomic<void*>& mailbox : g_mailboxes) FreeBlock(mailbox.exchange(nullptr));
  printf("%zu threads: RSS %.1f MiB after a tenth of them, %.1f MiB at the end\n", total,
         InMiB(resident_early), InMiB(resident_late));
  if (g_destructors < total * 8) {
    Fail("%zu destructors ran, not %zu", g_destructors.load(), total * 8);
  }
  if (!kHasShadowMemory && resident_late > resident_early + 16 * kMiB) {
    Fail("memory grows with the number of threads that ever were");
  }
}
