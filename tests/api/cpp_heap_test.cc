// cma::heap and cma::memory_resource of <cma/cma.hpp>.
#include <gtest/gtest.h>

#include <cma/cma.hpp>

#include <cstring>
#include <map>
#include <memory_resource>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "support/live_bytes.h"

namespace {

using cma_test::ProcessStats;

static_assert(!std::is_copy_constructible_v<cma::heap>);
static_assert(!std::is_copy_assignable_v<cma::heap>);
static_assert(std::is_nothrow_move_constructible_v<cma::heap>);
static_assert(std::is_nothrow_move_assignable_v<cma::heap>);
static_assert(std::is_nothrow_swappable_v<cma::heap>);

TEST(CppHeapTest, AHeapEndsWithItsScope) {
  const cma_stats before = ProcessStats();
  {
    cma::heap heap("scoped");
    EXPECT_NE(heap.allocate(1000), nullptr);
    EXPECT_NE(heap.allocate(3'000'000), nullptr);
    EXPECT_EQ(ProcessStats().heaps, before.heaps + 1);
    EXPECT_STREQ(heap.stats().name, "scoped");
  }
  EXPECT_EQ(ProcessStats().heaps, before.heaps);
  EXPECT_EQ(ProcessStats().live_bytes, before.live_bytes);
}

TEST(CppHeapTest, MovingHandsTheHeapOver) {
  const size_t before = ProcessStats().heaps;
  cma::heap first("first");
  cma_heap* const handle = first.get();

  cma::heap second(std::move(first));
  EXPECT_EQ(second.get(), handle);
  EXPECT_FALSE(first);
  cma::heap third("third");
  third = std::move(second);

  EXPECT_EQ(third.get(), handle);
  EXPECT_FALSE(second);
  EXPECT_EQ(ProcessStats().heaps, before + 1);
}

TEST(CppHeapTest, MovingToItselfChangesNothing) {
  cma::heap heap("self");
  cma::heap& same = heap;

  heap = std::move(same);

  EXPECT_TRUE(heap);
}

TEST(CppHeapTest, SwapAndReleaseHandOverToo) {
  cma::heap a("a"), b;
  cma_heap* const handle = a.get();

  swap(a, b);
  EXPECT_EQ(b.get(), handle);
  EXPECT_FALSE(a);
  EXPECT_EQ(b.release(), handle);
  EXPECT_FALSE(b);

  cma_heap_destroy(handle);
}

TEST(CppHeapTest, TheLimitThrows) {
  cma::heap heap("limited", 10'000);

  EXPECT_THROW((void)heap.allocate(20'000), std::bad_alloc);
  EXPECT_EQ(heap.try_allocate(20'000), nullptr);
  EXPECT_NE(heap.allocate(9000), nullptr);
  EXPECT_EQ(heap.stats().refusals, 2u);
}

TEST(CppHeapTest, BlocksAreAlignedAsAsked) {
  cma::heap heap("aligned");

  for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(heap.allocate(100, alignment)) % alignment, 0u);
  }
}

TEST(MemoryResourceTest, PmrContainersLiveInTheHeap) {
  cma::heap heap("pmr");
  cma::memory_resource resource(heap);
  {
    std::pmr::vector<std::pmr::string> words(&resource);
    std::pmr::unordered_map<int, std::pmr::string> map(&resource);
    std::pmr::map<int, int> tree(&resource);
    const size_t process = ProcessStats().live_bytes - heap.stats().live_bytes;
    for (int i = 0; i < 2000; ++i) {
      words.emplace_back("a string that is too long to be kept inside the object itself");
      map.emplace(i, words.back());
      tree[i] = i;
    }
    EXPECT_EQ(words[1999], map.at(1999));
    EXPECT_GE(heap.stats().live_bytes, size_t{2000} * 2 * 62);
    EXPECT_EQ(ProcessStats().live_bytes - heap.stats().live_bytes, process)
        << "nothing of it is elsewhere";
  }
  EXPECT_EQ(heap.stats().live_bytes, 0u);
}

TEST(MemoryResourceTest, ContainersMayBeLeftToTheHeapsEnd) {
  cma::heap heap("monotonic");
  cma::memory_resource resource(heap);
  auto* const abandoned =
      new (heap.allocate(sizeof(std::pmr::vector<int>))) std::pmr::vector<int>(&resource);
  abandoned->resize(100'000);

  heap = cma::heap();  // never destroyed, and no leak
}

TEST(MemoryResourceTest, TheHeapOfTheProcessIsTheDefault) {
  cma::memory_resource resource;
  const size_t before = ProcessStats().live_bytes;
  std::pmr::vector<char> bytes(100'000, 'x', &resource);

  EXPECT_GE(ProcessStats().live_bytes, before + 100'000);
  EXPECT_EQ(resource.get(), nullptr);
}

TEST(MemoryResourceTest, ResourcesOfOneHeapAreEqual) {
  cma::heap heap("one"), other("other");
  const cma::memory_resource a(heap), b(heap), c(other), d;

  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_NE(a, d);
  EXPECT_EQ(d, cma::memory_resource());
  EXPECT_NE(static_cast<const std::pmr::memory_resource&>(d), *std::pmr::new_delete_resource());
}

TEST(MemoryResourceTest, OverAlignedBlocksAndFailure) {
  cma::heap heap("limited", 100'000);
  cma::memory_resource resource(heap);

  void* const block = resource.allocate(300, 256);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 256, 0u);
  resource.deallocate(block, 300, 256);

  EXPECT_THROW((void)resource.allocate(200'000), std::bad_alloc);
  EXPECT_EQ(heap.stats().live_bytes, 0u);
}

TEST(MemoryResourceTest, OneResourceServesManyThreads) {
  cma::heap heap("shared");
  cma::memory_resource resource(heap);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&resource] {
      std::pmr::unordered_map<int, std::pmr::vector<int>> map(&resource);
      for (int i = 0; i < 1000; ++i) map[i % 50].push_back(i);
      for (int i = 0; i < 50; ++i) EXPECT_EQ(map[i].size(), 20u);
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(heap.stats().live_bytes, 0u);
}

}  // namespace
