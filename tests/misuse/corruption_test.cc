// A program that writes to freed blocks ends with a report or goes on with sound blocks. It never
// gets a block from a link that it has overwritten. Its children have no two threads that could race,
// and under ThreadSanitizer each of the 200 takes 0.7 s.
//
// cma-test: not=thread
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "misuse/faulty_child.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

constexpr int kSound = 0;
constexpr int kOverlap = 3;
constexpr int kMisplaced = 4;
constexpr int kDamaged = 5;
constexpr int kNoBlock = 6;

// Allocates 1,000 blocks of `size`, also beside the ones that are `live`; an exit code.
int CheckNewBlocks(size_t size, const std::vector<char*>& live) {
  std::vector<char*> blocks = live;
  for (int i = 0; i < 1000; ++i) {
    char* const block = static_cast<char*>(cma_malloc(size));
    if (block == nullptr) return kNoBlock;
    if (reinterpret_cast<uintptr_t>(block) % 16 != 0) return kMisplaced;
    blocks.push_back(block);
  }
  std::vector<char*> sorted = blocks;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i] - sorted[i - 1] < static_cast<ptrdiff_t>(size)) return kOverlap;
  }
  for (char* block : blocks) FillPattern(block, size, KeyOfAddress(block));
  for (char* block : blocks) {
    if (FindDamage(block, size, KeyOfAddress(block)) != kIntact) return kDamaged;
  }
  for (char* block : blocks) cma_free(block);
  return kSound;
}

// Frees every second of 64 blocks, gives each freed one to `overwrite`, and looks at what comes.
template <typename Overwrite>
void ExpectReportOrSoundBlocks(Overwrite overwrite, const char* what) {
  for (const size_t size : {16, 32, 64, 200, 1024, 1040, 5000, 32768, 100000}) {
    const Outcome outcome = RunInChild([&](auto) {
      std::vector<char*> live, freed;
      for (int i = 0; i < 64; ++i) {
        (i % 2 == 0 ? live : freed).push_back(static_cast<char*>(cma_malloc(size)));
      }
      for (char* block : freed) cma_free(block);
      for (char* block : freed) overwrite(Opaque(block), size);
      return CheckNewBlocks(size, live);
    });

    EXPECT_TRUE(outcome.Exited(kSound) || outcome.Reported())
        << what << ", " << size << " bytes: status " << outcome.status << ", " << outcome.errors;
  }
}

void WriteWord(char* block, size_t index, uint64_t word) { memcpy(block + index * 8, &word, 8); }

TEST(CorruptionTest, AllBytesOverwritten) {
  ExpectReportOrSoundBlocks([](char* block, size_t size) { memset(block, 0x41, size); },
                            "all bytes are 0x41");
}

TEST(CorruptionTest, AllBytesZeroed) {
  ExpectReportOrSoundBlocks([](char* block, size_t size) { memset(block, 0, size); },
                            "all bytes are 0");
}

TEST(CorruptionTest, TheFirstWordOverwritten) {
  for (const uint64_t word : {uint64_t{0}, uint64_t{1}, uint64_t{0x4141414141414141},
                              uint64_t{0xdeadbeef000}, UINT64_MAX}) {
    ExpectReportOrSoundBlocks([=](char* block, size_t) { WriteWord(block, 0, word); },
                              "first word overwritten");
  }
}

TEST(CorruptionTest, TheSecondWordOverwritten) {
  for (const uint64_t word : {uint64_t{0}, uint64_t{0x4141414141414141}, UINT64_MAX}) {
    ExpectReportOrSoundBlocks([=](char* block, size_t) { WriteWord(block, 1, word); },
                              "second word overwritten");
  }
}

TEST(CorruptionTest, TheFirstTwoWordsOverwritten) {
  ExpectReportOrSoundBlocks(
      [](char* block, size_t) {
        WriteWord(block, 0, 0x4141414141414141);
        WriteWord(block, 1, 0x4141414141414141);
      },
      "first two words overwritten");
}

TEST(CorruptionTest, OneByteOverwritten) {
  for (const size_t offset : {0, 1, 3, 7, 8, 15}) {
    ExpectReportOrSoundBlocks([=](char* block, size_t) { block[offset] ^= 0x41; },
                              "one byte changed");
  }
}

TEST(CorruptionTest, TheFirstWordPointsToTheProgramsOwnMemory) {
  alignas(64) static char target[4096];
  ExpectReportOrSoundBlocks([](char* block, size_t) { WriteWord(block, 0, KeyOfAddress(target)); },
                            "first word is the address of a variable");
}

TEST(CorruptionTest, TheFirstWordPointsToALiveBlock) {
  ExpectReportOrSoundBlocks(
      [](char* block, size_t size) { WriteWord(block, 0, KeyOfAddress(block - size)); },
      "first word is the address of a block in use");
}

TEST(CorruptionTest, TheFirstWordPointsToItsOwnBlock) {
  ExpectReportOrSoundBlocks([](char* block, size_t) { WriteWord(block, 0, KeyOfAddress(block)); },
                            "first word is the address of its own block");
}

TEST(CorruptionTest, AFreedBlockOverwrittenAndThenFreedByTheEndOfItsThread) {
  for (const size_t size : {16, 64, 1024, 5000}) {
    const Outcome outcome = RunInChild([size](auto) {
      std::thread([size] {
        std::vector<char*> blocks(200);
        for (char*& block : blocks) block = static_cast<char*>(cma_malloc(size));
        for (char* block : blocks) cma_free(block);
        for (char* block : blocks) memset(Opaque(block), 0x41, size);
      }).join();
      return CheckNewBlocks(size, {});
    });

    EXPECT_TRUE(outcome.Exited(kSound) || outcome.Reported())
        << size << " bytes: status " << outcome.status << ", " << outcome.errors;
  }
}

}  // namespace
