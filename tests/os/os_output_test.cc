#include "os/os_output.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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

// In processes of their own: what is kept stays kept.
TEST(OsOutputDeathTest, ErrorsAreKeptWhenTheProgramHasClosedThem) {
  EXPECT_EXIT(
      {
        OsKeepErrors();
        const int kept = OsKeptErrors();
        close(2);
        if (kept < 100 || OsKeptErrors() != kept) _exit(1);
        if (fcntl(kept, F_GETFD) != FD_CLOEXEC) _exit(2);
        OsWrite(kept, "text", 4);
        _exit(0);
      },
      testing::ExitedWithCode(0), "text");
}

TEST(OsOutputDeathTest, AnotherFileIsNotTakenForErrors) {
  EXPECT_EXIT(
      {
        OsKeepErrors();
        const int other = open("/dev/null", O_WRONLY);
        dup2(other, OsKeptErrors());
        if (OsKeptErrors() != 2) _exit(1);
        dup2(other, 2);
        _exit(OsKeptErrors() == -1 ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(OsOutputDeathTest, WithoutErrorsAtTheStartThereAreNone) {
  EXPECT_EXIT(
      {
        if (OsKeptErrors() != -1) _exit(1);
        close(2);
        OsKeepErrors();
        open("/dev/null", O_WRONLY);
        _exit(OsKeptErrors() == -1 ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(OsOutputDeathTest, AbortIsTheSignalThatDebuggersKnow) {
  EXPECT_EXIT(OsAbort(), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace cma
