// Forks again and again while other threads allocate. Each child uses the heap that it inherited:
// it frees blocks of its parent, allocates of its own, starts a thread, forks once more. A child
// that does not end in time has met a lock that nobody will ever release.
//
//   fork_stress [--threads N] [--seconds N] [--seed N]
//
// cma-test: api plain timeout=120
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "stress/program.h"
#include "support/deadline.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

constexpr auto kChildLimit = std::chrono::seconds(60);
constexpr size_t kInherited = 500;

// A fork finds the workers inside malloc and free, wherever they are. Not so under
// ThreadSanitizer: its own locks, one per atomic variable, stay locked in the child if another
// thread was inside one, and the child hangs at its first use of that variable. There the workers
// rest during the fork.
class Workers {
 public:
  // Each calls work(i) again and again. Returns when all have begun: the runtime of a sanitizer
  // holds locks while a thread starts, and a child would inherit those too.
  template <typename Work>
  Workers(size_t count, Work work) {
    for (size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, work, i]() mutable {
        Begin();
        while (!stop_) {
          work(i);
          if (kThreadSanitizer) RestIfAsked();
        }
      });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ == threads_.size(); });
  }
  ~Workers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  pid_t Fork() {
    if (!kThreadSanitizer) return fork();
    std::unique_lock lock(mutex_);
    rest_ = true;
    changed_.wait(lock, [&] { return resting_ == threads_.size(); });
    const pid_t child = fork();
    if (child == 0) return child;
    rest_ = false;
    changed_.notify_all();
    changed_.wait(lock, [&] { return resting_ == 0; });
    return child;
  }

 private:
  void Begin() {
    const std::lock_guard lock(mutex_);
    ++begun_;
    changed_.notify_all();
  }
  void RestIfAsked() {
    std::unique_lock lock(mutex_);
    if (!rest_) return;
    ++resting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !rest_; });
    --resting_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t begun_ = 0;    // guarded by mutex_
  size_t resting_ = 0;  // guarded by mutex_
  bool rest_ = false;   // guarded by mutex_
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

size_t RandomSize(Random& random) {
  if (random.OneIn(100)) return random.Below(4 * kMiB);
  if (random.OneIn(10)) return random.Below(100 * kKiB);
  return random.Below(1500);
}

struct Block {
  void* address = nullptr;
  size_t size = 0;
};

Block NewBlock(Random& random) {
  Block block;
  block.size = RandomSize(random);
  block.address = random.OneIn(4) ? calloc(1, block.size) : malloc(block.size);
  if (block.address == nullptr) Fail("no block of %zu bytes in process %d", block.size, getpid());
  FillPattern(block.address, block.size, KeyOfAddress(block.address));
  return block;
}

void FreeBlock(const Block& block) {
  if (FindDamage(block.address, block.size, KeyOfAddress(block.address)) != kIntact) {
    Fail("block %p of %zu bytes is damaged in process %d", block.address, block.size, getpid());
  }
  free(block.address);
}

void Churn(Random& random, int rounds) {
  constexpr size_t kHeld = 100;
  Block held[kHeld];
  for (int i = 0; i < rounds; ++i) {
    Block& block = held[random.Below(kHeld)];
    if (block.address != nullptr) FreeBlock(block);
    block = NewBlock(random);
  }
  for (const Block& block : held) {
    if (block.address != nullptr) FreeBlock(block);
  }
}

void* ChurnInThread(void* seed) {
  Random random(*static_cast<uint64_t*>(seed));
  Churn(random, 200);
  return nullptr;
}

// An unjoined or endless child would leave a process behind, so it ends itself as well.
void LimitLifetime() { alarm(static_cast<unsigned>(kChildLimit.count())); }

[[noreturn]] void BeChild(uint64_t seed, const std::vector<Block>& inherited) {
  LimitLifetime();
  Random random(seed);
  Churn(random, 100);
  for (const Block& block : inherited) FreeBlock(block);
  if (!kThreadSanitizer && random.OneIn(2)) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, ChurnInThread, &seed) != 0) Fail("no thread in a child");
    pthread_join(thread, nullptr);
  }
  if (random.OneIn(4)) {
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      LimitLifetime();
      Churn(random, 100);
      _exit(0);
    }
    int status = -1;
    if (grandchild > 0 && (waitpid(grandchild, &status, 0) != grandchild || status != 0)) {
      Fail("a grandchild ended with status %d", status);
    }
  }
  malloc_trim(0);
  Churn(random, 100);
  _exit(0);
}

void WaitFor(pid_t child) {
  int status = -1;
  const bool ended = WaitUntil([&] { return waitpid(child, &status, WNOHANG) == child; },
                               kChildLimit + std::chrono::seconds(5));
  if (!ended) {
    kill(child, SIGKILL);
    Fail("child %d hangs", child);
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) Fail("child %d hung", child);
  if (status != 0) Fail("child %d ended with status %#x", child, status);
}

}  // namespace

int main(int argc, char** argv) {
  // ThreadSanitizer knows the threads of the parent in the child too, and ends the process when one
  // starts there whose address was in use: so no thread starts, that of the allocator included.
  if (kThreadSanitizer) setenv("CMA_OPTIONS", "background_thread=0", 1);
  NameTheAllocator();
  const uint64_t threads = Argument(argc, argv, "threads", 4);
  const uint64_t seconds = Argument(argc, argv, "seconds", 5);
  const uint64_t seed = Argument(argc, argv, "seed", 1);
  std::vector<Random> randoms;
  for (uint64_t i = 0; i < threads; ++i) randoms.emplace_back(seed + 1000 + i);
  Workers workers(threads, [&](size_t i) { Churn(randoms[i], kThreadSanitizer ? 100 : 1000); });

  Random random(seed);
  std::vector<Block> inherited(kInherited);
  for (Block& block : inherited) block = NewBlock(random);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  uint64_t children = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    pid_t batch[4];
    for (pid_t& child : batch) {
      const uint64_t child_seed = random.Next();
      child = workers.Fork();
      if (child < 0) Fail("fork failed: errno %d", errno);
      if (child == 0) BeChild(child_seed, inherited);
      Churn(random, 20);
    }
    for (const pid_t child : batch) WaitFor(child);
    children += std::size(batch);
  }

  for (const Block& block : inherited) FreeBlock(block);
  printf("%llu children\n", static_cast<unsigned long long>(children));
}
