// Which arena a thread uses that runs now here and now there.
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"

namespace cma {
namespace {

// CPUs that this thread may run on.
std::vector<int> AllowedCpus() {
  cpu_set_t mask;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

// Before a test binds the thread.
const std::vector<int> g_cpus = AllowedCpus();

// The arena of this thread after it has missed so often on the CPU; after each miss of `others`, if
// that is what it shares its arena with.
size_t ArenaOn(int cpu, const void* others = nullptr, int misses = 20) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  EXPECT_EQ(sched_setaffinity(0, sizeof mask, &mask), 0);
  for (int i = 0; i < misses; ++i) {
    if (others != nullptr) t_cache->arena->NoteVisit(others);
    ThreadCache::HomeArena(CurrentCache());
  }
  return static_cast<size_t>(t_cache->arena->id());
}

TEST(MovingThreadTest, OnlyAThreadThatSharesItsArenaFollowsItsCpu) {
  cma_free(cma_malloc(16));
  if (g_heap.arenas.count() < 2) GTEST_SKIP() << "one CPU, one arena";

  EXPECT_EQ(ArenaOn(g_cpus.front()), 0u);
  EXPECT_EQ(ArenaOn(g_cpus.back()), 0u);

  std::thread([] { cma_free(cma_malloc(16)); }).join();

  EXPECT_EQ(ArenaOn(g_cpus.front()), 0u);
  EXPECT_EQ(ArenaOn(g_cpus[1]), 0u);

  const int others = 0;
  const size_t first = ArenaOn(g_cpus.front(), &others);
  const size_t last = ArenaOn(g_cpus[1], &others);
  EXPECT_NE(first, last);
}

TEST(MovingThreadTest, OneThatMeetsOthersOnItsOwnCpuGoesToAnArenaThatNobodyHas) {
  if (g_heap.arenas.count() < 2) GTEST_SKIP() << "one CPU, one arena";
  constexpr int kOften = 70;
  const int others = 0;
  const size_t own = ArenaOn(g_cpus.front(), &others);
  std::vector<Arena*> joined;
  while (Arena* const arena = g_heap.arenas.JoinUsedBy(0)) joined.push_back(arena);
  ASSERT_FALSE(joined.empty());
  EXPECT_EQ(ArenaOn(g_cpus.front(), &others, kOften), own);

  const auto unused = static_cast<size_t>(joined.back()->id());
  joined.back()->Leave();
  joined.pop_back();

  EXPECT_EQ(ArenaOn(g_cpus.front(), nullptr, kOften), own);
  size_t arena = own;
  for (int i = 0; i < kOften && arena == own; ++i) arena = ArenaOn(g_cpus.front(), &others, 1);
  EXPECT_EQ(arena, unused);
  for (Arena* const arena : joined) arena->Leave();
}

// One thread that only allocates and one that only frees share an arena; both have blocks of the size.
TEST(MovingThreadTest, AThreadThatOnlyFreesMeetsOthersToo) {
  if (g_heap.arenas.count() < 2) GTEST_SKIP() << "one CPU, one arena";
  std::thread([] { cma_free(cma_malloc(16)); }).join();  // from here on all arenas are in use
  for (const size_t bytes : {64u, 20'000u, 64u * 1024, 500'000u}) {
    SCOPED_TRACE(bytes);
    const int others = 0;
    const size_t own = ArenaOn(g_cpus.front(), &others);
    std::vector<void*> blocks(2000'000 / bytes + 400);
    for (void*& block : blocks) block = cma_malloc(bytes);
    ThreadCache::FlushCurrent();
    // So that it is one that asks for no large runs.
    for (int i = 0; i < 200; ++i) t_cache->spares.NoteMissed(kMediumMax + kLargeStep);
    t_cache->spares.NoteMissed(kLargeMax);
    ASSERT_EQ(static_cast<size_t>(t_cache->arena->id()), own);
    // On the CPU of another arena from here on.
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(g_cpus[1], &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof mask, &mask), 0);

    size_t freed = 0;
    while (freed < blocks.size() && static_cast<size_t>(t_cache->arena->id()) == own) {
      t_cache->arena->NoteVisit(&others);
      cma_free(blocks[freed++]);
    }
    EXPECT_LT(freed, blocks.size());
    while (freed < blocks.size()) cma_free(blocks[freed++]);
  }
}

TEST(MovingThreadTest, AThreadTakesOverFromTheLastOneThatEnded) {
  if (g_heap.arenas.count() < 2) GTEST_SKIP() << "one CPU, one arena";
  const auto arena_on = [](int cpu) {
    size_t arena = 0;
    std::thread([&] { arena = ArenaOn(cpu); }).join();
    return arena;
  };

  const size_t first = arena_on(g_cpus.front());

  EXPECT_EQ(arena_on(g_cpus[1]), first);
  EXPECT_EQ(arena_on(g_cpus.front()), first);
}

}  // namespace
}  // namespace cma
