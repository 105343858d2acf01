// realloc and malloc_usable_size of pointers that are no blocks.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "cma/cma.h"
#include "misuse/faulty_child.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;
using cma_test::Outcome;
using cma_test::RunInChild;
using testing::KilledBySignal;

constexpr size_t kSizes[] = {16, 64, 1024, 5000, 32768, 204800, 8388608};

void* FreedBlock(size_t size) {
  void* const block = cma_malloc(size);
  memset(block, 0x5a, size);
  cma_free(block);
  return Opaque(block);
}

class WrongReallocDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(WrongReallocDeathTest, AFreedBlockIsReported) {
  for (const size_t size : kSizes) {
    for (const size_t new_size : {size / 2, size, size * 2}) {
      EXPECT_EXIT((void)cma_realloc(FreedBlock(size), new_size), KilledBySignal(SIGABRT),
                  "^cma: .* of 0x[0-9a-f]+")
          << size << " to " << new_size << " bytes";
    }
  }
}

TEST_F(WrongReallocDeathTest, AFreedBlockThatShallBeFreedIsADoubleFree) {
  for (const size_t size : kSizes) {
    EXPECT_EXIT((void)cma_realloc(FreedBlock(size), 0), KilledBySignal(SIGABRT),
                "^cma: (double free|invalid realloc) of 0x[0-9a-f]+")
        << size << " bytes";
  }
}

TEST_F(WrongReallocDeathTest, AnInteriorPointerIsReported) {
  for (const size_t size : kSizes) {
    char* const block = static_cast<char*>(cma_malloc(size));
    memset(block, 0x5a, size);
    EXPECT_EXIT((void)cma_realloc(Opaque(block + 8), 100), KilledBySignal(SIGABRT),
                "^cma: invalid .* of 0x[0-9a-f]+")
        << size << " bytes";
    cma_free(block);
  }
}

TEST_F(WrongReallocDeathTest, AForeignPointerIsReported) {
  char local[64] = {};
  static char variable[64] = {};
  void* const pointers[] = {local, variable, reinterpret_cast<void*>(uintptr_t{1}),
                            reinterpret_cast<void*>(uintptr_t{0xdeadbeef000}),
                            reinterpret_cast<void*>(uintptr_t{0xdeadbeefdeadbeef})};
  for (void* pointer : pointers) {
    EXPECT_EXIT((void)cma_realloc(Opaque(pointer), 100), KilledBySignal(SIGABRT),
                "^cma: invalid realloc of 0x[0-9a-f]+");
  }
}

// Whether a wrong pointer is reported or has some size is not promised; that it ends well is.
void ExpectReportOrNumber(void* (*make_pointer)(size_t), size_t size) {
  const Outcome outcome = RunInChild([=](auto) {
    (void)Opaque(cma_malloc_usable_size(make_pointer(size)));
    return 0;
  });

  EXPECT_TRUE(outcome.Exited(0) || outcome.Reported())
      << size << " bytes, status " << outcome.status << ": " << outcome.errors;
}

TEST(WrongUsableSizeTest, OfAFreedBlockNeverCrashes) {
  for (const size_t size : kSizes) ExpectReportOrNumber(FreedBlock, size);
}

TEST(WrongUsableSizeTest, OfAnInteriorPointerNeverCrashes) {
  for (const size_t size : kSizes) {
    ExpectReportOrNumber(
        [](size_t bytes) -> void* { return static_cast<char*>(cma_malloc(bytes)) + 8; }, size);
  }
}

TEST(WrongUsableSizeTest, OfAForeignPointerNeverCrashes) {
  for (const size_t address : {size_t{1}, size_t{0x10}, size_t{0xdeadbeef000},
                               size_t{0x7ffffffff000}, size_t{0xdeadbeefdeadbeef}, SIZE_MAX}) {
    ExpectReportOrNumber([](size_t a) { return Opaque(reinterpret_cast<void*>(a)); }, address);
  }
}

}  // namespace
