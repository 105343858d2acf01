// Double frees of blocks that belong to the arena of another CPU than the one that frees them: such
// a block is on its way home for a while. Each fault has a process of its own.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "cma/cma.h"
#include "misuse/faulty_child.h"
#include "support/long_delay.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;
using cma_test::Outcome;
using cma_test::RunInChild;

constexpr int kNoFault = 0;

// Two CPUs that this process may use.
std::optional<std::pair<size_t, size_t>> TwoCpus() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return std::nullopt;
  std::optional<size_t> first;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    if (first) return std::pair(*first, cpu);
    first = cpu;
  }
  return std::nullopt;
}

void StayOn(size_t cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof(one), &one);
}

class DoubleFreeElsewhereTest : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    const auto cpus = TwoCpus();
    if (!cpus) GTEST_SKIP() << "there is only one CPU";
    here_ = cpus->first;
    elsewhere_ = cpus->second;
  }

  // Runs `fault` on one CPU of a process whose heap has an arena for each.
  template <typename Fault>
  Outcome RunHere(Fault fault) {
    return RunInChild([&](auto) {
      cma_free(cma_malloc(1));  // counts the CPUs
      StayOn(here_);
      fault();
      return kNoFault;
    });
  }

  template <typename Work>
  void OnTheOtherCpu(Work work) {
    std::thread([&] {
      StayOn(elsewhere_);
      work();
    }).join();
  }

  static void* FilledBlock() {
    void* const block = Opaque(cma_malloc(GetParam()));
    memset(block, 0x5a, GetParam());
    return block;
  }

  static void ExpectReport(const Outcome& outcome) {
    EXPECT_TRUE(outcome.Reported() && outcome.errors.rfind("cma: double free of 0x", 0) == 0)
        << GetParam() << " bytes: status " << outcome.status << ", " << outcome.errors;
  }

  size_t here_ = 0;
  size_t elsewhere_ = 0;
};

TEST_P(DoubleFreeElsewhereTest, IsReportedIfAThreadThatHasEndedFreedFirst) {
  ExpectReport(RunHere([this] {
    void* const block = FilledBlock();
    OnTheOtherCpu([=] { cma_free(block); });
    cma_free(Opaque(block));
  }));
}

TEST_P(DoubleFreeElsewhereTest, IsReportedIfOneThreadFreesTwice) {
  ExpectReport(RunHere([this] {
    void* const block = FilledBlock();
    OnTheOtherCpu([=] {
      cma_free(block);
      cma_free(Opaque(block));
    });
  }));
}

TEST_P(DoubleFreeElsewhereTest, IsReportedIfTheOwnerHasEnded) {
  ExpectReport(RunHere([this] {
    void* block = nullptr;
    OnTheOtherCpu([&] { block = FilledBlock(); });
    cma_free(block);
    cma_free(Opaque(block));
  }));
}

TEST_P(DoubleFreeElsewhereTest, IsReportedBeforeTheBlockIsGivenOutIfTheOtherThreadFreesSecond) {
  ExpectReport(RunHere([this] {
    void* const block = FilledBlock();
    cma_free(block);
    OnTheOtherCpu([=] { cma_free(Opaque(block)); });
    cma_malloc_trim(0);
  }));
}

INSTANTIATE_TEST_SUITE_P(Sizes, DoubleFreeElsewhereTest,
                         testing::Values(16, 64, 1024, 1040, 5000, 32768, 204800, 8388608),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

}  // namespace
