// Every operator new and delete of C++.
//
// cma-test: plain
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "preload/cma_in_use.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

// clang declares the sized ones only with -fsized-deallocation.
void operator delete(void* block, size_t size) noexcept;
void operator delete[](void* block, size_t size) noexcept;
void operator delete(void* block, size_t size, std::align_val_t alignment) noexcept;
void operator delete[](void* block, size_t size, std::align_val_t alignment) noexcept;

namespace {

using namespace cma_test;

constexpr size_t kSizes[] = {0, 1, 16, 100, 1024, 5000, 40000, 200000, 3000000};
constexpr size_t kAlignments[] = {8, 16, 32, 64, 4096, 65536, 2097152};

bool IsAligned(const void* block, size_t alignment) {
  return block != nullptr && reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

TEST(OperatorsTest, AllOfThemComeFromCma) {
  SKIP_WITHOUT_CMA();
  for (const char* name : {"_Znwm",
                           "_Znam",
                           "_ZnwmRKSt9nothrow_t",
                           "_ZnamRKSt9nothrow_t",
                           "_ZnwmSt11align_val_t",
                           "_ZnamSt11align_val_t",
                           "_ZnwmSt11align_val_tRKSt9nothrow_t",
                           "_ZnamSt11align_val_tRKSt9nothrow_t",
                           "_ZdlPv",
                           "_ZdaPv",
                           "_ZdlPvm",
                           "_ZdaPvm",
                           "_ZdlPvRKSt9nothrow_t",
                           "_ZdaPvRKSt9nothrow_t",
                           "_ZdlPvSt11align_val_t",
                           "_ZdaPvSt11align_val_t",
                           "_ZdlPvmSt11align_val_t",
                           "_ZdaPvmSt11align_val_t",
                           "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                           "_ZdaPvSt11align_val_tRKSt9nothrow_t"}) {
    void* const function = dlsym(RTLD_DEFAULT, name);

    EXPECT_NE(FileOf(function).find("libcma"), std::string::npos)
        << name << " comes from " << FileOf(function);
  }
}

TEST(OperatorsTest, PlainOnesGiveUsableBlocks) {
  for (const size_t size : kSizes) {
    void* const single = ::operator new(size);
    void* const array = ::operator new[](size);
    EXPECT_TRUE(IsAligned(single, 16) && IsAligned(array, 16)) << size;
    EXPECT_NE(single, array);
    FillPattern(single, size, 1);
    FillPattern(array, size, 2);
    EXPECT_EQ(FindDamage(single, size, 1), kIntact);

    ::operator delete(single);
    ::operator delete[](array);
  }
}

TEST(OperatorsTest, SizedDeletesFree) {
  for (const size_t size : kSizes) {
    ::operator delete(::operator new(size), size);
    ::operator delete[](::operator new[](size), size);
  }
}

TEST(OperatorsTest, NothrowOnesGiveUsableBlocks) {
  for (const size_t size : kSizes) {
    void* const single = ::operator new(size, std::nothrow);
    void* const array = ::operator new[](size, std::nothrow);
    EXPECT_TRUE(IsAligned(single, 16) && IsAligned(array, 16)) << size;

    ::operator delete(single, std::nothrow);
    ::operator delete[](array, std::nothrow);
  }
}

TEST(OperatorsTest, AlignedOnesKeepTheAlignment) {
  for (const size_t size : kSizes) {
    for (const size_t alignment : kAlignments) {
      const auto align = std::align_val_t{alignment};
      void* const single = ::operator new(size, align);
      void* const array = ::operator new[](size, align);
      void* const quiet = ::operator new(size, align, std::nothrow);
      void* const quiet_array = ::operator new[](size, align, std::nothrow);
      for (void* block : {single, array, quiet, quiet_array}) {
        EXPECT_TRUE(IsAligned(block, alignment)) << size << " bytes at " << alignment;
        FillPattern(block, size, KeyOfAddress(block));
      }

      ::operator delete(single, align);
      ::operator delete[](array, size, align);
      ::operator delete(quiet, align, std::nothrow);
      ::operator delete[](quiet_array, align, std::nothrow);
      ::operator delete(::operator new(size, align), size, align);
      ::operator delete[](::operator new[](size, align), align);
    }
  }
}

TEST(OperatorsTest, NullIsIgnored) {
  void* const null = Opaque(static_cast<void*>(nullptr));
  constexpr auto kAlign = std::align_val_t{64};

  ::operator delete(null);
  ::operator delete[](null);
  ::operator delete (null, size_t{8});
  ::operator delete[](null, size_t{8});
  ::operator delete(null, std::nothrow);
  ::operator delete[](null, std::nothrow);
  ::operator delete(null, kAlign);
  ::operator delete[](null, kAlign);
  ::operator delete (null, size_t{8}, kAlign);
  ::operator delete[](null, size_t{8}, kAlign);
}

TEST(OperatorsTest, WhatTheyGiveIsLiveUntilDelete) {
  SKIP_WITHOUT_CMA();
  const size_t before = CmaStats().live_bytes;

  char* const bytes = Opaque(new char[100000]);
  const size_t with_bytes = CmaStats().live_bytes;
  delete[] bytes;

  EXPECT_GE(with_bytes, before + 100000);
  EXPECT_EQ(CmaStats().live_bytes, before);
}

struct alignas(256) Overaligned {
  std::array<char, 300> bytes = {};
};

TEST(OperatorsTest, ObjectsOfTheLanguageWork) {
  const auto single = std::make_unique<Overaligned>();
  const std::vector<Overaligned> many(10);
  std::vector<std::string> strings;
  for (size_t i = 0; i < 10000; ++i) strings.push_back(std::string(i % 300, 'x'));

  EXPECT_TRUE(IsAligned(single.get(), 256));
  EXPECT_TRUE(IsAligned(many.data(), 256));
  EXPECT_EQ(strings[9999].size(), 9999u % 300);
}

}  // namespace
