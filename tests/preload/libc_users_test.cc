// Functions of the C library that allocate for their caller, or free and resize what the caller
// allocated: they and the program must mean the same heap.
//
// cma-test: plain
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <iconv.h>
#include <limits.h>
#include <locale.h>
#include <malloc.h>
#include <netdb.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <string>
#include <thread>
#include <vector>

#include "preload/cma_in_use.h"

namespace {

using namespace cma_test;

TEST(LibcUsersTest, StrdupAndItsLike) {
  for (const size_t length : {0, 10, 2000, 100000}) {
    const std::string text(length, 'x');
    char* const copy = strdup(text.c_str());
    char* const part = strndup(text.c_str(), length / 2);
    wchar_t* const wide = wcsdup(L"wide");

    EXPECT_EQ(copy, text);
    EXPECT_EQ(strlen(part), length / 2);
    free(copy);
    free(part);
    free(wide);
  }
}

TEST(LibcUsersTest, GetlineGrowsABlockOfMalloc) {
  FILE* const file = tmpfile();
  ASSERT_NE(file, nullptr);
  const std::string lengths[] = {"short", std::string(5000, 'm'), std::string(300000, 'l'), "end"};
  for (const std::string& line : lengths) fprintf(file, "%s\n", line.c_str());
  rewind(file);
  size_t capacity = 4;
  char* line = static_cast<char*>(malloc(capacity));

  for (const std::string& expected : lengths) {
    const ssize_t length = getline(&line, &capacity, file);

    ASSERT_EQ(length, static_cast<ssize_t>(expected.size() + 1));
    EXPECT_EQ(std::string(line, static_cast<size_t>(length - 1)), expected);
    EXPECT_GE(malloc_usable_size(line), capacity);
  }
  free(line);
  fclose(file);
}

TEST(LibcUsersTest, AsprintfGivesABlockForFree) {
  char* text = nullptr;

  ASSERT_EQ(asprintf(&text, "%s %d %0500d", "number", 42, 7), 510);

  EXPECT_EQ(strncmp(text, "number 42 000", 13), 0);
  text = static_cast<char*>(realloc(text, 100000));
  EXPECT_EQ(strlen(text), 510u);
  free(text);
}

TEST(LibcUsersTest, RealpathAndGetcwdGiveBlocksForFree) {
  char* const path = realpath("/proc/self/..", nullptr);
  char* const here = getcwd(nullptr, 0);
  char* const wide_here = getcwd(nullptr, PATH_MAX);

  EXPECT_STREQ(path, "/proc");
  EXPECT_NE(here, nullptr);
  EXPECT_STREQ(here, wide_here);
  free(path);
  free(here);
  free(wide_here);
}

TEST(LibcUsersTest, MemoryStreamsGiveBlocksForFree) {
  char* text = nullptr;
  size_t length = 0;
  FILE* const stream = open_memstream(&text, &length);
  for (int i = 0; i < 50000; ++i) fprintf(stream, "%d,", i);
  fclose(stream);

  EXPECT_EQ(strlen(text), length);
  EXPECT_GE(malloc_usable_size(text), length + 1);
  free(text);
}

TEST(LibcUsersTest, ScanfGivesBlocksForFree) {
  char* word = nullptr;

  ASSERT_EQ(sscanf("hello world", "%ms", &word), 1);

  EXPECT_STREQ(word, "hello");
  free(word);
}

TEST(LibcUsersTest, SortingALargeArrayNeedsAndFreesABuffer) {
  std::vector<int> numbers(500000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i * 7919 % 500009);

  qsort(numbers.data(), numbers.size(), sizeof(int), [](const void* a, const void* b) {
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
  });

  for (size_t i = 1; i < numbers.size(); ++i) ASSERT_LE(numbers[i - 1], numbers[i]);
}

TEST(LibcUsersTest, RegularExpressions) {
  regex_t pattern;
  ASSERT_EQ(regcomp(&pattern, "(a|b)*c{2,5}[[:digit:]]+(foo|bar)?$", REG_EXTENDED), 0);

  EXPECT_EQ(regexec(&pattern, "xxababccc123bar", 0, nullptr, 0), 0);
  EXPECT_NE(regexec(&pattern, "xxababc123bar", 0, nullptr, 0), 0);

  regfree(&pattern);
}

TEST(LibcUsersTest, HashTablesAndTrees) {
  ASSERT_NE(hcreate(1000), 0);
  void* tree = nullptr;
  const auto compare = [](const void* a, const void* b) {
    return strcmp(static_cast<const char*>(a), static_cast<const char*>(b));
  };
  for (int i = 0; i < 500; ++i) {
    char* const key = strdup(std::to_string(i).c_str());
    EXPECT_NE(hsearch(ENTRY{key, nullptr}, ENTER), nullptr);
    EXPECT_NE(tsearch(strdup(key), &tree, compare), nullptr);
  }

  EXPECT_NE(hsearch(ENTRY{const_cast<char*>("321"), nullptr}, FIND), nullptr);
  EXPECT_NE(tfind("321", &tree, compare), nullptr);

  hdestroy();  // keeps the keys
  tdestroy(tree, free);
}

TEST(LibcUsersTest, EnvironmentLocaleAndConversion) {
  for (int i = 0; i < 200; ++i) {
    const std::string name = "CMA_LIFETIME_" + std::to_string(i);
    ASSERT_EQ(setenv(name.c_str(), std::string(static_cast<size_t>(i) * 10, 'v').c_str(), 1), 0);
  }
  EXPECT_EQ(strlen(getenv("CMA_LIFETIME_199")), 1990u);
  for (int i = 0; i < 200; ++i) unsetenv(("CMA_LIFETIME_" + std::to_string(i)).c_str());

  const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  EXPECT_NE(locale, nullptr);
  freelocale(locale);

  const iconv_t conversion = iconv_open("UTF-16LE", "UTF-8");
  if (conversion != reinterpret_cast<iconv_t>(-1)) iconv_close(conversion);
}

TEST(LibcUsersTest, AddressLookup) {
  addrinfo* found = nullptr;
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;

  ASSERT_EQ(getaddrinfo("127.0.0.1", "80", &hints, &found), 0);

  EXPECT_NE(found, nullptr);
  freeaddrinfo(found);
}

TEST(LibcUsersTest, ThreadsCallAllOfThemAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) {
        char* text = nullptr;
        ASSERT_GT(asprintf(&text, "%d:%d:%0*d", t, i, i, 0), 0);
        char* const copy = strdup(text);
        char* const path = realpath("/", nullptr);
        free(text);
        free(path);
        free(copy);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
