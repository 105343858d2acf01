// What `cma bench` runs for a command line.
#include "tool/bench_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tool/bench_results.h"
#include "tool/bench_scenarios.h"

namespace cma::tool {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::vector<BenchJob> JobsFor(const std::vector<std::string>& scenarios, std::vector<int> threads) {
  BenchRequest request;
  request.scenarios = scenarios;
  request.threads = std::move(threads);
  request.seconds = 0.5;
  const absl::StatusOr<std::vector<BenchJob>> jobs = MakeBenchJobs(request, "/bench");
  EXPECT_TRUE(jobs.ok()) << jobs.status();
  return jobs.value_or(std::vector<BenchJob>());
}

TEST(BenchJobsTest, AScenarioRunsAtEachNumberOfThreadsWithTheSameWork) {
  const std::vector<BenchJob> jobs = JobsFor({"single_size_64"}, {1, 8});

  ASSERT_THAT(jobs, SizeIs(2));
  EXPECT_THAT(jobs[0].command, ElementsAre("/bench/single_size_loop", "--threads", "1", "--size",
                                           "64", "--ops", "60000000"));
  EXPECT_THAT(jobs[1].command, ElementsAre("/bench/single_size_loop", "--threads", "8", "--size",
                                           "64", "--ops", "60000000"));
  EXPECT_THAT(jobs[0].figures, ElementsAre(kThroughput, kPeakRss, kRestRss));
}

TEST(BenchJobsTest, ARealProgramRunsOnceWhateverTheThreads) {
  const std::vector<BenchJob> jobs = JobsFor({"start_up"}, {1, 2, 4});

  ASSERT_THAT(jobs, SizeIs(1));
  EXPECT_EQ(jobs[0].threads, 0);
  EXPECT_THAT(jobs[0].command, ElementsAre("/bench/programs/start_up.sh", "--ops", "400"));
  EXPECT_EQ(jobs[0].figures.front(), kSeconds);
}

TEST(BenchJobsTest, LatenciesAreTheFiguresOfTheirScenarios) {
  const std::vector<BenchJob> jobs = JobsFor({"latency_thread_local"}, {2});

  ASSERT_THAT(jobs, SizeIs(1));
  EXPECT_THAT(jobs[0].command, Contains("thread-local"));
  EXPECT_THAT(jobs[0].figures, SizeIs(8));
  EXPECT_EQ(kFigures[jobs[0].figures.front()].key, "malloc_p50_ns");
  EXPECT_EQ(kFigures[jobs[0].figures.back()].key, "free_max_ns");
}

TEST(BenchJobsTest, ScenariosThatNeedMoreThreadsAreLeftOut) {
  EXPECT_THAT(JobsFor({"false_sharing_active"}, {1, 2}), SizeIs(1));

  BenchRequest request;
  request.scenarios = {"false_sharing_active"};
  request.threads = {1};
  EXPECT_THAT(std::string(MakeBenchJobs(request, "/bench").status().message()),
              HasSubstr("need more threads"));
}

TEST(BenchScenariosTest, OneWhoseProgramIsMissingIsLeftOutOfAllAndRefusedByName) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const absl::StatusOr<std::vector<Scenario>> all = ChooseScenarios({});
  const absl::StatusOr<std::vector<Scenario>> redis = ChooseScenarios({"redis"});
  setenv("PATH", path.c_str(), 1);

  ASSERT_TRUE(all.ok());
  for (const Scenario& scenario : *all) EXPECT_NE(scenario.kind, ScenarioKind::kProgram);
  EXPECT_EQ(redis.status().message(), "scenario redis needs redis-server, which is not installed");
}

}  // namespace
}  // namespace cma::tool
