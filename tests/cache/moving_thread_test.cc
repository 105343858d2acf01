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

// The arena of this thread after it has missed often on the CPU.
size_t ArenaOn(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  EXPECT_EQ(sched_setaffinity(0, sizeof mask, &mask), 0);
  for (int i = 0; i < 100; ++i) cma_free(cma_malloc(kLargeMax));
  return static_cast<size_t>(t_cache->arena->id());
}

TEST(MovingThreadTest, TheOnlyThreadStaysWithItsArenaAndOneOfSeveralFollowsItsCpu) {
  const std::vector<int> cpus = AllowedCpus();
  cma_free(cma_malloc(16));
  if (g_heap.arenas.count() < 2) GTEST_SKIP() << "one CPU, one arena";

  EXPECT_EQ(ArenaOn(cpus.front()), 0u);
  EXPECT_EQ(ArenaOn(cpus.back()), 0u);

  std::thread([] { cma_free(cma_malloc(16)); }).join();

  const size_t first = ArenaOn(cpus.front());
  const size_t last = ArenaOn(cpus[1]);
  EXPECT_NE(first, last);
}

}  // namespace
}  // namespace cma
