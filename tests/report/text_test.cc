#include "report/text.h"

#include <gtest/gtest.h>

#include <string>

#include "support/captured_text.h"

namespace cma {
namespace {

constexpr size_t kCapacity = 1024;

std::string Contents(const Text& text) { return {text.data(), text.size()}; }

TEST(TextTest, ANewTextIsEmpty) { EXPECT_EQ(Text().size(), 0u); }

TEST(TextTest, NumbersAreDecimal) {
  Text text;

  text.AddNumber(0).Add(" ").AddNumber(7).Add(" ").AddNumber(1234567890).Add(" ");
  text.AddNumber(UINT64_MAX);

  EXPECT_EQ(Contents(text), "0 7 1234567890 18446744073709551615");
}

TEST(TextTest, HexNumbersHaveNoLeadingZeros) {
  Text text;

  text.AddHex(0).Add(" ").AddHex(0xf).Add(" ").AddHex(0x10).Add(" ").AddHex(0x7f00aBcd).Add(" ");
  text.AddHex(UINT64_MAX);

  EXPECT_EQ(Contents(text), "0x0 0xf 0x10 0x7f00abcd 0xffffffffffffffff");
}

TEST(TextTest, PaddedNumbersAreRightAlignedAndNeverCutOff) {
  Text text;

  text.AddPadded(5, 3).Add("|").AddPadded(123, 3).Add("|").AddPadded(12345, 3).Add("|");
  text.AddPadded(0, 2);

  EXPECT_EQ(Contents(text), "  5|123|12345| 0");
}

TEST(TextTest, WhatDoesNotFitIsCutOff) {
  Text text;
  const std::string almost(kCapacity - 2, 'a');

  text.Add(almost.c_str()).Add("bcd").AddNumber(99).AddHex(99).AddPadded(1, 100);

  EXPECT_EQ(text.size(), kCapacity);
  EXPECT_EQ(Contents(text), almost + "bc");
}

TEST(TextTest, WritingEmptiesTheTextForTheNextLine) {
  Text text;

  const std::string written = cma_test::TextWrittenBy([&](int fd) {
    text.Add("first\n").WriteTo(fd);
    EXPECT_EQ(text.size(), 0u);
    text.Add("second\n").WriteTo(fd);
  });

  EXPECT_EQ(written, "first\nsecond\n");
}

TEST(TextTest, WhatWouldEndAQuotedStringIsEscaped) {
  Text text;

  text.AddEscaped("a\"b\\c\nd\te\x7f");

  EXPECT_EQ(std::string(text.data(), text.size()), "a\\\"b\\\\c\\nd?e?");
  text.Clear();
  EXPECT_EQ(text.size(), 0u);
}

TEST(TextTest, BytesThatAreNoUtf8AreReplacedInAQuotedString) {
  Text text;

  text.AddEscaped("caf\xe9|caf\xc3\xa9|\xe2\x82\xac|\xe2\x82|\xed\xa0\x80|\xf0\x9f\x98\x80|\xc3");

  EXPECT_EQ(Contents(text), "caf?|caf\xc3\xa9|\xe2\x82\xac|??|???|\xf0\x9f\x98\x80|?");
}

}  // namespace
}  // namespace cma
