// The allocators that `cma bench` finds, and what it says of those that it does not.
#include "tool/bench_allocators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tool/elf_image.h"

namespace cma::tool {
namespace {

using testing::HasSubstr;

std::string MessageFor(const std::string& wanted) {
  return std::string(FindAllocators({wanted}).status().message());
}

TEST(BenchAllocatorsTest, TheCLibraryIsAlwaysThere) {
  const absl::StatusOr<std::vector<BenchAllocator>> found = FindAllocators({"glibc"});

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->front().name, "glibc");
  EXPECT_TRUE(DefinesFunction(found->front().library, "malloc"));
  EXPECT_FALSE(DefinesFunction(found->front().library, "no_such_function"));
}

TEST(BenchAllocatorsTest, AnyLibraryWithAMallocHasTheNameThatItIsGiven) {
  const std::string libc = FindAllocators({"glibc"})->front().library;

  const absl::StatusOr<std::vector<BenchAllocator>> found = FindAllocators({"other=" + libc});

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->front().name, "other");
  EXPECT_EQ(found->front().library, libc);
}

TEST(BenchAllocatorsTest, WhatIsNoAllocatorIsRefused) {
  EXPECT_THAT(MessageFor("x=/proc/self/exe"), HasSubstr("defines no malloc and free"));
  EXPECT_THAT(MessageFor("x=/etc/passwd"), HasSubstr("is no shared library"));
  EXPECT_THAT(MessageFor("x=/no/such.so"), HasSubstr("no readable library"));
  EXPECT_THAT(MessageFor("=/etc/passwd"), HasSubstr("no name"));
  EXPECT_THAT(MessageFor("glibcc"), HasSubstr("did you mean 'glibc'?"));
}

}  // namespace
}  // namespace cma::tool
