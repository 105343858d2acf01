// cma_option_set() and cma_option_get().
#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/deadline.h"

namespace {

std::string Get(const char* name) {
  char value[32] = "untouched";
  EXPECT_EQ(cma_option_get(name, value, sizeof value), 0) << name;
  return value;
}

TEST(OptionsTest, WhatIsSetIsWhatIsGot) {
  for (const auto& [name, value, shown] :
       std::vector<std::tuple<const char*, const char*, const char*>>{
           {"release_delay_ms", "2s", "2000"},
           {"cache_budget_kib", "3m", "3072"},
           {"huge_cache_mib", "12", "12"},
           {"soft_limit", "1073741824", "1GiB"},
           {"hard_limit", "0", "0"},
           {"stats", "1", "text"},
           {"stats", "off", "off"}}) {
    const std::string before = Get(name);

    EXPECT_EQ(cma_option_set(name, value), 0) << name;

    EXPECT_EQ(Get(name), shown);
    EXPECT_EQ(cma_option_set(name, before.c_str()), 0) << "what was got can be set";
    EXPECT_EQ(Get(name), before);
  }
}

TEST(OptionsTest, UnknownNamesAreNoEntry) {
  char value[32];
  errno = 0;
  EXPECT_EQ(cma_option_set("release_dealy_ms", "1"), -1);
  EXPECT_EQ(errno, ENOENT);
  errno = 0;
  EXPECT_EQ(cma_option_get("", value, sizeof value), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST(OptionsTest, BadValuesAreInvalidAndChangeNothing) {
  const std::string before = Get("release_delay_ms");
  for (const char* value : {"", "x", "-1", "1x", "99999999999"}) {
    errno = 0;
    EXPECT_EQ(cma_option_set("release_delay_ms", value), -1) << value;
    EXPECT_EQ(errno, EINVAL) << value;
  }
  EXPECT_EQ(Get("release_delay_ms"), before);
}

TEST(OptionsTest, WhatIsFixedAtTheStartIsNotPermitted) {
  for (const char* name : {"arenas", "profile", "madv_free", "background_thread", "strict"}) {
    const std::string before = Get(name);
    errno = 0;
    EXPECT_EQ(cma_option_set(name, "1"), -1) << name;
    EXPECT_EQ(errno, EPERM) << name;
    EXPECT_EQ(Get(name), before);
  }
}

TEST(OptionsTest, ATextThatDoesNotFitIsOutOfRange) {
  char value[4] = "abc";
  ASSERT_EQ(cma_option_set("release_delay_ms", "1234"), 0);
  errno = 0;

  EXPECT_EQ(cma_option_get("release_delay_ms", value, sizeof value), -1);

  EXPECT_EQ(errno, ERANGE);
  EXPECT_STREQ(value, "abc");
  ASSERT_EQ(cma_option_set("release_delay_ms", "123"), 0);
  EXPECT_EQ(cma_option_get("release_delay_ms", value, sizeof value), 0);
  EXPECT_STREQ(value, "123");
}

TEST(OptionsTest, AShorterDelayWakesTheThreadThatSleepsThroughALongOne) {
  const auto dirty = [] {
    cma_stats stats;
    cma_get_stats(&stats);
    return stats.dirty_bytes;
  };
  ASSERT_EQ(cma_option_set("release_delay_ms", "1h"), 0);
  std::vector<void*> blocks(100);
  for (void*& block : blocks) memset(block = cma_malloc(500'000), 1, 500'000);
  for (void* block : blocks) cma_free(block);
  ASSERT_GE(dirty(), size_t{40} << 20);

  ASSERT_EQ(cma_option_set("release_delay_ms", "10"), 0);

  EXPECT_TRUE(
      cma_test::WaitUntil([&] { return dirty() < size_t{8} << 20; }, std::chrono::seconds(20)));
}

TEST(OptionsTest, ThreadsMaySetAndReadThemAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 1000; ++i) {
        cma_option_set("cache_budget_kib", t % 2 == 0 ? "1024" : "4m");
        const std::string value = Get("cache_budget_kib");
        EXPECT_TRUE(value == "1024" || value == "4096") << value;
        cma_free(cma_malloc(static_cast<size_t>(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
