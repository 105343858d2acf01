// The heaps of <cma/cma.h>, as one thread sees them.
#include <errno.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cma/cma.h"
#include "support/captured_text.h"
#include "support/interesting_sizes.h"
#include "support/live_bytes.h"
#include "support/long_delay.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

class HeapTest : public testing::Test {
 protected:
  HeapTest() : heap_(cma_heap_create("test", 0)) { errno = 0; }
  ~HeapTest() override { cma_heap_destroy(heap_); }

  size_t Live() const { return HeapStats(heap_).live_bytes; }

  cma_heap* heap_;
};

TEST_F(HeapTest, BlocksOfEverySizeGoBackWithAnOrdinaryFree) {
  for (const size_t size : InterestingSizes(16 * kMiB)) {
    void* const block = cma_heap_malloc(heap_, size);
    ASSERT_NE(block, nullptr) << size;
    const size_t usable = cma_malloc_usable_size(block);
    EXPECT_GE(usable, size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
    EXPECT_EQ(Live(), usable) << size;
    EXPECT_EQ(cma_heap_of(block), heap_);
    FillPattern(block, size, 1);

    cma_free(block);

    EXPECT_EQ(Live(), 0u) << size;
  }
}

TEST_F(HeapTest, ManyBlocksDoNotOverlap) {
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t i = 0; i < 20'000; ++i) {
    const size_t size = i % 100 == 0 ? i % 300'000 : i * 37 % 3000;
    blocks.emplace_back(cma_heap_malloc(heap_, size), size);
    FillPattern(blocks.back().first, size, i);
  }

  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(FindDamage(blocks[i].first, blocks[i].second, i), kIntact) << i;
    cma_free(blocks[i].first);
  }
  EXPECT_EQ(Live(), 0u);
}

TEST_F(HeapTest, ItsBlocksAndThoseOfTheProcessAreApart) {
  void* const plain = cma_malloc(64);
  void* const block = cma_heap_malloc(heap_, 64);
  constexpr uintptr_t kUnit = 64 * kKiB;

  EXPECT_NE(reinterpret_cast<uintptr_t>(plain) / kUnit, reinterpret_cast<uintptr_t>(block) / kUnit);
  EXPECT_EQ(cma_heap_of(plain), nullptr);
  EXPECT_EQ(cma_heap_of(nullptr), nullptr);
  cma_free(plain);
}

TEST_F(HeapTest, CallocIsZeroAndChecksTheProduct) {
  for (const size_t size : {100, 5000, 100'000, 5'000'000}) {
    for (int round = 0; round < 2; ++round) {
      void* const block = cma_heap_calloc(heap_, size / 4, 4);
      ASSERT_TRUE(IsZero(block, size)) << size;
      memset(block, 0xff, size);
      cma_free(block);
    }
  }
  EXPECT_EQ(cma_heap_calloc(heap_, SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST_F(HeapTest, AlignedBlocksAreAlignedAndABadAlignmentIsRefused) {
  for (size_t alignment = 1; alignment <= 16 * kMiB; alignment *= 2) {
    for (const size_t size : {1, 100, 3000, 2'000'000}) {
      void* const block = cma_heap_aligned_alloc(heap_, alignment, size);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
      EXPECT_EQ(cma_heap_of(block), heap_);
      cma_free(block);
    }
  }
  EXPECT_EQ(cma_heap_aligned_alloc(heap_, 48, 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Live(), 0u);
}

TEST_F(HeapTest, ReallocKeepsContentsAndHeap) {
  for (void *(*resize)(cma_heap*, void*, size_t) :
       {+[](cma_heap*heap, void*b, size_t n) { return cma_heap_realloc(heap, b, n); },
        +[](cma_heap*, void*b, size_t n) { return cma_realloc(b, n); }}) {
    void* block = cma_heap_malloc(heap_, 10);
    FillPattern(block, 8, 3);
    size_t kept = 8;
    for (const size_t size : {30, 900, 2000, 1500, 40'000, 200'000, 60'000, 3'000'000, 9'000'000,
                              2'500'000, 500'000, 700, 12}) {
      block = resize(heap_, block, size);
      ASSERT_NE(block, nullptr);
      kept = std::min<size_t>(kept, size / 8 * 8);
      EXPECT_EQ(FindDamage(block, kept, 3), kIntact) << size;
      EXPECT_EQ(cma_heap_of(block), heap_) << size;
      EXPECT_EQ(Live(), cma_malloc_usable_size(block)) << size;
      kept = size / 8 * 8;
      FillPattern(block, kept, 3);
    }
    cma_free(block);
  }
  EXPECT_EQ(Live(), 0u);
}

TEST_F(HeapTest, ReallocOfNullAllocatesAndOfSizeZeroFrees) {
  void* const block = cma_heap_realloc(heap_, nullptr, 100);
  EXPECT_EQ(cma_heap_of(block), heap_);

  EXPECT_EQ(cma_heap_realloc(heap_, block, 0), nullptr);

  EXPECT_EQ(Live(), 0u);
}

TEST_F(HeapTest, ReallocMovesABlockFromElsewhereIn) {
  cma_heap* const other = cma_heap_create("other", 0);
  for (const size_t size : {100, 5000, 3'000'000}) {
    for (void* from : {cma_malloc(size), cma_heap_malloc(other, size)}) {
      FillPattern(from, size, 9);

      void* const moved = cma_heap_realloc(heap_, from, size);

      EXPECT_EQ(cma_heap_of(moved), heap_);
      EXPECT_EQ(FindDamage(moved, size, 9), kIntact);
      cma_free(moved);
    }
  }
  EXPECT_EQ(HeapStats(other).live_bytes, 0u);
  cma_heap_destroy(other);
}

TEST_F(HeapTest, AlignedReallocStaysInTheHeap) {
  void* block = cma_heap_malloc(heap_, 100);

  block = cma_aligned_realloc(block, 4096, 10'000);

  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 4096, 0u);
  EXPECT_EQ(cma_heap_of(block), heap_);
  cma_free(block);
  EXPECT_EQ(Live(), 0u);
}

TEST_F(HeapTest, TheLimitGivesNullAndTheProcessGoesOn) {
  cma_heap* const small = cma_heap_create("small", 1 * kMiB);
  std::vector<void*> blocks;

  for (;;) {
    errno = 0;
    void* const block = cma_heap_malloc(small, 1000);
    if (block == nullptr) break;
    blocks.push_back(block);
  }

  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(blocks.size(), 1 * kMiB / cma_good_size(1000));
  const cma_heap_stats full = HeapStats(small);
  EXPECT_EQ(full.limit_bytes, 1 * kMiB);
  EXPECT_LE(full.live_bytes, full.limit_bytes);
  EXPECT_GE(full.refusals, 1u);
  EXPECT_EQ(cma_heap_malloc(small, 2 * kMiB), nullptr);
  EXPECT_EQ(cma_heap_calloc(small, 100, 1000), nullptr);
  EXPECT_EQ(cma_heap_aligned_alloc(small, 4096, 5000), nullptr);

  void* const elsewhere = cma_malloc(8 * kMiB);
  EXPECT_NE(elsewhere, nullptr);
  cma_free(elsewhere);
  for (void* block : blocks) cma_free(block);
  EXPECT_EQ(HeapStats(small).live_bytes, 0u);
  void* const again = cma_heap_malloc(small, 700'000);
  EXPECT_NE(again, nullptr);
  cma_heap_destroy(small);
}

TEST_F(HeapTest, AReallocThatTheLimitRefusesLeavesTheBlock) {
  cma_heap* const small = cma_heap_create("small", 3 * kMiB);
  for (const size_t size : {900, 20'000, 900'000, 2'500'000}) {
    void* const block = cma_heap_malloc(small, size);
    FillPattern(block, size, 5);

    EXPECT_EQ(cma_heap_realloc(small, block, 4 * kMiB), nullptr);
    EXPECT_EQ(cma_realloc(block, 4 * kMiB), nullptr);
    EXPECT_EQ(cma_try_resize(block, 4 * kMiB), 0u);

    EXPECT_EQ(FindDamage(block, size, 5), kIntact);
    EXPECT_EQ(HeapStats(small).live_bytes, cma_malloc_usable_size(block));
    cma_free(block);
  }
  EXPECT_EQ(HeapStats(small).live_bytes, 0u);
  cma_heap_destroy(small);
}

TEST_F(HeapTest, ARefusedResizeCountsOnceAndNotForThePeak) {
  cma_heap* const small = cma_heap_create("small", 3 * kMiB);
  size_t refusals = 0;
  for (const size_t size : {900, 20'000, 900'000, 2'000'000}) {
    void* const block = cma_heap_malloc(small, size);
    const size_t peak = HeapStats(small).peak_bytes;

    EXPECT_EQ(cma_realloc(block, 4 * kMiB), nullptr);
    EXPECT_EQ(HeapStats(small).refusals, ++refusals);
    EXPECT_EQ(cma_try_resize(block, 100 * kMiB), 0u);

    EXPECT_EQ(HeapStats(small).peak_bytes, peak) << size;
    refusals = HeapStats(small).refusals;
    cma_free(block);
  }
  cma_heap_destroy(small);
}

TEST_F(HeapTest, ABlockGrowsInPlaceUpToTheLimit) {
  cma_heap* const small = cma_heap_create("small", 100'000);
  void* const block = cma_heap_malloc(small, 50'000);

  EXPECT_GE(cma_try_resize(block, 99'000), 99'000u);

  EXPECT_EQ(cma_realloc(block, 99'500), block);
  const cma_heap_stats stats = HeapStats(small);
  EXPECT_EQ(stats.live_bytes, cma_malloc_usable_size(block));
  EXPECT_EQ(stats.peak_bytes, stats.live_bytes);
  EXPECT_EQ(stats.refusals, 0u);
  cma_heap_destroy(small);
}

TEST_F(HeapTest, ABlockShrinksWhereTheLimitLeavesNoRoomForAnother) {
  for (const size_t size : {100, 17'000, 500'000, 2'000'000}) {
    cma_heap* const probe = cma_heap_create("probe", 0);
    const size_t usable = cma_malloc_usable_size(cma_heap_malloc(probe, size));
    cma_heap_destroy(probe);
    for (int call = 0; call < 3; ++call) {
      cma_heap* const full = cma_heap_create("full", usable);
      void* const block = cma_heap_malloc(full, size);
      ASSERT_NE(block, nullptr);
      FillPattern(block, size / 10, 7);

      void* const shorter = call == 0   ? cma_realloc(block, size / 10)
                            : call == 1 ? cma_heap_realloc(full, block, size / 10)
                                        : cma_aligned_realloc(block, 16, size / 10);

      EXPECT_EQ(shorter, block) << size;
      EXPECT_EQ(FindDamage(block, size / 10, 7), kIntact);
      EXPECT_LE(cma_malloc_usable_size(block), usable);
      EXPECT_EQ(HeapStats(full).live_bytes, cma_malloc_usable_size(block));
      EXPECT_EQ(HeapStats(full).refusals, 0u);
      cma_heap_destroy(full);
    }
  }
}

TEST_F(HeapTest, ABlockThatStaysAcrossABorderIsChargedForWhatItHas) {
  for (const size_t border : {16 * kKiB, 1 * kMiB}) {
    cma_heap* const small = cma_heap_create("small", 4 * border);
    void* block = cma_heap_malloc(small, border + 1);
    for (const size_t size : {border, border + 1, border - border / 16, border + 1}) {
      void* const before = block;
      block = cma_realloc(block, size);
      EXPECT_EQ(block, before) << size;
      EXPECT_EQ(HeapStats(small).live_bytes, cma_malloc_usable_size(block)) << size;
    }
    EXPECT_EQ(HeapStats(small).refusals, 0u);
    cma_free(block);
    EXPECT_EQ(HeapStats(small).live_bytes, 0u);
    cma_heap_destroy(small);
  }
}

TEST_F(HeapTest, ASmallBlockThatShrinksMakesRoomWhereLittleIsLeft) {
  cma_heap* const small = cma_heap_create("small", 18 * kKiB);
  void* block = cma_heap_malloc(small, 8 * kKiB);
  ASSERT_NE(cma_heap_malloc(small, 8 * kKiB), nullptr);
  const size_t before = HeapStats(small).live_bytes;

  block = cma_realloc(block, 100);

  EXPECT_LE(cma_malloc_usable_size(block), 128u);
  EXPECT_LE(HeapStats(small).live_bytes, before - 7 * kKiB);
  EXPECT_EQ(HeapStats(small).refusals, 0u);
  cma_heap_destroy(small);
}

TEST_F(HeapTest, AResizeToWhatTheBlockHasIsNoRefusal) {
  for (const size_t size : {17'500, 100'000, 1'000'000}) {
    cma_heap* const small = cma_heap_create("small", 1 * kMiB);
    void* const block = cma_heap_malloc(small, size);
    const size_t usable = cma_malloc_usable_size(block);
    while (cma_heap_malloc(small, 16) != nullptr) continue;
    const size_t refusals = HeapStats(small).refusals;

    EXPECT_EQ(cma_try_resize(block, usable), usable);

    EXPECT_EQ(HeapStats(small).refusals, refusals) << size;
    cma_heap_destroy(small);
  }
}

TEST_F(HeapTest, AHeapGrowsToItsLimitByRealloc) {
  cma_heap* const small = cma_heap_create("small", 1 * kMiB);
  size_t size = 1000;
  void* block = cma_heap_malloc(small, size);

  while (void* const grown = cma_heap_realloc(small, block, size + 8192)) {
    block = grown;
    size += 8192;
  }

  EXPECT_GE(size, 400 * kKiB);
  EXPECT_LE(HeapStats(small).peak_bytes, 1 * kMiB);
  cma_heap_destroy(small);
}

TEST_F(HeapTest, DestroyingGivesAllBlocksBackInOneCall) {
  const cma_stats before = ProcessStats();
  cma_heap* const heap = cma_heap_create("much", 0);
  for (size_t i = 0; i < 30'000; ++i) {
    memset(cma_heap_malloc(heap, i * 13 % 5000), 1, i * 13 % 5000);
  }
  for (int i = 0; i < 5; ++i) memset(cma_heap_malloc(heap, 4 * kMiB), 1, 4 * kMiB);
  EXPECT_GE(ProcessStats().live_bytes, before.live_bytes + 20 * kMiB);
  EXPECT_TRUE(AddsUp(ProcessStats()));

  cma_heap_destroy(heap);

  const cma_stats after = ProcessStats();
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.huge_blocks, before.huge_blocks);
  EXPECT_EQ(after.heaps, before.heaps);
  EXPECT_TRUE(AddsUp(after));
  EXPECT_GE(cma_release(), 20 * kMiB);
  EXPECT_LE(ProcessStats().mapped_bytes, before.mapped_bytes + 1 * kMiB);
}

TEST_F(HeapTest, FreedMemoryOfAHeapIsReturnedToTheOs) {
  std::vector<void*> blocks;
  for (int i = 0; i < 2000; ++i) {
    blocks.push_back(cma_heap_malloc(heap_, 4000));
    memset(blocks.back(), 1, 4000);
  }
  for (void* block : blocks) cma_free(block);

  EXPECT_GE(cma_release(), size_t{2000} * 4000 / 2);
}

TEST_F(HeapTest, HeapsAreCounted) {
  const size_t before = ProcessStats().heaps;
  cma_heap* const other = cma_heap_create(nullptr, 0);

  EXPECT_EQ(ProcessStats().heaps, before + 1);
  EXPECT_STREQ(HeapStats(other).name, "");

  cma_heap_destroy(other);
  EXPECT_EQ(ProcessStats().heaps, before);
}

TEST_F(HeapTest, TheTextOfTheStatisticsNamesTheHeaps) {
  void* const block = cma_heap_malloc(heap_, 5 * kMiB);

  const std::string text = TextWrittenBy(cma_stats_print);

  EXPECT_NE(text.find("5120 KiB  heap \"test\": live; peak "), std::string::npos) << text;
  cma_free(block);
}

TEST_F(HeapTest, StatsSayWhatTheHeapHas) {
  void* const small = cma_heap_malloc(heap_, 100);
  void* const huge = cma_heap_malloc(heap_, 3 * kMiB);

  const cma_heap_stats with_both = HeapStats(heap_);
  EXPECT_STREQ(with_both.name, "test");
  EXPECT_EQ(with_both.limit_bytes, 0u);
  EXPECT_EQ(with_both.live_bytes, 112 + 3 * kMiB);
  EXPECT_EQ(with_both.huge_bytes, 3 * kMiB);
  EXPECT_EQ(with_both.mapped_bytes, 4 * kMiB + 3 * kMiB);
  cma_free(huge);
  cma_free(small);

  EXPECT_EQ(HeapStats(heap_).live_bytes, 0u);
  EXPECT_EQ(HeapStats(heap_).peak_bytes, 112 + 3 * kMiB);
}

TEST_F(HeapTest, BlocksThatMovedIntoTheHeapFromTheCacheOfAThreadAreWhole) {
  // Memory that was in a thread's lists carries marks; a heap that gets it hands out blocks.
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 20'000; ++i) blocks.push_back(cma_malloc(48));
    for (void* block : blocks) cma_free(block);
    cma_thread_idle();
    blocks.clear();
    for (int i = 0; i < 20'000; ++i) {
      void* const block = cma_heap_malloc(heap_, 48);
      EXPECT_EQ(cma_malloc_usable_size(block), 48u);
      blocks.push_back(block);
    }
    for (void* block : blocks) cma_free(block);
  }
}

TEST_F(HeapTest, DestroyingNullDoesNothing) { cma_heap_destroy(nullptr); }

TEST_F(HeapTest, ASizeThatNoHeapHoldsFails) {
  EXPECT_EQ(cma_heap_malloc(heap_, SIZE_MAX), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(cma_heap_malloc(heap_, size_t{1} << 46), nullptr);
}

}  // namespace
