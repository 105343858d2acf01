#include "options/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/units.h"
#include "options/option_value.h"
#include "options/profiles.h"
#include "os/cgroup.h"

namespace cma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Parsed {
  Options options;
  std::string complaint;
};

Parsed Parse(const char* text) {
  Parsed parsed;
  testing::internal::CaptureStderr();
  ParseOptions(text, parsed.options);
  parsed.complaint = testing::internal::GetCapturedStderr();
  return parsed;
}

bool HasDefaults(const Options& options) {
  const Options defaults;
  return std::all_of(std::begin(kOptions), std::end(kOptions), [&](const OptionInfo& option) {
    return options.*option.field == defaults.*option.field;
  });
}

TEST(OptionsTest, NothingToParseLeavesTheDefaults) {
  for (const char* text : {"", ",", ",,,"}) {
    const Parsed parsed = Parse(text);

    EXPECT_TRUE(HasDefaults(parsed.options));
    EXPECT_THAT(parsed.complaint, IsEmpty());
  }
}

TEST(OptionsTest, EachOptionSetsItsFieldAndNoOther) {
  for (const OptionInfo& option : kOptions) {
    if (option.field == &Options::profile) continue;  // sets others too, on purpose
    Options expected;
    expected.*option.field = option.most;

    const Parsed parsed =
        Parse((std::string(option.name) + "=" + std::to_string(option.most)).c_str());

    EXPECT_THAT(parsed.complaint, IsEmpty());
    for (const OptionInfo& other : kOptions) {
      EXPECT_EQ(parsed.options.*other.field, expected.*other.field)
          << other.name << " after setting " << option.name;
    }
  }
}

TEST(OptionsTest, TheTableNamesEveryFieldOnce) {
  std::set<std::string> names;
  for (const OptionInfo& option : kOptions) names.insert(option.name);

  EXPECT_EQ(names.size(), std::size(kOptions));
  EXPECT_EQ(sizeof(Options), std::size(kOptions) * sizeof(Setting));
}

TEST(OptionsTest, SeveralOptionsAreSeparatedByCommas) {
  const Parsed parsed = Parse("arenas=3,,stats=1,release_delay_ms=0,");

  EXPECT_EQ(parsed.options.arenas, 3u);
  EXPECT_EQ(parsed.options.stats, 1u);
  EXPECT_EQ(parsed.options.release_delay_ms, 0u);
  EXPECT_THAT(parsed.complaint, IsEmpty());
}

TEST(OptionsTest, TheLastOfTwoValuesCounts) {
  EXPECT_EQ(Parse("arenas=3,arenas=5").options.arenas, 5u);
}

TEST(OptionsTest, AnUnknownOptionIsIgnoredAndTheNearestNameOffered) {
  const Parsed parsed = Parse("release_dealy_ms=7,arenas=2");

  EXPECT_EQ(parsed.options.release_delay_ms, Options().release_delay_ms);
  EXPECT_EQ(parsed.options.arenas, 2u);
  EXPECT_THAT(parsed.complaint,
              AllOf(HasSubstr("cma: unknown option \"release_dealy_ms\""),
                    HasSubstr("did you mean release_delay_ms?"), HasSubstr("CMA_OPTIONS=help")));
  EXPECT_EQ(std::count(parsed.complaint.begin(), parsed.complaint.end(), '\n'), 1);
}

TEST(OptionsTest, EveryNameWithALetterMissingHasItselfAsTheNearest) {
  for (const OptionInfo& option : kOptions) {
    const std::string name = option.name;
    for (size_t i = 0; i < name.size(); ++i) {
      std::string wrong = name;
      wrong.erase(i, 1);

      const Parsed parsed = Parse((wrong + "=1").c_str());

      EXPECT_THAT(parsed.complaint, HasSubstr("did you mean " + name + "?")) << wrong;
    }
  }
}

TEST(OptionsTest, NothingIsOfferedForWhatIsLikeNothing) {
  for (const char* text : {"fast_mode=1", "=1", "stats=yes", "profile=fast"}) {
    const Parsed parsed = Parse(text);

    EXPECT_THAT(parsed.complaint, HasSubstr("CMA_OPTIONS=help")) << text;
    EXPECT_THAT(parsed.complaint, Not(HasSubstr("did you mean"))) << text;
  }
}

TEST(OptionsTest, AMalformedValueCostsOneLineAndKeepsTheDefault) {
  for (const char* value :
       {"", "abc", "-1", "1x", " 1", "0x10", "1.5", "=1", "99999999999999999999999999"}) {
    const Parsed parsed = Parse((std::string("arenas=") + value).c_str());

    EXPECT_TRUE(HasDefaults(parsed.options)) << value;
    EXPECT_THAT(parsed.complaint, HasSubstr("the value of \"arenas=")) << value;
    EXPECT_EQ(std::count(parsed.complaint.begin(), parsed.complaint.end(), '\n'), 1) << value;
  }
}

TEST(OptionsTest, ANameWithoutAValueIsMalformed) {
  const Parsed parsed = Parse("arenas");

  EXPECT_TRUE(HasDefaults(parsed.options));
  EXPECT_THAT(parsed.complaint, HasSubstr("the value of \"arenas\""));
}

TEST(OptionsTest, APrefixOfANameIsUnknown) {
  EXPECT_THAT(Parse("arena=1").complaint, HasSubstr("unknown option \"arena\""));
  EXPECT_THAT(Parse("arenas2=1").complaint, HasSubstr("unknown option \"arenas2\""));
  EXPECT_THAT(Parse("=1").complaint, HasSubstr("unknown option \"\""));
}

TEST(OptionsTest, TheRangeIsCheckedAndNamed) {
  EXPECT_EQ(Parse("arenas=512").options.arenas, 512u);

  const Parsed parsed = Parse("arenas=513");

  EXPECT_TRUE(HasDefaults(parsed.options));
  EXPECT_THAT(parsed.complaint,
              AllOf(HasSubstr("the value of \"arenas=513\""), HasSubstr("it takes 0 to 512")));
  EXPECT_THAT(Parse("hard_limit=1m").complaint, HasSubstr("it takes 0, 16MiB to 128TiB"));
  EXPECT_THAT(Parse("madv_free=2").complaint, HasSubstr("it takes 0 or 1"));
}

TEST(OptionsTest, AVeryLongOptionIsShownCutOff) {
  const std::string name(5000, 'n');

  const Parsed parsed = Parse((name + "=1,arenas=2").c_str());

  EXPECT_EQ(parsed.options.arenas, 2u);
  EXPECT_THAT(parsed.complaint, HasSubstr("unknown option \"nnnn"));
  EXPECT_LT(parsed.complaint.size(), 512u);
}

TEST(OptionsTest, HelpListsEveryOptionWithItsDefaultAndChangesNothing) {
  const Parsed parsed = Parse("help");

  EXPECT_TRUE(HasDefaults(parsed.options));
  const Options defaults;
  for (const OptionInfo& option : kOptions) {
    Text value;
    AddValue(value, option, defaults.*option.field);
    EXPECT_THAT(parsed.complaint, AllOf(HasSubstr(std::string("  ") + option.name + "=" +
                                                  std::string(value.data(), value.size()) + "  "),
                                        HasSubstr(option.help)));
  }
}

TEST(OptionsTest, SizesMayHaveASuffix) {
  EXPECT_EQ(Parse("cache_budget_kib=3m").options.cache_budget_kib, 3072u);
  EXPECT_EQ(Parse("cache_budget_kib=2MiB").options.cache_budget_kib, 2048u);
  EXPECT_EQ(Parse("cache_budget_kib=1gb").options.cache_budget_kib, uint64_t{1} << 20);
  EXPECT_EQ(Parse("huge_cache_mib=2T").options.huge_cache_mib, uint64_t{2} << 20);
  EXPECT_EQ(Parse("huge_cache_mib=1k").options.huge_cache_mib, 1u) << "rounded up";
  EXPECT_EQ(Parse("soft_limit=64m").options.soft_limit, 64 * kMiB);
  EXPECT_EQ(Parse("soft_limit=67108864b").options.soft_limit, 64 * kMiB);
}

TEST(OptionsTest, TimesMayHaveASuffix) {
  EXPECT_EQ(Parse("release_delay_ms=20ms").options.release_delay_ms, 20u);
  EXPECT_EQ(Parse("release_delay_ms=3s").options.release_delay_ms, 3000u);
  EXPECT_EQ(Parse("release_delay_ms=2min").options.release_delay_ms, 120'000u);
  EXPECT_EQ(Parse("release_delay_ms=1h").options.release_delay_ms, 3'600'000u);
}

TEST(OptionsTest, ASuffixThatDoesNotFitIsMalformed) {
  for (const char* text :
       {"cache_budget_kib=1x", "cache_budget_kib=1kk", "cache_budget_kib=1s", "cache_budget_kib=1%",
        "release_delay_ms=1m", "release_delay_ms=1k", "arenas=1k", "stats=1k", "soft_limit=0%",
        "soft_limit=101%", "soft_limit=%", "soft_limit=18446744073709551615t",
        "release_delay_ms=18446744073709551615h", "madv_free=1b"}) {
    const Parsed parsed = Parse(text);

    EXPECT_TRUE(HasDefaults(parsed.options)) << text;
    EXPECT_THAT(parsed.complaint, HasSubstr(text));
  }
}

TEST(OptionsTest, ALimitMayBeAShareOfTheUsableMemory) {
  const uint64_t memory = OsUsableMemory();

  EXPECT_EQ(Parse("soft_limit=80%").options.soft_limit, memory / 100 * 80);
  EXPECT_EQ(Parse("hard_limit=100%").options.hard_limit, memory / 100 * 100);
}

TEST(OptionsTest, WordsHaveNamesAndNumbers) {
  EXPECT_EQ(Parse("stats=json").options.stats, static_cast<uint64_t>(StatsFormat::kJson));
  EXPECT_EQ(Parse("stats=JSON").options.stats, static_cast<uint64_t>(StatsFormat::kJson));
  EXPECT_EQ(Parse("stats=1").options.stats, static_cast<uint64_t>(StatsFormat::kText));
  EXPECT_EQ(Parse("stats=off").options.stats, 0u);
  EXPECT_THAT(
      Parse("stats=jsn").complaint,
      AllOf(HasSubstr("did you mean json?"), HasSubstr("it takes off, text, json or prometheus")));
}

TEST(OptionsTest, ManyCpusHaveALargerCacheBudgetUnlessItIsGiven) {
  Options few;
  FitDefaults(64, few);
  EXPECT_TRUE(HasDefaults(few));

  Options many;
  FitDefaults(128, many);
  EXPECT_EQ(many.cache_budget_kib, 65536u);

  ParseOptions("cache_budget_kib=32m", many);
  EXPECT_EQ(many.cache_budget_kib, 32768u);
  FitDefaults(128, many);
  ParseOptions("profile=low_memory", many);
  EXPECT_EQ(many.cache_budget_kib, Parse("profile=low_memory").options.cache_budget_kib);
}

TEST(OptionsTest, AProfileSetsItsDefaultsAndExplicitOptionsWinInAnyOrder) {
  const Parsed low = Parse("profile=low_memory");
  for (const ProfileSetting& setting : kProfileSettings) {
    if (setting.profile == Profile::kLowMemory) {
      EXPECT_EQ(low.options.*setting.field, setting.value);
    }
  }
  EXPECT_LT(low.options.release_delay_ms, Options().release_delay_ms);
  EXPECT_GT(Parse("profile=throughput").options.cache_budget_kib, Options().cache_budget_kib);
  EXPECT_TRUE(HasDefaults(Parse("profile=balanced").options));

  for (const char* text :
       {"profile=low_memory,release_delay_ms=7", "release_delay_ms=7,profile=low_memory"}) {
    const Parsed parsed = Parse(text);

    EXPECT_EQ(parsed.options.release_delay_ms, 7u) << text;
    EXPECT_EQ(parsed.options.huge_cache_mib, low.options.huge_cache_mib) << text;
    EXPECT_THAT(parsed.complaint, IsEmpty());
  }
}

TEST(OptionsTest, AnUnknownProfileCostsOneLineAndChangesNothing) {
  const Parsed parsed = Parse("profile=low_memry");

  EXPECT_TRUE(HasDefaults(parsed.options));
  EXPECT_THAT(parsed.complaint, HasSubstr("did you mean low_memory?"));
  EXPECT_EQ(std::count(parsed.complaint.begin(), parsed.complaint.end(), '\n'), 1);
}

TEST(OptionsTest, ProfileValuesAreInTheRangesOfTheirOptions) {
  for (const ProfileSetting& setting : kProfileSettings) {
    const auto* option =
        std::find_if(std::begin(kOptions), std::end(kOptions),
                     [&](const OptionInfo& o) { return o.field == setting.field; });
    ASSERT_NE(option, std::end(kOptions));
    EXPECT_TRUE(setting.value == 0 || setting.value >= option->least) << option->name;
    EXPECT_LE(setting.value, option->most) << option->name;
  }
  EXPECT_EQ(std::size(kProfileWords), std::size(kProfileHelp));
}

TEST(OptionsTest, EveryDefaultIsAValueThatTheParserTakes) {
  const Options defaults;
  for (const OptionInfo& option : kOptions) {
    Text text;
    AddValue(text, option, defaults.*option.field);
    uint64_t value = ~uint64_t{0};

    EXPECT_TRUE(ParseValue(option, text.data(), text.size(), &value)) << option.name;
    EXPECT_EQ(value, defaults.*option.field) << option.name;
  }
}

TEST(OptionsTest, WhateverIsGivenTheOptionsStayInTheirRanges) {
  std::minstd_rand random(11);
  const std::vector<std::string> parts = {"arenas", "profile",  "stats", "soft_limit", "=", "=",
                                          ",",      "1",        "9",     "k",          "%", "iB",
                                          "json",   "hardened", "-",     "\xff"};
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (unsigned n = random() % 9; n != 0; --n) text += parts[random() % parts.size()];
    Options options;
    ParseOptions(text.c_str(), options);
    for (const OptionInfo& option : kOptions) {
      const uint64_t value = options.*option.field;
      EXPECT_TRUE(value == 0 || (value >= option.least && value <= option.most)) << text;
    }
  }
  testing::internal::GetCapturedStderr();
}

TEST(OptionsDeathTest, StrictAbortsAfterTheLastComplaintInAnyOrder) {
  Options options;
  for (const char* text : {"strict=1,arenas=x,no=1", "arenas=x,no=1,strict=1"}) {
    EXPECT_DEATH(ParseOptions(text, options), "the value of.*\n.*unknown option.*\n.*strict=1");
  }
}

TEST(OptionsTest, StrictLeavesWhatIsUnderstoodAlone) {
  EXPECT_EQ(Parse("strict=1,arenas=2").options.arenas, 2u);
}

TEST(SetOptionTest, ChangesWhatMayChangeAndNamesTheReasonElse) {
  Options options;

  EXPECT_EQ(SetOption("release_delay_ms", "2s", options), SetResult::kSet);
  EXPECT_EQ(options.release_delay_ms, 2000u);
  EXPECT_EQ(SetOption("release_delay_ms", "soon", options), SetResult::kBadValue);
  EXPECT_EQ(SetOption("release_delay_ms", "", options), SetResult::kBadValue);
  EXPECT_EQ(options.release_delay_ms, 2000u);
  EXPECT_EQ(SetOption("arenas", "2", options), SetResult::kFixedAtStart);
  EXPECT_EQ(SetOption("no_such_option", "2", options), SetResult::kUnknownName);
  EXPECT_TRUE(options.arenas == Options().arenas);
}

}  // namespace
}  // namespace cma
