// Reserving where the process may have no more than so many addresses.
//
// cma-test: not=address,thread
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/constants.h"
#include "os/os_memory.h"

namespace cma {
namespace {

TEST(AddressLimitTest, NoMoreThanAnEighthOfItIsReserved) {
  constexpr size_t kLimit = 64 * kGiB;
  const rlimit limit = {kLimit, kLimit};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);

  EXPECT_EQ(kLinuxOs.reserve(kLimit / 8 + kMaxPageBytes), nullptr);
  std::byte* const reserved = kLinuxOs.reserve(kLimit / 8);
  EXPECT_NE(reserved, nullptr);
  EXPECT_TRUE(kLinuxOs.unmap(reserved, kLimit / 8));
}

}  // namespace
}  // namespace cma
