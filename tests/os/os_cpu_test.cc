#include "os/os_cpu.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "support/deadline.h"

namespace cma {
namespace {

constexpr int kSentinel = 4321;  // no errno

std::vector<int> AllowedCpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

bool RunOn(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

TEST(OsCpuTest, TheCurrentCpuIsTheOneThatTheThreadIsBoundTo) {
  for (const int cpu : AllowedCpus()) {
    std::thread([cpu] {
      ASSERT_TRUE(RunOn(cpu));
      errno = kSentinel;

      EXPECT_EQ(OsCurrentCpu(), static_cast<uint32_t>(cpu));
      EXPECT_EQ(errno, kSentinel);
    }).join();
  }
}

TEST(OsCpuTest, AllowedCpusHaveDenseRanks) {
  static CpuRanks ranks;
  const std::vector<int> cpus = AllowedCpus();
  errno = kSentinel;

  const size_t count = ranks.Fill();

  EXPECT_EQ(count, cpus.size());
  EXPECT_EQ(errno, kSentinel);
  std::set<size_t> used;
  for (const int cpu : cpus) used.insert(ranks.Of(static_cast<uint32_t>(cpu)));
  EXPECT_EQ(used.size(), count);
  EXPECT_EQ(*used.rbegin(), count - 1);
}

TEST(OsCpuTest, CpusOutsideTheMaskCountForNothing) {
  const std::vector<int> cpus = AllowedCpus();
  std::thread([&cpus] {
    static CpuRanks ranks;
    ASSERT_TRUE(RunOn(cpus.back()));

    EXPECT_EQ(ranks.Fill(), 1u);

    EXPECT_EQ(ranks.Of(static_cast<uint32_t>(cpus.back())), 0u);
  }).join();
}

TEST(OsCpuTest, CpusOutsideTheMaskAreSpread) {
  static CpuRanks ranks;
  const std::vector<int> cpus = AllowedCpus();

  const size_t count = ranks.Fill();

  std::set<size_t> used;
  for (uint32_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (std::find(cpus.begin(), cpus.end(), static_cast<int>(cpu)) == cpus.end()) {
      used.insert(ranks.Of(cpu) % count);
    }
  }
  EXPECT_EQ(used.size(), count);
}

}  // namespace
}  // namespace cma
