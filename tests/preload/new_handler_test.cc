// operator new that finds no memory: std::new_handler, std::bad_alloc, nullptr.
//
// The aligned operator new of libstdc++ 12 rounds SIZE_MAX up to 0, so these tests fail without
// cma.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "preload/cma_in_use.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;

constexpr size_t kImpossible[] = {SIZE_MAX, SIZE_MAX - 64, size_t{PTRDIFF_MAX} + 1,
                                  size_t{PTRDIFF_MAX}, size_t{1} << 47};
constexpr auto kAlign = std::align_val_t{64};

int g_calls = 0;

void ThrowBadAlloc() {
  ++g_calls;
  throw std::bad_alloc();
}

class OtherError : public std::bad_alloc {};

void ThrowAnotherError() {
  ++g_calls;
  throw OtherError();
}

// Gives up at the third call.
void HelpInVain() {
  if (++g_calls == 3) std::set_new_handler(nullptr);
}

class NewHandlerTest : public testing::Test {
 protected:
  void SetUp() override { g_calls = 0; }
  void TearDown() override { std::set_new_handler(nullptr); }
};

TEST_F(NewHandlerTest, ImpossibleSizesThrowBadAlloc) {
  for (const size_t size : kImpossible) {
    EXPECT_THROW((void)::operator new(Opaque(size)), std::bad_alloc) << size;
    EXPECT_THROW((void)::operator new[](Opaque(size)), std::bad_alloc) << size;
    EXPECT_THROW((void)::operator new(Opaque(size), kAlign), std::bad_alloc) << size;
    EXPECT_THROW((void)::operator new[](Opaque(size), kAlign), std::bad_alloc) << size;
  }
}

TEST_F(NewHandlerTest, ImpossibleSizesGiveNullWithNothrow) {
  for (const size_t size : kImpossible) {
    EXPECT_EQ(::operator new(Opaque(size), std::nothrow), nullptr) << size;
    EXPECT_EQ(::operator new[](Opaque(size), std::nothrow), nullptr) << size;
    EXPECT_EQ(::operator new(Opaque(size), kAlign, std::nothrow), nullptr) << size;
    EXPECT_EQ(::operator new[](Opaque(size), kAlign, std::nothrow), nullptr) << size;
  }
}

TEST_F(NewHandlerTest, ContainersThatGrowTooLargeThrowAndKeepTheirContents) {
  std::vector<char> bytes(100, 'x');

  EXPECT_THROW(bytes.reserve(Opaque(size_t{1} << 47)), std::bad_alloc);

  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), std::string(100, 'x'));
}

TEST_F(NewHandlerTest, TheHandlerIsCalledUntilItGivesUp) {
  for (const size_t size : kImpossible) {
    g_calls = 0;
    std::set_new_handler(HelpInVain);

    EXPECT_THROW((void)::operator new(Opaque(size)), std::bad_alloc) << size;

    EXPECT_EQ(g_calls, 3) << size;
  }
}

TEST_F(NewHandlerTest, TheHandlerIsCalledForEveryForm) {
  const size_t size = kImpossible[0];
  const auto expect_calls = [](const char* form, auto allocate) {
    g_calls = 0;
    std::set_new_handler(HelpInVain);
    try {
      EXPECT_EQ(allocate(), nullptr) << form;
    } catch (const std::bad_alloc&) {
    }
    EXPECT_EQ(g_calls, 3) << form;
  };

  expect_calls("array", [=] { return ::operator new[](Opaque(size)); });
  expect_calls("aligned", [=] { return ::operator new(Opaque(size), kAlign); });
  expect_calls("aligned array", [=] { return ::operator new[](Opaque(size), kAlign); });
  expect_calls("nothrow", [=] { return ::operator new(Opaque(size), std::nothrow); });
  expect_calls("nothrow array", [=] { return ::operator new[](Opaque(size), std::nothrow); });
  expect_calls("aligned nothrow",
               [=] { return ::operator new(Opaque(size), kAlign, std::nothrow); });
  expect_calls("aligned nothrow array",
               [=] { return ::operator new[](Opaque(size), kAlign, std::nothrow); });
}

TEST_F(NewHandlerTest, NothrowGivesNullEvenIfTheHandlerThrows) {
  std::set_new_handler(ThrowBadAlloc);

  EXPECT_EQ(::operator new(Opaque(SIZE_MAX), std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](Opaque(SIZE_MAX), std::nothrow), nullptr);
  EXPECT_EQ(::operator new(Opaque(SIZE_MAX), kAlign, std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](Opaque(SIZE_MAX), kAlign, std::nothrow), nullptr);

  EXPECT_EQ(g_calls, 4);
}

TEST_F(NewHandlerTest, WhatTheHandlerThrowsReachesTheCaller) {
  std::set_new_handler(ThrowAnotherError);

  EXPECT_THROW((void)::operator new(Opaque(SIZE_MAX)), OtherError);
  EXPECT_THROW((void)::operator new(Opaque(SIZE_MAX), kAlign), OtherError);
}

TEST_F(NewHandlerTest, ObjectsOnTheWayAreDestroyed) {
  struct Guard {
    bool* destroyed;
    ~Guard() { *destroyed = true; }
  };
  bool destroyed = false;

  try {
    const Guard guard{&destroyed};
    (void)Opaque(new char[Opaque(size_t{1} << 47)]);
    ADD_FAILURE() << "no exception";
  } catch (const std::bad_alloc& error) {
    EXPECT_NE(std::string(error.what()), "");
  }

  EXPECT_TRUE(destroyed);
}

TEST_F(NewHandlerTest, TheHandlerIsNotCalledWhereThereIsMemory) {
  std::set_new_handler(ThrowBadAlloc);

  for (const size_t size : {0, 16, 5000, 200000, 5000000}) ::operator delete(::operator new(size));

  EXPECT_EQ(g_calls, 0);
}

rlim_t g_lifted;

// Out of address space, until its second call finds some.
void LiftTheLimit() {
  ++g_calls;
  rlimit limit;
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = g_lifted;
  if (g_calls == 2) setrlimit(RLIMIT_AS, &limit);
}

TEST_F(NewHandlerTest, AHandlerThatFindsMemoryMakesItSucceed) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  g_lifted = limit.rlim_cur;
  limit.rlim_cur = 1 << 20;
  std::set_new_handler(LiftTheLimit);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);

  void* const block = ::operator new(Opaque(size_t{256} << 20));

  EXPECT_NE(block, nullptr);
  EXPECT_EQ(g_calls, 2);
  ::operator delete(block);
}

}  // namespace
