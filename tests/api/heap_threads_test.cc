// The heaps of <cma/cma.h> with many threads, and across fork.
//
// cma-test: timeout=300
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/live_bytes.h"
#include "support/pattern.h"
#include "support/sanitizer.h"

namespace {

using namespace cma_test;

constexpr int kFewerUnderSanitizers = kHasShadowMemory ? 10 : 1;

struct Block {
  void* start;
  size_t size;
};

size_t RandomSize(std::minstd_rand& random) {
  const size_t kind = random() % 1000;
  if (kind < 800) return random() % 1024;
  if (kind < 980) return random() % (32 * kKiB);
  return kind < 998 ? random() % (1 * kMiB) : random() % (4 * kMiB);
}

void Check(const Block& block) {
  ASSERT_EQ(FindDamage(block.start, block.size, KeyOfAddress(block.start)), kIntact);
}

// Where threads leave blocks for each other.
class Exchange {
 public:
  // Puts the block in and returns what lay there.
  Block Swap(size_t place, Block block) {
    std::lock_guard guard(mutex_);
    std::swap(places_[place % kPlaces], block);
    return block;
  }

 private:
  static constexpr size_t kPlaces = 512;
  std::mutex mutex_;
  Block places_[kPlaces] = {};
};

TEST(HeapThreadsTest, BlocksOfSeveralHeapsAreFreedByWhoeverHasThem) {
  cma_heap* heaps[3];
  for (cma_heap*& heap : heaps) heap = cma_heap_create("shared", 0);
  const size_t live_before = ProcessStats().live_bytes;
  Exchange exchange;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      for (int i = 0; i < 40'000 / kFewerUnderSanitizers; ++i) {
        const size_t size = RandomSize(random);
        const size_t from = random() % 4;
        Block block = {from == 3 ? cma_malloc(size) : cma_heap_malloc(heaps[from], size), size};
        FillPattern(block.start, size, KeyOfAddress(block.start));
        block = exchange.Swap(random(), block);
        if (block.start == nullptr) continue;
        Check(block);
        cma_free(block.start);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  for (size_t place = 0; place < 512; ++place) cma_free(exchange.Swap(place, {}).start);
  for (cma_heap* heap : heaps) {
    EXPECT_EQ(HeapStats(heap).live_bytes, 0u);
    cma_heap_destroy(heap);
  }
  EXPECT_EQ(ProcessStats().live_bytes, live_before);
  EXPECT_TRUE(AddsUp(ProcessStats()));
}

// Threads fill heaps and free some of the blocks; the heap then ends with the rest in it, while the
// threads go on with others. What they had on its way must not turn up anywhere.
TEST(HeapThreadsTest, HeapsAreDestroyedWhileThreadsLiveOn) {
  constexpr int kRounds = 200 / kFewerUnderSanitizers;
  constexpr size_t kThreads = 3;
  std::atomic<cma_heap*> current{nullptr};
  std::atomic<int> round{0};
  std::atomic<size_t> done{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      std::vector<Block> own;  // outlive the heaps
      for (int r = 1; r <= kRounds; ++r) {
        while (round.load() < r) std::this_thread::yield();
        cma_heap* const heap = current.load();
        std::vector<Block> blocks;
        for (int i = 0; i < 300; ++i) {
          const size_t size = RandomSize(random) % (200 * kKiB);
          blocks.push_back({cma_heap_malloc(heap, size), size});
          FillPattern(blocks.back().start, size, KeyOfAddress(blocks.back().start));
          own.push_back({cma_malloc(size % 2000), size % 2000});
          FillPattern(own.back().start, own.back().size, KeyOfAddress(own.back().start));
        }
        for (size_t i = 0; i < blocks.size(); ++i) {
          Check(blocks[i]);
          if (i % 2 == 0) cma_free(blocks[i].start);
        }
        while (own.size() > 2000) {
          const size_t i = random() % own.size();
          Check(own[i]);
          cma_free(own[i].start);
          own[i] = own.back();
          own.pop_back();
        }
        done.fetch_add(1);
      }
      for (const Block& block : own) {
        Check(block);
        cma_free(block.start);
      }
    });
  }
  const size_t heaps_before = ProcessStats().heaps;
  for (int r = 1; r <= kRounds; ++r) {
    cma_heap* const heap = cma_heap_create("round", 0);
    current.store(heap);
    round.store(r);
    while (done.load() < kThreads * static_cast<size_t>(r)) std::this_thread::yield();
    EXPECT_GT(HeapStats(heap).live_bytes, 0u);
    cma_heap_destroy(heap);
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(ProcessStats().heaps, heaps_before);
  EXPECT_TRUE(AddsUp(ProcessStats()));
}

TEST(HeapThreadsTest, EachThreadMakesAndDestroysItsOwn) {
  const size_t live_before = ProcessStats().live_bytes;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::minstd_rand random(t + 1);
      for (int i = 0; i < 300 / kFewerUnderSanitizers; ++i) {
        cma_heap* const heap = cma_heap_create("own", 0);
        std::vector<Block> blocks;
        for (int j = 0; j < 200; ++j) {
          const size_t size = RandomSize(random);
          blocks.push_back({cma_heap_malloc(heap, size), size});
          FillPattern(blocks.back().start, size, KeyOfAddress(blocks.back().start));
        }
        for (const Block& block : blocks) Check(block);
        cma_heap_destroy(heap);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(ProcessStats().live_bytes, live_before);
}

TEST(HeapThreadsTest, TheLimitHoldsAndEveryoneRecovers) {
  constexpr size_t kLimit = 2 * kMiB;
  cma_heap* const heap = cma_heap_create("limited", kLimit);
  std::atomic<size_t> refused{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      std::vector<void*> blocks;
      for (int i = 0; i < 30'000 / kFewerUnderSanitizers; ++i) {
        void* const block = cma_heap_malloc(heap, random() % 20'000);
        if (block != nullptr) {
          memset(block, 1, 1);
          blocks.push_back(block);
          continue;
        }
        refused.fetch_add(1);
        if (HeapStats(heap).live_bytes > kLimit) exceeded = true;
        for (void* own : blocks) cma_free(own);
        blocks.clear();
      }
      for (void* own : blocks) cma_free(own);
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_FALSE(exceeded);
  EXPECT_GT(refused.load(), 0u);
  EXPECT_EQ(HeapStats(heap).live_bytes, 0u);
  EXPECT_LE(HeapStats(heap).peak_bytes, kLimit);
  EXPECT_EQ(HeapStats(heap).refusals, refused.load());
  cma_heap_destroy(heap);
}

TEST(HeapThreadsTest, SweepsAndStatisticsGoOnMeanwhile) {
  std::atomic<bool> stop{false};
  std::thread observer([&] {
    while (!stop.load()) {
      cma_release();
      EXPECT_LE(ProcessStats().live_bytes, size_t{1} << 47);
    }
  });
  for (int i = 0; i < 100 / kFewerUnderSanitizers; ++i) {
    cma_heap* const heap = cma_heap_create("swept", 0);
    std::vector<Block> blocks;
    for (size_t j = 0; j < 500; ++j) {
      blocks.push_back({cma_heap_malloc(heap, j * 31), j * 31});
      FillPattern(blocks.back().start, j * 31, KeyOfAddress(blocks.back().start));
    }
    for (size_t j = 0; j < blocks.size(); ++j) {
      Check(blocks[j]);
      if (j % 3 != 0) cma_free(blocks[j].start);
    }
    cma_heap_destroy(heap);
  }
  stop = true;
  observer.join();
}

TEST(HeapThreadsTest, AForkedChildHasTheHeapsAndCanUseThem) {
  cma_heap* const heap = cma_heap_create("forked", 0);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop.load()) {
      for (size_t i = 0; i < 50; ++i) cma_free(cma_heap_malloc(heap, i * 101));
    }
  });
  void* const block = cma_heap_malloc(heap, 5000);
  FillPattern(block, 5000, 1);

  for (int i = 0; i < 50 / kFewerUnderSanitizers; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (FindDamage(block, 5000, 1) != kIntact) _exit(1);
      cma_free(block);
      for (size_t n = 0; n < 500; ++n) {
        if (cma_heap_malloc(heap, n * 31) == nullptr) _exit(2);
      }
      cma_heap_destroy(heap);
      cma_heap* const next = cma_heap_create("child", 0);
      if (next == nullptr || cma_heap_malloc(next, 100) == nullptr) _exit(3);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }

  stop = true;
  worker.join();
  cma_free(block);
  cma_heap_destroy(heap);
}

}  // namespace
