// What a report says and how the process ends.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <sstream>
#include <string>

#include "cma/cma.h"
#include "misuse/faulty_child.h"
#include "support/long_delay.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;
using cma_test::Outcome;
using cma_test::RunInChild;

Outcome FreeTwice(size_t size) {
  return RunInChild([size](auto tell) {
    void* const block = cma_malloc(size);
    tell(block);
    cma_free(block);
    cma_free(Opaque(block));
    return 0;
  });
}

Outcome FreeInterior(size_t size, size_t offset) {
  return RunInChild([=](auto tell) {
    char* const block = static_cast<char*>(cma_malloc(size));
    tell(block + offset);
    cma_free(Opaque(block + offset));
    return 0;
  });
}

TEST(ReportTest, NamesTheFaultAndTheAddress) {
  for (const size_t size : {1, 64, 1024, 5000, 204800, 8388608}) {
    const Outcome twice = FreeTwice(size);
    const Outcome interior = FreeInterior(size, 8);

    EXPECT_TRUE(twice.Reported()) << size << " bytes: " << twice.errors;
    EXPECT_EQ(twice.errors.rfind("cma: double free of " + twice.Told(), 0), 0u) << twice.errors;
    EXPECT_TRUE(interior.Reported()) << size << " bytes: " << interior.errors;
    EXPECT_EQ(interior.errors.rfind("cma: invalid free of " + interior.Told(), 0), 0u)
        << interior.errors;
  }
}

TEST(ReportTest, NamesTheSizeClass) {
  for (const size_t size : {1, 16, 100, 1024}) {
    const std::string bytes = std::to_string(cma_good_size(size)) + " B";

    const Outcome twice = FreeTwice(size);
    const Outcome interior = FreeInterior(size, 8);

    EXPECT_NE(twice.errors.find("size class " + bytes), std::string::npos) << twice.errors;
    EXPECT_NE(interior.errors.find("size class " + bytes), std::string::npos) << interior.errors;
  }
}

TEST(ReportTest, SaysWhatToDoNext) {
  const Outcome twice = FreeTwice(64);
  const Outcome interior = FreeInterior(64, 8);

  EXPECT_NE(twice.errors.find("aborting; "), std::string::npos) << twice.errors;
  EXPECT_NE(interior.errors.find("aborting; "), std::string::npos) << interior.errors;
}

TEST(ReportTest, IsOneLineThatSaysWhoSpeaks) {
  for (const Outcome& outcome : {FreeTwice(64), FreeTwice(8388608), FreeInterior(5000, 64)}) {
    std::istringstream text(outcome.errors);
    int lines = 0;
    for (std::string line; std::getline(text, line); ++lines) {
      EXPECT_EQ(line.rfind("cma: ", 0), 0u) << outcome.errors;
    }
    EXPECT_EQ(lines, 1) << outcome.errors;
    EXPECT_EQ(outcome.errors.back(), '\n') << outcome.errors;
  }
}

TEST(ReportTest, LeavesStandardOutputAlone) {
  int output[2];
  ASSERT_EQ(pipe(output), 0);

  const Outcome outcome = RunInChild([&](auto) {
    dup2(output[1], STDOUT_FILENO);
    cma_free(reinterpret_cast<void*>(0xdeadbeef000));
    return 0;
  });

  close(output[1]);
  EXPECT_TRUE(outcome.Reported());
  EXPECT_EQ(cma_test::ReadAll(output[0]), "");
  close(output[0]);
}

TEST(ReportTest, AbortsEvenIfStderrIsClosed) {
  const Outcome outcome = RunInChild([](auto) {
    close(STDERR_FILENO);
    cma_free(reinterpret_cast<void*>(0xdeadbeef000));
    return 0;
  });

  EXPECT_TRUE(outcome.Aborted()) << outcome.status;
}

TEST(ReportTest, AHandlerOfSigabrtIsCalled) {
  const Outcome outcome = RunInChild([](auto) {
    signal(SIGABRT, [](int) { _exit(42); });
    cma_free(reinterpret_cast<void*>(0xdeadbeef000));
    return 0;
  });

  EXPECT_TRUE(outcome.Exited(42)) << outcome.status;
}

TEST(ReportTest, AHandlerOfSigabrtMayAllocate) {
  const Outcome outcome = RunInChild([](auto) {
    signal(SIGABRT, [](int) {
      for (const size_t size : {16, 5000, 204800, 8388608}) {
        void* const block = cma_malloc(size);
        if (block == nullptr) _exit(1);
        cma_free(block);
      }
      _exit(42);
    });
    void* const block = cma_malloc(204800);
    cma_free(block);
    cma_free(Opaque(block));
    return 0;
  });

  EXPECT_TRUE(outcome.Exited(42)) << outcome.status << ": " << outcome.errors;
}

TEST(ReportTest, AbortsEvenIfSigabrtIsIgnoredOrBlocked) {
  const Outcome ignored = RunInChild([](auto) {
    signal(SIGABRT, SIG_IGN);
    cma_free(reinterpret_cast<void*>(0xdeadbeef000));
    return 0;
  });
  const Outcome blocked = RunInChild([](auto) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    cma_free(reinterpret_cast<void*>(0xdeadbeef000));
    return 0;
  });

  EXPECT_TRUE(ignored.Aborted()) << ignored.status;
  EXPECT_TRUE(blocked.Aborted()) << blocked.status;
}

}  // namespace
