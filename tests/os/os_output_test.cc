#include "os/os_output.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <string>

#include "support/captured_text.h"

namespace cma {
namespace {

TEST(OsOutputTest, EverythingIsWritten) {
  const std::string text(40'000, 'x');

  EXPECT_EQ(cma_test::TextWrittenBy([&](int fd) { OsWrite(fd, text.data(), text.size()); }), text);
}

TEST(OsOutputTest, ABadDescriptorIsIgnoredAndErrnoKept) {
  errno = 4321;

  EXPECT_EQ(OsWrite(-1, "text", 4), EBADF);

  EXPECT_EQ(errno, 4321);
}

TEST(OsOutputTest, AVariableIsFoundByItsWholeName) {
  setenv("CMA_TEST_NAME", "value", 1);
  setenv("CMA_TEST_EMPTY", "", 1);
  unsetenv("CMA_TEST");

  EXPECT_STREQ(OsEnvironment("CMA_TEST_NAME"), "value");
  EXPECT_STREQ(OsEnvironment("CMA_TEST_EMPTY"), "");
  EXPECT_EQ(OsEnvironment("CMA_TEST"), nullptr);
  EXPECT_EQ(OsEnvironment("CMA_TEST_NAME_"), nullptr);
}

TEST(OsOutputTest, AProcessWithoutAnEnvironmentHasNoVariables) {
  char** const saved = environ;

  environ = nullptr;
  const char* const value = OsEnvironment("PATH");
  environ = saved;

  EXPECT_EQ(value, nullptr);
}

TEST(OsOutputDeathTest, AbortIsTheSignalThatDebuggersKnow) {
  EXPECT_EXIT(OsAbort(), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace cma
