#include "os/os_process.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

namespace cma {
namespace {

std::atomic<void*> g_ended{nullptr};
std::string g_steps;

TEST(OsProcessTest, TheFunctionForThreadExitGetsTheThreadsValue) {
  ASSERT_TRUE(OsOnThreadExit([](void* value) { g_ended = value; }));
  int value = 0;

  std::thread([&value] {
    errno = 4321;
    OsSetThreadValue(&value);
    EXPECT_EQ(errno, 4321);
  }).join();

  EXPECT_EQ(g_ended.load(), &value);
}

TEST(OsProcessTest, AThreadWithoutAValueEndsUnnoticed) {
  g_ended = nullptr;

  std::thread([] {}).join();

  EXPECT_EQ(g_ended.load(), nullptr);
}

TEST(OsProcessTest, ForkCallsItsFunctionsOnTheirSides) {
  ASSERT_TRUE(OsOnFork([] { g_steps += "prepare "; }, [] { g_steps += "parent"; },
                       [] { g_steps += "child"; }));

  const pid_t child = fork();
  if (child == 0) _exit(g_steps == "prepare child" ? 0 : 1);

  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(g_steps, "prepare parent");
}

TEST(OsProcessTest, ResidentBytesGrowWithWhatIsTouched) {
  constexpr size_t kBytes = size_t{64} << 20;
  errno = 4321;
  const size_t before = OsResidentBytes();
  EXPECT_EQ(errno, 4321);
  std::string touched(kBytes, 'x');

  const size_t after = OsResidentBytes();

  EXPECT_GT(before, 0u);
  EXPECT_GE(after, before + kBytes / 2);
  EXPECT_EQ(touched[kBytes / 2], 'x');
}

}  // namespace
}  // namespace cma
