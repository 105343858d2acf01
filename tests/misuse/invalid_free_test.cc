// A pointer that cma did not give out is reported, never followed.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <thread>

#include "cma/cma.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;
using testing::KilledBySignal;

constexpr char kReport[] = "^cma: invalid free of 0x[0-9a-f]+";

void* Wild(uintptr_t address) { return Opaque(reinterpret_cast<void*>(address)); }

struct InteriorPointer {
  size_t size;
  size_t offset;
};

std::string Describe(const testing::TestParamInfo<InteriorPointer>& info) {
  return std::to_string(info.param.offset) + "_into_" + std::to_string(info.param.size);
}

class InteriorPointerDeathTest : public testing::TestWithParam<InteriorPointer> {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    cma_free(cma_malloc(GetParam().size));
    block_ = static_cast<char*>(cma_malloc(GetParam().size));
  }
  void TearDown() override { cma_free(block_); }

  char* block_ = nullptr;
};

TEST_P(InteriorPointerDeathTest, IsReportedInAFilledBlock) {
  memset(block_, 0x5a, GetParam().size);

  EXPECT_EXIT(cma_free(Opaque(block_ + GetParam().offset)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(InteriorPointerDeathTest, IsReportedInABlockOfZeros) {
  memset(block_, 0, GetParam().size);

  EXPECT_EXIT(cma_free(Opaque(block_ + GetParam().offset)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(InteriorPointerDeathTest, IsReportedInAnotherThread) {
  EXPECT_EXIT(std::thread([this] { cma_free(Opaque(block_ + GetParam().offset)); }).join(),
              KilledBySignal(SIGABRT), kReport);
}

INSTANTIATE_TEST_SUITE_P(Misaligned, InteriorPointerDeathTest,
                         testing::Values(InteriorPointer{16, 8}, InteriorPointer{16, 1},
                                         InteriorPointer{64, 8}, InteriorPointer{1024, 8},
                                         InteriorPointer{5000, 8}, InteriorPointer{30000, 1},
                                         InteriorPointer{204800, 8}, InteriorPointer{8388608, 8}),
                         Describe);

INSTANTIATE_TEST_SUITE_P(
    Aligned, InteriorPointerDeathTest,
    testing::Values(InteriorPointer{32, 16}, InteriorPointer{64, 16}, InteriorPointer{64, 48},
                    InteriorPointer{200, 16}, InteriorPointer{200, 64}, InteriorPointer{1024, 16},
                    InteriorPointer{1024, 64}, InteriorPointer{1024, 512},
                    InteriorPointer{1040, 64}, InteriorPointer{5000, 16}, InteriorPointer{5000, 64},
                    InteriorPointer{5000, 4096}, InteriorPointer{32768, 64},
                    InteriorPointer{32768, 4096}, InteriorPointer{204800, 16},
                    InteriorPointer{204800, 64}, InteriorPointer{204800, 4096},
                    InteriorPointer{204800, 131072}, InteriorPointer{1048576, 65536},
                    InteriorPointer{8388608, 16}, InteriorPointer{8388608, 64},
                    InteriorPointer{8388608, 4096}, InteriorPointer{8388608, 4194304}),
    Describe);

class InvalidFreeDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    cma_free(cma_malloc(100));
  }
};

TEST_F(InvalidFreeDeathTest, AStackAddressIsReported) {
  alignas(64) char local[256] = {};

  EXPECT_EXIT(cma_free(Opaque(&local[0])), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_free(Opaque(&local[8])), KilledBySignal(SIGABRT), kReport);
}

TEST_F(InvalidFreeDeathTest, AStaticAddressIsReported) {
  alignas(64) static char variable[256] = {};

  EXPECT_EXIT(cma_free(Opaque(&variable[0])), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_free(Opaque(&variable[16])), KilledBySignal(SIGABRT), kReport);
}

TEST_F(InvalidFreeDeathTest, AStringLiteralIsReported) {
  EXPECT_EXIT(cma_free(Opaque(const_cast<char*>("literal"))), KilledBySignal(SIGABRT), kReport);
}

TEST_F(InvalidFreeDeathTest, AFunctionIsReported) {
  EXPECT_EXIT(cma_free(Opaque(reinterpret_cast<void*>(&cma_malloc))), KilledBySignal(SIGABRT),
              kReport);
}

TEST_F(InvalidFreeDeathTest, ABlockOfAnotherAllocatorIsReported) {
  void* const block = Opaque(malloc(100));

  EXPECT_EXIT(cma_free(block), KilledBySignal(SIGABRT), kReport);

  free(block);
}

TEST_F(InvalidFreeDeathTest, AMappingOfTheProgramsOwnIsReported) {
  constexpr size_t kBytes = 16 << 20;
  char* const mapping = static_cast<char*>(
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(mapping, MAP_FAILED);
  for (const size_t offset : {size_t{0}, size_t{64}, size_t{4096}, size_t{4} << 20, kBytes - 64}) {
    EXPECT_EXIT(cma_free(Opaque(mapping + offset)), KilledBySignal(SIGABRT), kReport) << offset;
  }
  munmap(mapping, kBytes);
}

TEST_F(InvalidFreeDeathTest, AnUnreadablePageIsReportedAndNotRead) {
  void* const mapping = mmap(nullptr, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapping, MAP_FAILED);

  EXPECT_EXIT(cma_free(Opaque(mapping)), KilledBySignal(SIGABRT), kReport);

  munmap(mapping, 65536);
}

TEST_F(InvalidFreeDeathTest, WildAddressesAreReported) {
  for (const uintptr_t address :
       {uintptr_t{1}, uintptr_t{8}, uintptr_t{0x10}, uintptr_t{0xfff0}, uintptr_t{0x10000},
        uintptr_t{0xdeadbeef000}, uintptr_t{0xdeadbeef008}, uintptr_t{0x7ffffffff000},
        uintptr_t{0x7fffffffffff}}) {
    EXPECT_EXIT(cma_free(Wild(address)), KilledBySignal(SIGABRT), kReport) << std::hex << address;
  }
}

TEST_F(InvalidFreeDeathTest, AddressesThatNoProcessHasAreReported) {
  for (const uintptr_t address : {uintptr_t{0x800000000000}, uintptr_t{0x1000000000000},
                                  uintptr_t{0xdeadbeefdeadbeef}, uintptr_t{0xdeadbeefdeadbee0},
                                  uintptr_t{0xffff800000000000}, UINTPTR_MAX - 15, UINTPTR_MAX}) {
    EXPECT_EXIT(cma_free(Wild(address)), KilledBySignal(SIGABRT), kReport) << std::hex << address;
  }
}

// The first block of a slab, with memory before it that was never used.
TEST_F(InvalidFreeDeathTest, AnAddressBeforeTheFirstBlockIsNotSaidToHaveBeenFreed) {
  char* const block = static_cast<char*>(cma_malloc(100));
  char* const before = block - reinterpret_cast<uintptr_t>(block) % 65536;

  EXPECT_EXIT(cma_free(Opaque(before - 1)), KilledBySignal(SIGABRT),
              "^cma: invalid free of 0x[0-9a-f]+ .*not the start of a block");
  EXPECT_EXIT(cma_free(Opaque(before - 16)), KilledBySignal(SIGABRT),
              "in free memory, freed before or never given out");
  EXPECT_EXIT(cma_realloc(Opaque(before - 4096), 10), KilledBySignal(SIGABRT),
              "^cma: invalid realloc of .*in free memory, freed before or never given out");
  cma_free(block);
}

TEST_F(InvalidFreeDeathTest, NoBlockWasAtAMisalignedAddressOfFreedMemory) {
  for (const size_t size : {100, 5000, 30000, 204800, 8388608}) {
    char* const block = static_cast<char*>(cma_malloc(size));
    cma_free(block);

    EXPECT_EXIT(cma_free(Opaque(block + 1)), KilledBySignal(SIGABRT), kReport) << size;
  }
}

TEST_F(InvalidFreeDeathTest, SizedFreesReportToo) {
  char local[64] = {};

  EXPECT_EXIT(cma_free_sized(Opaque(&local[0]), 64), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_free_aligned_sized(Opaque(&local[0]), 16, 64), KilledBySignal(SIGABRT), kReport);
}

TEST(FirstCallDeathTest, AWildAddressIsReportedBeforeAnythingWasAllocated) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");

  EXPECT_EXIT(cma_free(Wild(0xdeadbeef000)), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_free(Wild(0xdeadbeefdeadbeef)), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_free(Wild(0x10)), KilledBySignal(SIGABRT), kReport);
}

}  // namespace
