// What is UTF-8 and what is not.
#include "tool/utf8_text.h"

#include <gtest/gtest.h>

#include <string>

namespace cma::tool {
namespace {

TEST(Utf8TextTest, CharactersOfAnyLengthStayAsTheyAre) {
  for (const std::string text : {"", "plain \\x", "\xc2\x80", "\xc3\xa9t\xc3\xa9", "\xe2\x82\xac",
                                 "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Utf8Text(text), text);
  }
}

TEST(Utf8TextTest, OtherBytesAreWrittenInHexadecimal) {
  EXPECT_EQ(Utf8Text("a\xffz"), "a\\xffz");
  EXPECT_EQ(Utf8Text("\x80\x81"), "\\x80\\x81");
  EXPECT_EQ(Utf8Text("\xc3"), "\\xc3");
  EXPECT_EQ(Utf8Text("\xe2\x82!"), "\\xe2\\x82!");
  EXPECT_EQ(Utf8Text("\xe2\xc3\xa9"), "\\xe2\xc3\xa9");
}

TEST(Utf8TextTest, TooLongFormsSurrogatesAndWhatIsBeyondUnicodeAreNone) {
  EXPECT_EQ(Utf8Text("\xc0\x80"), "\\xc0\\x80");
  EXPECT_EQ(Utf8Text("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf");
  EXPECT_EQ(Utf8Text("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(Utf8Text("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf");
  EXPECT_EQ(Utf8Text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

}  // namespace
}  // namespace cma::tool
