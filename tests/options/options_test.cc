#include "options/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace cma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

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
  for (const char* text : {static_cast<const char*>(nullptr), "", ",", ",,,"}) {
    const Parsed parsed = Parse(text);

    EXPECT_TRUE(HasDefaults(parsed.options));
    EXPECT_THAT(parsed.complaint, IsEmpty());
  }
}

TEST(OptionsTest, EachOptionSetsItsFieldAndNoOther) {
  for (const OptionInfo& option : kOptions) {
    Options expected;
    expected.*option.field = 4711;

    const Parsed parsed = Parse((std::string(option.name) + "=4711").c_str());

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
  EXPECT_EQ(sizeof(Options), std::size(kOptions) * sizeof(uint64_t));
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

TEST(OptionsTest, LargeValuesAreTakenWhole) {
  EXPECT_EQ(Parse("huge_cache_mib=123456789012345678").options.huge_cache_mib, 123456789012345678u);
}

TEST(OptionsTest, AVeryLongOptionIsShownCutOff) {
  const std::string name(5000, 'n');

  const Parsed parsed = Parse((name + "=1,arenas=2").c_str());

  EXPECT_EQ(parsed.options.arenas, 2u);
  EXPECT_THAT(parsed.complaint, HasSubstr("unknown option \"nnnn"));
  EXPECT_THAT(parsed.complaint, HasSubstr("did you mean"));
  EXPECT_LT(parsed.complaint.size(), 512u);
}

TEST(OptionsTest, HelpListsEveryOptionWithItsDefaultAndChangesNothing) {
  const Parsed parsed = Parse("help");

  EXPECT_TRUE(HasDefaults(parsed.options));
  const Options defaults;
  for (const OptionInfo& option : kOptions) {
    EXPECT_THAT(parsed.complaint, AllOf(HasSubstr(std::string("  ") + option.name + "=" +
                                                  std::to_string(defaults.*option.field) + "  "),
                                        HasSubstr(option.help)));
  }
}

}  // namespace
}  // namespace cma
