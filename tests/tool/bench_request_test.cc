// The command line of `cma bench`.
#include "tool/bench_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cma::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<BenchRequest> Parse(std::vector<std::string> words) {
  static std::vector<std::string> kept;  // the request points into it
  kept = std::move(words);
  static std::vector<char*> argv;
  argv.clear();
  for (std::string& word : kept) argv.push_back(word.data());
  argv.push_back(nullptr);
  return ParseBenchRequest(Arguments(argv.data(), argv.size() - 1));
}

std::string MessageFor(std::vector<std::string> words) {
  return std::string(Parse(std::move(words)).status().message());
}

TEST(BenchRequestTest, NothingMeansEverythingWithDefaults) {
  const absl::StatusOr<BenchRequest> request = Parse({});

  ASSERT_TRUE(request.ok());
  EXPECT_THAT(request->scenarios, IsEmpty());
  EXPECT_THAT(request->allocators, IsEmpty());
  EXPECT_THAT(request->threads, IsEmpty());
  EXPECT_EQ(request->repeat, 5);
  EXPECT_EQ(request->program, nullptr);
}

TEST(BenchRequestTest, ValuesFollowOrStandBehindAnEqualsSign) {
  const absl::StatusOr<BenchRequest> request =
      Parse({"--scenario", "slot_churn,kv_store", "--threads=1,2,64", "--repeat=7", "--seconds",
             "0.25", "--rest-seconds=0", "--out", "results", "--allocators=cma,x=/lib/x.so"});

  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->scenarios, ElementsAre("slot_churn", "kv_store"));
  EXPECT_THAT(request->threads, ElementsAre(1, 2, 64));
  EXPECT_THAT(request->allocators, ElementsAre("cma", "x=/lib/x.so"));
  EXPECT_EQ(request->repeat, 7);
  EXPECT_EQ(request->seconds, 0.25);
  EXPECT_EQ(request->rest_seconds, 0);
  EXPECT_EQ(request->out, "results");
}

TEST(BenchRequestTest, AllIsTheSameAsNothing) {
  const absl::StatusOr<BenchRequest> request = Parse({"--scenario=all", "--allocators", "all"});

  ASSERT_TRUE(request.ok());
  EXPECT_THAT(request->scenarios, IsEmpty());
  EXPECT_THAT(request->allocators, IsEmpty());
}

TEST(BenchRequestTest, WhatFollowsTheDashesIsTheProgram) {
  const absl::StatusOr<BenchRequest> request = Parse({"--repeat", "2", "--", "ls", "--threads"});

  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->repeat, 2);
  ASSERT_NE(request->program, nullptr);
  EXPECT_STREQ(request->program[0], "ls");
  EXPECT_STREQ(request->program[1], "--threads");
  EXPECT_EQ(request->program[2], nullptr);
}

TEST(BenchRequestTest, MistakesAreNamed) {
  EXPECT_THAT(MessageFor({"--repat=3"}), HasSubstr("unknown flag '--repat=3'; did you mean '--rep"));
  EXPECT_THAT(MessageFor({"slot_churn"}), HasSubstr("unexpected word 'slot_churn'"));
  EXPECT_THAT(MessageFor({"--repeat"}), HasSubstr("--repeat needs a value"));
  EXPECT_THAT(MessageFor({"--repeat=0"}), HasSubstr("--repeat takes a number from 1"));
  EXPECT_THAT(MessageFor({"--repeat=1.5"}), HasSubstr("'1.5'"));
  EXPECT_THAT(MessageFor({"--threads=1,,2"}), HasSubstr("--threads takes"));
  EXPECT_THAT(MessageFor({"--threads=-1"}), HasSubstr("--threads takes"));
  EXPECT_THAT(MessageFor({"--seconds=nan"}), HasSubstr("--seconds takes seconds"));
  EXPECT_THAT(MessageFor({"--scenario=,"}), HasSubstr("--scenario takes names"));
  EXPECT_THAT(MessageFor({"--"}), HasSubstr("no program"));
  EXPECT_THAT(MessageFor({"--threads=2", "--", "ls"}), HasSubstr("not for a program of yours"));
}

TEST(BenchRequestTest, NothingIsNamedTwice) {
  EXPECT_EQ(MessageFor({"--scenario=redis,slot_churn,redis"}), "--scenario names 'redis' twice");
  EXPECT_EQ(MessageFor({"--scenario=redis", "--scenario=redis"}), "--scenario names 'redis' twice");
  EXPECT_EQ(MessageFor({"--threads=1,2,02"}), "--threads names '2' twice");
  EXPECT_EQ(MessageFor({"--allocators=cma,cma"}), "--allocators names 'cma' twice");
}

}  // namespace
}  // namespace cma::tool
