#include "os/cgroup.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/units.h"

namespace cma {
namespace {

constexpr int kSentinel = 4321;  // no errno

// A directory that stands for /sys/fs/cgroup, and a file for /proc/self/cgroup.
class CgroupTest : public testing::Test {
 protected:
  CgroupTest() {
    char name[] = "cgroup_test.XXXXXX";
    root_ = std::filesystem::absolute(mkdtemp(name));
  }
  ~CgroupTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  CgroupFiles Files() {
    membership_ = root_ + "/membership";
    return {membership_.c_str(), root_.c_str()};
  }

  std::string root_;
  std::string membership_;
};

TEST_F(CgroupTest, WithoutFilesThereIsNoLimit) {
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), 0u);
  EXPECT_EQ(OsCgroupCpuQuota(Files()), 0u);
}

TEST_F(CgroupTest, TheTightestLimitOnTheWayToTheRootCounts) {
  Write("/membership", "0::/outer/inner");
  Write("/outer/inner/memory.max", "max");
  Write("/outer/memory.max", "1073741824");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), kGiB);

  Write("/outer/inner/memory.high", "536870912");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), kGiB / 2);

  Write("/memory.max", "1000000");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), 1'000'000u);
}

TEST_F(CgroupTest, TheFirstVersionIsReadInItsOwnHierarchy) {
  Write("/membership", "5:cpu,memory:/job\n0::/");
  Write("/memory/job/memory.limit_in_bytes", "2147483648");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), 2 * kGiB);
}

TEST_F(CgroupTest, TheFirstVersionsNumberForNoLimitIsNone) {
  Write("/membership", "4:memory:/");
  Write("/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), 0u);
}

TEST_F(CgroupTest, AGroupThatCannotBeSeenLeavesTheRoot) {
  Write("/membership", "4:memory:/not/in/this/container");
  Write("/memory/memory.limit_in_bytes", "3000000");
  EXPECT_EQ(OsCgroupMemoryLimit(Files()), 3'000'000u);
}

TEST_F(CgroupTest, WhatIsNoNumberIsNoLimit) {
  Write("/membership", "nonsense\n::\n0::/a");
  for (const char* text : {"", "x", "-5", "99999999999999999999999999"}) {
    Write("/a/memory.max", text);
    EXPECT_EQ(OsCgroupMemoryLimit(Files()), 0u) << text;
  }
}

TEST_F(CgroupTest, TheCpuQuotaIsRoundedUp) {
  Write("/membership", "0::/a/b");
  Write("/a/cpu.max", "250000 100000");
  Write("/a/b/cpu.max", "max 100000");
  EXPECT_EQ(OsCgroupCpuQuota(Files()), 3u);

  Write("/a/b/cpu.max", "100000 100000");
  EXPECT_EQ(OsCgroupCpuQuota(Files()), 1u);
}

TEST_F(CgroupTest, TheFirstVersionsCpuQuotaCountsWhereTheSecondHasNone) {
  Write("/membership", "1:cpu:/");
  Write("/cpu/cpu.cfs_quota_us", "400000");
  Write("/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(OsCgroupCpuQuota(Files()), 4u);

  Write("/cpu/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(OsCgroupCpuQuota(Files()), 0u);
}

TEST(CgroupOfThisProcessTest, TheAnswersArePlausibleStableAndLeaveErrnoAlone) {
  errno = kSentinel;

  const size_t quota = OsCgroupCpuQuota();
  const size_t limit = OsCgroupMemoryLimit();
  const size_t memory = OsMachineMemory();

  EXPECT_EQ(errno, kSentinel);
  EXPECT_LE(quota, 100'000u);
  EXPECT_EQ(OsCgroupCpuQuota(), quota);
  EXPECT_EQ(OsCgroupMemoryLimit(), limit);
  EXPECT_GE(memory, 64 * kMiB);
  EXPECT_GE(OsUsableMemory(), kMiB);
  EXPECT_LE(OsUsableMemory(), memory);
}

}  // namespace
}  // namespace cma
