#include "central/huge_blocks.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <random>
#include <thread>
#include <vector>

#include "base/constants.h"
#include "support/heap_fixture.h"
#include "support/pages.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;
using Contents = HugeBlocks::Contents;

constexpr size_t kAll = ~size_t{0};
constexpr Milliseconds kAge = 500;

class HugeBlocksTest : public cma_test::HeapFixture {
 protected:
  std::byte* Take(size_t bytes) { return huge_.Take(bytes, 16, Contents::kAny); }

  // Freed and waiting in the cache.
  std::byte* TakeAndGive(size_t bytes) {
    std::byte* const block = Take(bytes);
    EXPECT_TRUE(huge_.Give(block));
    return block;
  }

  // The same for a block that was written to, and of which the last `held` bytes keep their memory.
  std::byte* TakeAndGiveInPart(size_t bytes, size_t held) {
    g_options.huge_cache_mib = held / kMiB;
    std::byte* const block = Take(bytes);
    FillPattern(block, bytes, 1);
    EXPECT_TRUE(huge_.Give(block));
    EXPECT_EQ(huge_.cached_bytes(), held);
    EXPECT_EQ(huge_.empty_bytes(), bytes - held);
    return block;
  }

  std::vector<std::byte*> TakeMany(size_t count, size_t bytes) {
    std::vector<std::byte*> blocks(count);
    for (std::byte*& block : blocks) block = Take(bytes);
    return blocks;
  }
  void GiveAll(const std::vector<std::byte*>& blocks) {
    for (std::byte* block : blocks) EXPECT_TRUE(huge_.Give(block));
  }
  // From here on it counts what is in use now.
  void ForgetThePeak() {
    os_.Advance(10 * kAge);
    for (int i = 0; i < 40; ++i) TakeAndGive((2 + i % 2) * kMiB);
  }

  // From here on there is no memory for tables, unless the OS gives some.
  void UseUpMetadata() {
    os_.RefuseEvery(FakeOs::kMap);
    while (metadata_.Take(64) != nullptr) {
    }
    os_.RefuseNothing();
  }

  void ExpectHeldIsMapped() { EXPECT_EQ(os_.mapped_bytes(), HeldBytes() + huge_.empty_bytes()); }

  // A block of 4 MiB with 8 MiB free behind it, 6 of them without memory, and an OS that makes none
  // longer.
  std::byte* TakeBeforeFree() {
    g_options.huge_cache_mib = 2;
    std::byte* const block = Take(12 * kMiB);
    EXPECT_EQ(huge_.Resize(block, 4 * kMiB), block);
    EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
    EXPECT_EQ(huge_.empty_bytes(), 6 * kMiB);
    os_.RefuseEvery(FakeOs::kResize);
    os_.RefuseEvery(FakeOs::kMap);
    return block;
  }

  // `count` free ranges of `bytes` each, side by side and of different ages, the lowest the oldest;
  // where they begin.
  std::byte* CacheSideBySide(size_t count, size_t bytes) {
    std::byte* const whole = TakeAndGive(count * bytes);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(Take(bytes), whole + i * bytes);
    for (size_t i = 0; i < count; ++i) {
      os_.Advance(kAge / 2);
      EXPECT_TRUE(huge_.Give(whole + i * bytes));
    }
    return whole;
  }
};

TEST_F(HugeBlocksTest, AZeroBlockIsUntouchedAndOfWholePages) {
  std::byte* const block = huge_.Take(3 * kMiB + 1, 16, Contents::kZero);

  ASSERT_NE(block, nullptr);
  EXPECT_EQ(AddressOf(block) % OsPageBytes(), 0u);
  EXPECT_EQ(huge_.BytesOf(block), 3 * kMiB + OsPageBytes());
  EXPECT_EQ(CountPagesWithMemory(block, 3 * kMiB), 0u);
  EXPECT_TRUE(IsZero(block, 3 * kMiB));
  EXPECT_EQ(huge_.live_bytes(), 3 * kMiB + OsPageBytes());
  EXPECT_EQ(huge_.live_count(), 1u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, BlocksHaveTheAlignmentThatWasAskedFor) {
  for (size_t alignment = 1; alignment <= kGiB; alignment *= 2) {
    std::byte* const block = huge_.Take(2 * kMiB, alignment, Contents::kAny);

    ASSERT_NE(block, nullptr) << alignment;
    EXPECT_EQ(AddressOf(block) % alignment, 0u) << alignment;
  }
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, OnlyTheStartOfALiveBlockCanBeGiven) {
  std::byte* const block = Take(2 * kMiB);

  EXPECT_FALSE(huge_.Give(block + 16));
  EXPECT_FALSE(huge_.Give(block + OsPageBytes()));
  EXPECT_FALSE(huge_.Give(nullptr));
  EXPECT_TRUE(huge_.Give(block));
  EXPECT_FALSE(huge_.Give(block));

  EXPECT_EQ(huge_.BytesOf(block), 0u);
  EXPECT_EQ(huge_.live_bytes(), 0u);
  EXPECT_EQ(huge_.live_count(), 0u);
}

TEST_F(HugeBlocksTest, ManyLiveBlocksAreFoundByTheirStarts) {
  std::vector<std::byte*> blocks;
  for (size_t i = 0; i < 1000; ++i) blocks.push_back(Take(kMiB + i * OsPageBytes()));

  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_EQ(huge_.BytesOf(blocks[i]), kMiB + i * OsPageBytes());
  }
  for (std::byte* block : blocks) ASSERT_TRUE(huge_.Give(block));
  EXPECT_EQ(huge_.live_count(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, SizesBeyondWhatAnyObjectHasAreRefusedWithoutACall) {
  const size_t before = os_.calls(FakeOs::kMap);

  EXPECT_EQ(Take(SIZE_MAX), nullptr);
  EXPECT_EQ(Take(size_t{PTRDIFF_MAX}), nullptr);

  EXPECT_EQ(os_.calls(FakeOs::kMap), before);
  EXPECT_EQ(Take(size_t{1} << 62), nullptr);
  EXPECT_EQ(huge_.live_count(), 0u);
}

TEST_F(HugeBlocksTest, AFreedBlockIsUsedAgainWithItsMemory) {
  std::byte* const block = Take(2 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  ASSERT_TRUE(huge_.Give(block));
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);

  EXPECT_EQ(Take(2 * kMiB), block);

  EXPECT_EQ(FindDamage(block, 2 * kMiB, 1), kIntact);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(huge_.live_bytes(), 2 * kMiB);
}

TEST_F(HugeBlocksTest, ABlockThatMustBeZeroIsMadeSoWhereMemoryWaits) {
  std::byte* const cached = Take(2 * kMiB);
  FillPattern(cached, 2 * kMiB, 1);
  ASSERT_TRUE(huge_.Give(cached));

  std::byte* const block = huge_.Take(2 * kMiB, 16, Contents::kZero);

  EXPECT_EQ(block, cached);
  EXPECT_TRUE(IsZero(block, 2 * kMiB));
}

TEST_F(HugeBlocksTest, AVeryLongBlockThatMustBeZeroNeverComesFromTheCache) {
  std::byte* const cached = Take(33 * kMiB);
  FillPattern(cached, 33 * kMiB, 1);
  ASSERT_TRUE(huge_.Give(cached));

  std::byte* const block = huge_.Take(33 * kMiB, 16, Contents::kZero);

  EXPECT_NE(block, cached);
  EXPECT_EQ(CountPagesWithMemory(block, 33 * kMiB), 0u);
  EXPECT_TRUE(IsZero(block, 2 * kMiB));
}

TEST_F(HugeBlocksTest, ABlockThatMustBeZeroIsFreshWhereLittleMemoryWaits) {
  TakeAndGiveInPart(6 * kMiB, 2 * kMiB);

  std::byte* const block = huge_.Take(6 * kMiB, 16, Contents::kZero);

  EXPECT_EQ(CountPagesWithMemory(block, 6 * kMiB), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
}

TEST_F(HugeBlocksTest, ABlockThatMustBeZeroIsMadeSoWhereSomeMemoryWaits) {
  std::byte* const block = TakeAndGiveInPart(4 * kMiB, 2 * kMiB);

  EXPECT_EQ(huge_.Take(4 * kMiB, 16, Contents::kZero), block);

  EXPECT_TRUE(IsZero(block, 4 * kMiB));
  EXPECT_EQ(huge_.cached_bytes() + huge_.empty_bytes(), 0u);
}

TEST_F(HugeBlocksTest, TheShortestCachedBlockThatIsLongEnoughIsUsed) {
  const size_t sizes[] = {2 * kMiB, 5 * kMiB, 7 * kMiB};
  for (size_t first = 0; first < 3; ++first) {
    // Freed in another order each time.
    std::byte* blocks[3];
    for (size_t i = 0; i < 3; ++i) blocks[i] = Take(sizes[i]);
    for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(huge_.Give(blocks[(first + i) % 3]));

    EXPECT_EQ(Take(4 * kMiB), blocks[1]);

    huge_.Release(os_.now(), 0, kAll);
  }
}

TEST_F(HugeBlocksTest, ACachedBlockOfTheWrongAlignmentIsLeftAlone) {
  std::byte* const wide = huge_.Take(4 * kMiB, 64 * kMiB, Contents::kAny);
  ASSERT_TRUE(huge_.Give(wide));
  ASSERT_EQ(Take(2 * kMiB), wide);
  // What was cut off lies 2 MiB behind a multiple of 64 MiB.
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);

  std::byte* const block = huge_.Take(2 * kMiB, 4 * kMiB, Contents::kAny);

  EXPECT_EQ(AddressOf(block) % (4 * kMiB), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
}

TEST_F(HugeBlocksTest, WhatIsTooLongIsCutAndTheRestStaysInTheCache) {
  std::byte* const whole = TakeAndGive(8 * kMiB);

  EXPECT_EQ(Take(3 * kMiB), whole);

  EXPECT_EQ(huge_.BytesOf(whole), 3 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 5 * kMiB);
  EXPECT_EQ(Take(5 * kMiB), whole + 3 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, PiecesOfABlockFindTogetherInTheCache) {
  std::byte* const whole = TakeAndGive(12 * kMiB);
  std::byte* const pieces[] = {Take(4 * kMiB), Take(4 * kMiB), Take(4 * kMiB)};
  ASSERT_EQ(pieces[0], whole);
  ASSERT_EQ(pieces[2], whole + 8 * kMiB);

  for (const int i : {0, 2, 1}) EXPECT_TRUE(huge_.Give(pieces[i]));

  EXPECT_EQ(huge_.cached_bytes(), 12 * kMiB);
  EXPECT_EQ(Take(12 * kMiB), whole);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatIsNotUsedOfABlockAgesThoughAPieceOfItComesAndGoes) {
  TakeAndGive(30 * kMiB);

  size_t released = 0;
  for (Milliseconds passed = 0; passed < kAge; passed += kAge / 5) {
    os_.Advance(kAge / 5);
    TakeAndGive(2 * kMiB);
    released += huge_.Release(os_.now(), kAge, kAll);
  }

  EXPECT_GE(released, 28 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatLiesSideBySideServesOneBlock) {
  std::byte* const whole = CacheSideBySide(3, 4 * kMiB);
  FillPattern(whole, 12 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(12 * kMiB), whole);

  EXPECT_EQ(huge_.BytesOf(whole), 12 * kMiB);
  EXPECT_EQ(FindDamage(whole, 12 * kMiB, 1), kIntact);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
}

TEST_F(HugeBlocksTest, APartOfSeveralThatLieSideBySideServesABlock) {
  std::byte* const whole = CacheSideBySide(3, 4 * kMiB);
  ASSERT_EQ(Take(2 * kMiB), whole);

  EXPECT_EQ(Take(8 * kMiB), whole + 2 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_EQ(Take(2 * kMiB), whole + 10 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatHasGivenItsMemoryBackServesAgain) {
  std::byte* const whole = TakeAndGiveInPart(12 * kMiB, 4 * kMiB);
  EXPECT_EQ(huge_.returned_bytes(), 8 * kMiB);
  EXPECT_EQ(CountPagesWithMemory(whole, 8 * kMiB), 0u);
  os_.RefuseEvery(FakeOs::kMap);

  // What holds memory first.
  EXPECT_EQ(Take(4 * kMiB), whole + 8 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(Take(8 * kMiB), whole);

  EXPECT_TRUE(IsZero(whole, 8 * kMiB));
  EXPECT_EQ(huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockGrowsIntoWhatHasGivenItsMemoryBack) {
  std::byte* const whole = TakeBeforeFree();

  EXPECT_EQ(huge_.ResizeInPlace(whole, 12 * kMiB), 12 * kMiB);

  EXPECT_EQ(huge_.cached_bytes() + huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhereABlockCannotGrowWhatLiesBehindItStaysAsItIs) {
  std::byte* const whole = TakeBeforeFree();

  EXPECT_EQ(huge_.Resize(whole, 20 * kMiB), nullptr);
  EXPECT_EQ(huge_.ResizeInPlace(whole, 20 * kMiB), 4 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_EQ(huge_.empty_bytes(), 6 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, OfPiecesWithoutMemoryMoreGoAtOnce) {
  CacheSideBySide(3, 4 * kMiB);
  g_options.huge_cache_mib = 4;
  TakeAndGive(kMiB);  // the oldest give their memory back, and become one
  ASSERT_LE(huge_.cached_bytes(), 4 * kMiB);
  ASSERT_GE(huge_.empty_bytes(), 8 * kMiB);

  const size_t empty = huge_.empty_bytes();

  EXPECT_GT(huge_.Release(os_.now(), 0, 1), empty) << "and one with memory";

  EXPECT_EQ(huge_.empty_bytes(), 0u);
}

TEST_F(HugeBlocksTest, AnAlignmentBeyondAllAddressesIsRefused) {
  TakeAndGive(4 * kMiB);

  EXPECT_EQ(huge_.Take(2 * kMiB, size_t{1} << 60, Contents::kAny), nullptr);

  EXPECT_EQ(huge_.live_count(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatIsThereIsWorthMoreThanAMultipleOfAHugePage) {
  g_options.huge_cache_mib = 7;
  std::byte* const whole = huge_.Take(16 * kMiB, 4 * kMiB, Contents::kAny);
  ASSERT_TRUE(huge_.Give(whole));
  ASSERT_EQ(huge_.empty_bytes(), 10 * kMiB);
  ASSERT_EQ(Take(kMiB), whole + 10 * kMiB);

  // At 12 MiB there are only four, and elsewhere none.
  EXPECT_EQ(Take(5 * kMiB), whole + 11 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 0u);
}

TEST_F(HugeBlocksTest, AddressesWithoutMemoryAreBoundedAndAge) {
  g_options.huge_cache_mib = 64;
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(Take(16 * kMiB));
  for (std::byte* block : blocks) ASSERT_TRUE(huge_.Give(block));

  EXPECT_GT(huge_.empty_bytes(), 0u);
  EXPECT_LE(huge_.empty_bytes(), 64 * kMiB);
  ExpectHeldIsMapped();
  os_.Advance(kAge);
  huge_.Release(os_.now(), kAge, kAll);
  EXPECT_EQ(huge_.cached_bytes() + huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ALongRangeIsUnmappedPieceByPiece) {
  Take(1000 * kMiB);  // so that as much may wait
  TakeAndGive(200 * kMiB);

  EXPECT_EQ(huge_.Release(os_.now(), 0, 1), 64 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 136 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatTheKernelHoldsAsSeveralMappingsIsNotMoved) {
  std::byte* const whole = TakeAndGive(8 * kMiB);
  // As if they had been mapped apart.
  ASSERT_EQ(mprotect(whole, 4 * kMiB, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
  ASSERT_EQ(Take(8 * kMiB), whole);
  const size_t before = os_.calls(FakeOs::kMove);

  EXPECT_EQ(huge_.Resize(whole, 16 * kMiB), nullptr);

  EXPECT_EQ(os_.calls(FakeOs::kMove), before);
  EXPECT_EQ(huge_.BytesOf(whole), 8 * kMiB);
  ExpectHeldIsMapped();
}

// Any order of calls leaves blocks apart, with what was written to them, and everything accounted
// for.
TEST_F(HugeBlocksTest, BlocksStayApartWhateverComesAndGoes) {
  struct Live {
    std::byte* start;
    size_t bytes;
    uint64_t key;
  };
  const auto Ends = [](const Live& block) { return block.start + block.bytes - 4096; };
  const auto Fill = [&](const Live& block) {
    FillPattern(block.start, 4096, block.key);
    FillPattern(Ends(block), 4096, block.key);
  };
  g_options.huge_cache_mib = 24;
  std::vector<Live> blocks;
  std::mt19937_64 random(7);
  const auto Below = [&](size_t end) { return random() % end; };
  for (uint64_t key = 1; key <= 3000; ++key) {
    const size_t bytes = kMiB + Below(9 * kMiB) / 4096 * 4096;
    const size_t at = blocks.empty() ? 0 : Below(blocks.size());
    const size_t dice = Below(8);
    if (dice < 3 || blocks.empty()) {
      const bool zero = Below(4) == 0;
      std::byte* const start = huge_.Take(bytes, 16, zero ? Contents::kZero : Contents::kAny);
      ASSERT_NE(start, nullptr);
      if (zero) {
        ASSERT_TRUE(IsZero(start, bytes));
      }
      blocks.push_back({start, bytes, key});
      Fill(blocks.back());
    } else if (dice < 6) {
      ASSERT_EQ(FindDamage(blocks[at].start, 4096, blocks[at].key), kIntact);
      ASSERT_EQ(FindDamage(Ends(blocks[at]), 4096, blocks[at].key), kIntact);
      ASSERT_TRUE(huge_.Give(blocks[at].start));
      blocks[at] = blocks.back();
      blocks.pop_back();
    } else if (std::byte* const start = huge_.Resize(blocks[at].start, bytes); start != nullptr) {
      ASSERT_EQ(FindDamage(start, 4096, blocks[at].key), kIntact);
      blocks[at] = {start, bytes, key};
      Fill(blocks[at]);
    }
    if (Below(16) == 0) os_.Advance(kAge / 4);
    if (Below(32) == 0) huge_.Release(os_.now(), kAge, 2);
    ASSERT_EQ(os_.mapped_bytes(), HeldBytes() + huge_.empty_bytes()) << key;
  }
  for (const Live& block : blocks) ASSERT_EQ(FindDamage(block.start, 4096, block.key), kIntact);
}

TEST_F(HugeBlocksTest, ARestTooShortForTheCacheIsUnmapped) {
  std::byte* const whole = TakeAndGive(3 * kMiB);

  const size_t rest = 32 * kKiB;
  ASSERT_EQ(huge_.Resize(Take(3 * kMiB), 3 * kMiB - rest), whole);

  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(huge_.live_bytes(), 3 * kMiB - RoundUp(rest, OsPageBytes()));
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockGrowsByWhatIsCachedBehindItWithoutACall) {
  std::byte* const whole = TakeAndGive(3 * kMiB);
  ASSERT_EQ(Take(2 * kMiB), whole);
  ASSERT_EQ(huge_.cached_bytes(), kMiB);
  os_.RefuseEvery(FakeOs::kResize);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(huge_.Resize(whole, 2 * kMiB + 256 * kKiB), whole);

  EXPECT_EQ(huge_.BytesOf(whole), 2 * kMiB + 256 * kKiB);
  EXPECT_EQ(huge_.cached_bytes(), kMiB - 256 * kKiB);
  EXPECT_EQ(huge_.ResizeInPlace(whole, 3 * kMiB), 3 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_TRUE(huge_.Give(whole));
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockGrowsByWhatIsCachedAndByMore) {
  std::byte* const whole = TakeAndGive(3 * kMiB);
  ASSERT_EQ(Take(2 * kMiB), whole);
  FillPattern(whole, 2 * kMiB, 1);

  std::byte* const grown = huge_.Resize(whole, 5 * kMiB);

  ASSERT_NE(grown, nullptr);
  EXPECT_EQ(huge_.BytesOf(grown), 5 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(FindDamage(grown, 2 * kMiB, 1), kIntact);
  FillPattern(grown, 5 * kMiB, 2);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockThatCannotGrowFarEnoughIsAsBefore) {
  std::byte* const whole = TakeAndGive(3 * kMiB);
  ASSERT_EQ(Take(2 * kMiB), whole);
  FillPattern(whole, 2 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kResize);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(huge_.Resize(whole, 5 * kMiB), nullptr);

  EXPECT_EQ(huge_.BytesOf(whole), 2 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), kMiB);
  EXPECT_EQ(FindDamage(whole, 2 * kMiB, 1), kIntact);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockHasWholeHugePagesWhereThatIsNotMuchMore) {
  const auto BytesFor = [this](size_t bytes) { return huge_.BytesOf(Take(bytes)); };

  EXPECT_EQ(BytesFor(15 * kMiB + 1), 16 * kMiB);
  EXPECT_EQ(BytesFor(14 * kMiB), 14 * kMiB);
  EXPECT_EQ(BytesFor(5 * kMiB), 5 * kMiB);
  EXPECT_EQ(BytesFor(3 * kMiB), 3 * kMiB);
  // These are not touched by all who take them.
  EXPECT_EQ(huge_.BytesOf(huge_.Take(15 * kMiB, 16, Contents::kZero)), 15 * kMiB);
  g_options.huge_pages = 0;
  EXPECT_EQ(BytesFor(15 * kMiB), 15 * kMiB);
}

TEST_F(HugeBlocksTest, WhereWholeHugePagesAreRefusedTheBlockGoesWithout) {
  os_.Refuse(FakeOs::kMap);

  std::byte* const block = Take(15 * kMiB);

  ASSERT_NE(block, nullptr);
  EXPECT_EQ(huge_.BytesOf(block), 15 * kMiB);
}

TEST_F(HugeBlocksTest, ABlockThatStaysWithinItsHugePagesKeepsThem) {
  std::byte* const block = Take(15 * kMiB);
  ASSERT_EQ(huge_.BytesOf(block), 16 * kMiB);

  EXPECT_EQ(huge_.Resize(block, 15 * kMiB + 512 * kKiB), block);
  EXPECT_EQ(huge_.BytesOf(block), 16 * kMiB);
  EXPECT_EQ(huge_.Resize(block, 13 * kMiB), block);
  EXPECT_EQ(huge_.BytesOf(block), 13 * kMiB);
}

TEST_F(HugeBlocksTest, WhereNothingThatIsFreedMayStayWhatIsCutOffDoesNot) {
  g_options.zero_on_free = 1;
  std::byte* const block = Take(8 * kMiB);

  EXPECT_EQ(huge_.Resize(block, 2 * kMiB), block);

  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_FALSE(os_.IsMapped(block + 2 * kMiB, 6 * kMiB));
}

TEST_F(HugeBlocksTest, ARestThatCannotBeCutOffStaysWithTheBlock) {
  std::byte* const whole = TakeAndGive(3 * kMiB);
  ASSERT_EQ(Take(3 * kMiB), whole);
  os_.RefuseEvery(FakeOs::kUnmap);

  EXPECT_EQ(huge_.Resize(whole, 3 * kMiB - OsPageBytes()), whole);

  EXPECT_EQ(huge_.BytesOf(whole), 3 * kMiB);
  EXPECT_EQ(huge_.live_bytes(), 3 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ARestWithoutMemoryForItsDescriptorIsUnmapped) {
  std::byte* const whole = TakeAndGive(8 * kMiB);
  UseUpMetadata();
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(3 * kMiB), whole);

  EXPECT_EQ(huge_.BytesOf(whole), 3 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ACachedBlockThatIsALittleTooShortGrows) {
  std::byte* const cached = Take(6 * kMiB);
  FillPattern(cached, 6 * kMiB, 1);
  ASSERT_TRUE(huge_.Give(cached));

  std::byte* const block = Take(8 * kMiB);

  // The pages came along, wherever it lies now.
  EXPECT_EQ(huge_.BytesOf(block), 8 * kMiB);
  EXPECT_EQ(FindDamage(block, 6 * kMiB, 1), kIntact);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ACachedBlockOfLessThanHalfTheSizeIsLeftAlone) {
  TakeAndGive(3 * kMiB);

  std::byte* const block = Take(8 * kMiB);

  EXPECT_NE(block, nullptr);
  EXPECT_EQ(huge_.cached_bytes(), 3 * kMiB);
}

TEST_F(HugeBlocksTest, ACachedBlockThatCannotGrowGoesBackToTheCache) {
  TakeAndGive(6 * kMiB);
  os_.RefuseEvery(FakeOs::kResize);
  os_.RefuseEvery(FakeOs::kMove);

  std::byte* const block = Take(8 * kMiB);

  ASSERT_NE(block, nullptr);
  EXPECT_EQ(huge_.BytesOf(block), 8 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 6 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, TheCacheNeverHoldsMoreThanItsBound) {
  g_options.huge_cache_mib = 10;
  std::vector<std::byte*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(Take(4 * kMiB));

  for (std::byte* block : blocks) {
    ASSERT_TRUE(huge_.Give(block));
    EXPECT_LE(huge_.cached_bytes(), 10 * kMiB);
  }

  EXPECT_EQ(huge_.cached_bytes() + huge_.returned_bytes(), 32 * kMiB);
  EXPECT_GE(huge_.cached_bytes(), 8 * kMiB) << "no more goes than a huge page too much";
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, TheCacheHoldsMoreWhereMoreIsLive) {
  const auto CacheAll = [this] {
    GiveAll(TakeMany(60, 4 * kMiB));
    ForgetThePeak();
    return huge_.cached_bytes();
  };
  const size_t alone = CacheAll();
  Take(400 * kMiB);

  const size_t beside_others = CacheAll();
  Take(1000 * kMiB);

  EXPECT_LE(alone, 16 * kMiB);
  EXPECT_GE(beside_others, alone + 80 * kMiB);
  EXPECT_LE(CacheAll(), 256 * kMiB);
}

TEST_F(HugeBlocksTest, WhatWasInUseShortlyBeforeMayWait) {
  GiveAll(TakeMany(60, 4 * kMiB));
  EXPECT_EQ(huge_.cached_bytes(), 240 * kMiB);
  os_.RefuseEvery(FakeOs::kMap);
  const std::vector<std::byte*> blocks = TakeMany(30, 8 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 0u);

  g_options.huge_cache_mib = 100;
  GiveAll(blocks);

  EXPECT_LE(huge_.cached_bytes(), 100 * kMiB);
  EXPECT_GE(huge_.cached_bytes(), 98 * kMiB);
}

TEST_F(HugeBlocksTest, WhatWaitsGivesWayToBlocksFromTheOs) {
  MemoryLimit limit;
  HugeBlocks huge(os_.ops(), metadata_, limit);
  ASSERT_TRUE(huge.Give(huge.Take(240 * kMiB, 16, Contents::kAny)));

  for (size_t i = 0; i < 2; ++i) {
    ASSERT_NE(huge.Take(40 * kMiB, 16, Contents::kZero), nullptr);
    EXPECT_LE(huge.cached_bytes() + huge.live_bytes(), 240 * kMiB);
    EXPECT_GE(huge.cached_bytes() + huge.live_bytes(), 238 * kMiB);
  }
  huge.Release(os_.ops().now(), 0, kAll);
}

TEST_F(HugeBlocksTest, APeakOfLongAgoCountsNoLonger) {
  GiveAll(TakeMany(60, 4 * kMiB));
  os_.Advance(10 * kAge);

  for (int i = 0; i < 20; ++i) huge_.MakeRoom(0);

  EXPECT_LE(huge_.cached_bytes(), 16 * kMiB);
}

TEST_F(HugeBlocksTest, WithoutAThreadThatReturnsItLessWaits) {
  g_options.background_thread = 0;

  GiveAll(TakeMany(40, 20 * kMiB));

  EXPECT_LE(huge_.cached_bytes(), 256 * kMiB);
  EXPECT_GE(huge_.cached_bytes(), 254 * kMiB);
}

TEST_F(HugeBlocksTest, WhatWaitsGivesWayWhenTheRestOfTheHeapGrows) {
  MemoryLimit limit;
  HugeBlocks huge(os_.ops(), metadata_, limit);
  CentralHeap central(os_.ops(), metadata_, map_, &limit, &huge);
  std::vector<std::byte*> blocks(60);
  for (std::byte*& block : blocks) block = huge.Take(4 * kMiB, 16, Contents::kAny);
  for (std::byte* block : blocks) EXPECT_TRUE(huge.Give(block));
  ASSERT_EQ(huge.cached_bytes(), 240 * kMiB);

  for (size_t i = 1; i <= 20; ++i) {
    ASSERT_NE(central.TakeSuperblock(), nullptr);
    EXPECT_LE(huge.cached_bytes() + i * kSuperblockBytes, 240 * kMiB);
  }
  EXPECT_GE(huge.cached_bytes() + 20 * kSuperblockBytes, 238 * kMiB);
  for (size_t i = 0; i < 40; ++i) ASSERT_NE(central.TakeSuperblock(), nullptr);
  EXPECT_GE(huge.cached_bytes(), 14 * kMiB);
  EXPECT_LE(huge.cached_bytes(), 16 * kMiB);
  huge.Release(os_.ops().now(), 0, kAll);
}

TEST_F(HugeBlocksTest, AShareBeyondThePeakMayWaitWhereTheHeapDoesNotGrow) {
  MemoryLimit limit;
  HugeBlocks huge(os_.ops(), metadata_, limit);
  std::byte* const block = huge.Take(300 * kMiB, 16, Contents::kAny);
  ASSERT_TRUE(huge.Give(block));
  ASSERT_TRUE(limit.Commit(60 * kMiB, MemoryLimit::For::kHugeBlock));  // the rest of the heap

  huge.MakeRoom(kGiB, HugeBlocks::UpTo::kBeyondPeak);
  EXPECT_EQ(huge.cached_bytes(), 300 * kMiB);
  std::byte* const part = huge.Take(2 * kMiB, 16, Contents::kAny);
  EXPECT_EQ(huge.Resize(part, 2 * kMiB), part);
  EXPECT_EQ(huge.ResizeInPlace(part, 2 * kMiB), 2 * kMiB);
  ASSERT_TRUE(huge.Give(part));
  EXPECT_EQ(huge.cached_bytes(), 300 * kMiB);
  huge.MakeRoom(kGiB, HugeBlocks::UpTo::kPeak);
  EXPECT_LE(huge.cached_bytes(), 240 * kMiB);
  EXPECT_GE(huge.cached_bytes(), 238 * kMiB);
  ASSERT_TRUE(limit.Commit(60 * kMiB, MemoryLimit::For::kHugeBlock));
  huge.MakeRoom(kGiB, HugeBlocks::UpTo::kBeyondPeak);
  EXPECT_GE(huge.cached_bytes(), 238 * kMiB);
  ASSERT_TRUE(limit.Commit(60 * kMiB, MemoryLimit::For::kHugeBlock));
  huge.MakeRoom(kGiB, HugeBlocks::UpTo::kBeyondPeak);
  EXPECT_LE(huge.cached_bytes(), 195 * kMiB);

  limit.Uncommit(180 * kMiB);
  huge.Release(os_.ops().now(), 0, kAll);
}

// 300 MiB wait, 60 of them beyond the peak.
class BeyondPeakTest : public HugeBlocksTest {
 protected:
  BeyondPeakTest() {
    block_ = huge_.Take(4 * kMiB, 16, Contents::kAny);
    superblock_ = central_.TakeSuperblock();
    std::byte* const most = huge_.Take(300 * kMiB, 16, Contents::kAny);
    EXPECT_TRUE(huge_.Give(most));
    EXPECT_TRUE(limit_.Commit(60 * kMiB, MemoryLimit::For::kHugeBlock));
  }
  ~BeyondPeakTest() override {
    limit_.Uncommit(60 * kMiB);
    EXPECT_TRUE(huge_.Give(block_));
    huge_.Release(os_.ops().now(), 0, kAll);
  }

  MemoryLimit limit_;
  HugeBlocks huge_{os_.ops(), metadata_, limit_};
  CentralHeap central_{os_.ops(), metadata_, map_, &limit_, &huge_};
  std::byte* block_ = nullptr;
  Superblock* superblock_ = nullptr;
};

TEST_F(BeyondPeakTest, ASuperblockWithMemoryLeavesWhatWaits) {
  central_.GiveSuperblock(superblock_, os_.ops().now());
  ASSERT_EQ(central_.TakeSuperblock(), superblock_);
  EXPECT_EQ(huge_.cached_bytes(), 300 * kMiB);

  ASSERT_NE(central_.TakeSuperblock(), nullptr);
  EXPECT_EQ(huge_.cached_bytes(), 300 * kMiB - kSuperblockBytes);
}

TEST_F(BeyondPeakTest, ABlockThatIsMadeLongerTakesItsPlace) {
  std::byte* const behind = huge_.Take(2 * kMiB, 16, Contents::kAny);  // of what waits
  ASSERT_EQ(huge_.cached_bytes(), 298 * kMiB);

  block_ = huge_.Resize(block_, 400 * kMiB);

  ASSERT_NE(block_, nullptr);
  EXPECT_LE(huge_.cached_bytes(), 256 * kMiB) << "no more than waits in any case";
  EXPECT_TRUE(huge_.Give(behind));
}

TEST_F(BeyondPeakTest, ABlockThatGrowsByLittleLeavesWhatWaits) {
  os_.RefuseEvery(FakeOs::kResize);  // so that its pages move
  for (size_t i = 1; i <= 50; ++i) {
    block_ = huge_.Resize(block_, 4 * kMiB + i * OsPageBytes());
    ASSERT_NE(block_, nullptr);
  }
  EXPECT_GE(huge_.cached_bytes(), 296 * kMiB);
}

TEST_F(HugeBlocksTest, TheLatestServesAnotherOfItsLengthAndMultiple) {
  // A search would find the first one: the latest is part of a longer stretch.
  std::byte* const alone = Take(6 * kMiB);
  Take(6 * kMiB);
  std::byte* const neighbour = Take(8 * kMiB);
  std::byte* const block = Take(6 * kMiB);
  for (std::byte* const freed : {alone, neighbour, block}) ASSERT_TRUE(huge_.Give(freed));
  EXPECT_EQ(huge_.cached_bytes(), 20 * kMiB);
  ASSERT_TRUE(block + 6 * kMiB == neighbour || neighbour + 8 * kMiB == block);

  EXPECT_EQ(Take(6 * kMiB), block);
  EXPECT_EQ(huge_.cached_bytes(), 14 * kMiB);

  ASSERT_TRUE(huge_.Give(block));
  EXPECT_FALSE(huge_.Give(block)) << "it waits, and is nobody's";
  std::byte* const aligned = huge_.Take(6 * kMiB, 1024 * kMiB, Contents::kAny);
  EXPECT_EQ(AddressOf(aligned) % (1024 * kMiB), 0u);
  ASSERT_TRUE(huge_.Give(aligned));
  // What waits may happen to have such an address.
  const size_t waits = huge_.cached_bytes() + huge_.empty_bytes();
  EXPECT_TRUE(waits == 26 * kMiB || waits == 20 * kMiB);
  EXPECT_EQ(huge_.Release(os_.ops().now(), 0, kAll), waits);
  EXPECT_EQ(huge_.cached_bytes() + huge_.empty_bytes(), 0u);
}

TEST_F(HugeBlocksTest, WhatWaitsOnAnotherCpuServesBeforeTheOsIsAsked) {
  os_.RunOn(1);
  std::byte* const block = TakeAndGive(6 * kMiB);
  os_.RunOn(70);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(4 * kMiB), block);
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
}

TEST_F(HugeBlocksTest, WhatWaitsOnCpusIsCountedAndAges) {
  const std::vector<std::byte*> blocks = TakeMany(3, 2 * kMiB);
  for (uint32_t cpu = 0; cpu < 3; ++cpu) {
    os_.RunOn(cpu);
    ASSERT_TRUE(huge_.Give(blocks[cpu]));
    os_.Advance(kAge / 2);
  }
  EXPECT_EQ(huge_.cached_bytes(), 6 * kMiB);
  EXPECT_EQ(huge_.live_bytes(), 0u);

  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 4 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_EQ(Take(2 * kMiB), blocks[2]);
}

// As long as another thread has the lock.
TEST_F(HugeBlocksTest, AThreadThatWouldHaveToWaitCutsWhatItHasFreed) {
  std::byte* const range = TakeAndGive(6 * kMiB);
  {
    LockGuard guard(huge_.lock());
    EXPECT_EQ(Take(4 * kMiB), range);
    EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
    ASSERT_TRUE(huge_.Give(range));
    EXPECT_EQ(Take(5 * kMiB), range) << "what was cut off has joined it";
    ASSERT_TRUE(huge_.Give(range));
  }
  EXPECT_EQ(huge_.cached_bytes(), 6 * kMiB);
  EXPECT_EQ(Take(6 * kMiB), range);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WhatIsCutForAThreadKeepsItsHugePages) {
  std::byte* const range = TakeAndGive(16 * kMiB);
  std::byte* block;
  {
    LockGuard guard(huge_.lock());
    block = Take(10 * kMiB);
  }
  EXPECT_EQ(block, range);
  const size_t advised = os_.calls(FakeOs::kAdviseHuge);

  ASSERT_TRUE(huge_.Give(block));
  EXPECT_EQ(Take(16 * kMiB), range) << "it is one stretch again";
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), advised);
}

TEST_F(HugeBlocksTest, MoreCpusHaveLessEach) {
  const std::vector<std::byte*> blocks = TakeMany(3, 20 * kMiB);
  const auto TakeAgainUnderTheLock = [this](std::byte* block) {
    LockGuard guard(huge_.lock());
    return Take(20 * kMiB) == block;
  };
  ASSERT_TRUE(huge_.Give(blocks[0]));
  EXPECT_TRUE(TakeAgainUnderTheLock(blocks[0]));

  for (uint32_t cpu = 60; cpu < 63; ++cpu) {  // the fourth has 16 MiB, as each would have
    os_.RunOn(cpu);
    TakeAndGive(2 * kMiB);
  }
  os_.RunOn(1);
  const auto [lower, upper] = std::minmax(blocks[1], blocks[2]);
  ASSERT_EQ(lower + 20 * kMiB, upper);
  ASSERT_TRUE(huge_.Give(lower));
  ASSERT_TRUE(huge_.Give(upper));
  EXPECT_EQ(Take(20 * kMiB), lower) << "the latest is among the others";
}

TEST_F(HugeBlocksTest, AHighNumberOfACpuIsNotManyCpus) {
  os_.RunOn(63);
  std::byte* const block = TakeAndGive(60 * kMiB);

  LockGuard guard(huge_.lock());
  EXPECT_EQ(Take(60 * kMiB), block);
}

TEST_F(HugeBlocksTest, WhatWaitsOnCpusGivesWayToo) {
  MemoryLimit limit;
  HugeBlocks huge(os_.ops(), metadata_, limit);
  CentralHeap central(os_.ops(), metadata_, map_, &limit, &huge);
  ASSERT_TRUE(huge.Give(huge.Take(60 * kMiB, 16, Contents::kAny)));
  EXPECT_EQ(huge.cached_bytes(), 60 * kMiB);

  for (size_t i = 0; i < 20; ++i) ASSERT_NE(central.TakeSuperblock(), nullptr);

  EXPECT_LE(huge.cached_bytes(), 16 * kMiB);
  EXPECT_GE(huge.cached_bytes(), 14 * kMiB);
  huge.Release(os_.ops().now(), 0, kAll);
}

TEST_F(HugeBlocksTest, ALowerBoundHoldsForWhatWaitsOnCpus) {
  const std::vector<std::byte*> blocks = TakeMany(4, 4 * kMiB);
  for (uint32_t cpu = 0; cpu < 3; ++cpu) {
    os_.RunOn(cpu);
    ASSERT_TRUE(huge_.Give(blocks[cpu]));
  }
  EXPECT_EQ(huge_.cached_bytes(), 12 * kMiB);

  g_options.huge_cache_mib = 6;
  ASSERT_TRUE(huge_.Give(blocks[3]));

  EXPECT_LE(huge_.cached_bytes(), 6 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, AllCpusTogetherKeepToALowBound) {
  g_options.huge_cache_mib = 8;
  const size_t sizes[] = {7 * kMiB, 4 * kMiB, 2 * kMiB, 2 * kMiB};
  std::vector<std::byte*> blocks;
  for (const size_t bytes : sizes) blocks.push_back(Take(bytes));

  for (uint32_t cpu = 0; cpu < 4; ++cpu) {
    os_.RunOn(cpu);
    ASSERT_TRUE(huge_.Give(blocks[cpu]));
    EXPECT_LE(huge_.cached_bytes(), 8 * kMiB);
  }
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, OtherCpusKeepWhatWouldBeOfNoHelp) {
  const std::vector<std::byte*> blocks = TakeMany(2, 2 * kMiB);
  const auto [lower, upper] = std::minmax(blocks[0], blocks[1]);
  ASSERT_TRUE(huge_.Give(lower));

  os_.RunOn(1);
  Take(40 * kMiB);
  os_.RunOn(0);
  os_.RefuseEvery(FakeOs::kResize);
  EXPECT_EQ(huge_.ResizeInPlace(upper, 3 * kMiB), 2 * kMiB);

  LockGuard guard(huge_.lock());
  EXPECT_EQ(Take(2 * kMiB), lower);
}

// Its memory goes back in steps; between two of them others may read the figures.
TEST_F(HugeBlocksTest, WhatIsGoingBackIsNotLive) {
  static HugeBlocks* huge;
  static const OsOps* os;
  static std::vector<HugeBlocks::Figures> seen;
  seen.clear();
  os = &os_.ops();
  OsOps ops = os_.ops();
  ops.unmap = [](std::byte* start, size_t bytes) {
    seen.push_back(huge->ReadFigures());
    return os->unmap(start, bytes);
  };
  ops.decommit = [](std::byte* start, size_t bytes, bool lazily) {
    seen.push_back(huge->ReadFigures());
    return os->decommit(start, bytes, lazily);
  };
  HugeBlocks watched(ops, metadata_, huge_limit_);
  huge = &watched;
  std::byte* const live = watched.Take(3 * kMiB, 16, Contents::kAny);
  std::byte* const other = watched.Take(40 * kMiB, 16, Contents::kAny);
  ASSERT_TRUE(watched.Give(watched.Take(2 * kMiB, 16, Contents::kAny)));
  ASSERT_TRUE(watched.Give(other));

  g_options.huge_cache_mib = 10;
  watched.MakeRoom(40 * kMiB);
  watched.Release(os_.now(), 0, kAll);
  g_options.release_delay_ms = 0;
  ASSERT_TRUE(watched.Give(live));

  ASSERT_GE(seen.size(), 3u);
  EXPECT_EQ(seen.back().live, 0u);
  EXPECT_EQ(seen.back().held, 3 * kMiB);
  seen.pop_back();
  for (const HugeBlocks::Figures& figures : seen) {
    EXPECT_EQ(figures.live, 3 * kMiB);
    EXPECT_LE(figures.held + figures.empty, 42 * kMiB);
    EXPECT_GE(figures.held, 2 * kMiB);
  }
  EXPECT_EQ(watched.ReadFigures().held, 0u);
  EXPECT_EQ(huge_limit_.committed(), 0u);
}

// As a fork's child finds it if another thread was in the middle of that.
TEST_F(HugeBlocksTest, WhatOthersWereGivingBackCountsNoLonger) {
  static HugeBlocks* huge;
  static MemoryLimit* limit;
  static size_t committed;
  OsOps ops = os_.ops();
  ops.unmap = [](std::byte*, size_t bytes) {
    huge->ForgetOthers();
    committed = limit->committed();
    limit->CommitTable(bytes);  // the child's thread would not go on from here
    return true;
  };
  HugeBlocks watched(ops, metadata_, huge_limit_);
  huge = &watched;
  limit = &huge_limit_;
  ASSERT_NE(watched.Take(3 * kMiB, 16, Contents::kAny), nullptr);
  std::byte* const freed = watched.Take(2 * kMiB, 16, Contents::kAny);
  g_options.release_delay_ms = 0;

  ASSERT_TRUE(watched.Give(freed));

  EXPECT_EQ(committed, 3 * kMiB);
}

// As a fork's child finds it if another thread had one in hand.
TEST_F(HugeBlocksTest, WhatOtherThreadsHadInHandCountsNoLonger) {
  std::byte* const lost = Take(6 * kMiB);
  std::byte* const block = Take(2 * kMiB);
  TakeAndGive(3 * kMiB);
  ASSERT_NE(huge_.table().LeaveMoved(lost), nullptr);
  EXPECT_EQ(huge_.live_bytes(), 8 * kMiB);

  huge_.ForgetOthers();

  EXPECT_EQ(huge_.live_bytes(), 2 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 3 * kMiB);
  EXPECT_EQ(huge_limit_.committed(), 5 * kMiB);
  EXPECT_TRUE(huge_.Give(block));
  os_.ops().unmap(lost, 6 * kMiB);
}

TEST_F(HugeBlocksTest, TheOldestLeaveAFullCache) {
  g_options.huge_cache_mib = 8;
  std::byte* const old = Take(4 * kMiB);
  std::byte* const middle = Take(4 * kMiB);
  std::byte* const young = Take(4 * kMiB);

  for (std::byte* block : {old, middle, young}) {
    FillPattern(block, 4 * kMiB, 1);
    ASSERT_TRUE(huge_.Give(block));
    os_.Advance(kAge);
  }

  EXPECT_EQ(CountPagesWithMemory(old, 4 * kMiB), 0u);
  EXPECT_EQ(FindDamage(middle, 4 * kMiB, 1), kIntact);
  EXPECT_EQ(FindDamage(young, 4 * kMiB, 1), kIntact);
}

TEST_F(HugeBlocksTest, WhatIsTooMuchOfABlockGivesItsMemoryBackAtOnce) {
  g_options.huge_cache_mib = 2;

  TakeAndGive(7 * kMiB);

  EXPECT_LE(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_EQ(huge_.cached_bytes() + huge_.returned_bytes(), 7 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, WithoutADelayNothingIsCached) {
  g_options.release_delay_ms = 0;

  TakeAndGive(3 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(huge_.returned_bytes(), 3 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, CachedBlocksLeaveWhenTheyHaveWaitedLongEnough) {
  std::byte* const old = TakeAndGive(2 * kMiB);
  os_.Advance(kAge - 1);
  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 0u);
  std::byte* const young = TakeAndGive(9 * kMiB);

  os_.Advance(1);

  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 2 * kMiB);
  EXPECT_FALSE(os_.IsMapped(old, 2 * kMiB));
  EXPECT_TRUE(os_.IsMapped(young, 9 * kMiB));
  EXPECT_EQ(huge_.returned_bytes(), 2 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ReleaseStopsAtItsLimit) {
  CacheSideBySide(4, 2 * kMiB);

  EXPECT_EQ(huge_.Release(os_.now(), 0, 3), 6 * kMiB);

  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
}

TEST_F(HugeBlocksTest, WhatWasGivenBackAfterTheClockWasReadIsNotOld) {
  const Milliseconds read = os_.now();
  os_.Advance(1);
  TakeAndGive(2 * kMiB);

  EXPECT_EQ(huge_.Release(read, kAge, kAll), 0u);
}

TEST_F(HugeBlocksTest, ABlockThatCannotBeUnmappedGivesAtLeastItsMemoryBack) {
  std::byte* const block = Take(2 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  ASSERT_TRUE(huge_.Give(block));
  os_.RefuseEvery(FakeOs::kUnmap);

  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 2 * kMiB);

  EXPECT_EQ(CountPagesWithMemory(block, 2 * kMiB), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
}

TEST_F(HugeBlocksTest, AddressesThatCannotBeUnmappedServeAgainOrGoLater) {
  CacheSideBySide(3, 2 * kMiB);
  os_.RefuseEvery(FakeOs::kUnmap);

  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 6 * kMiB);

  EXPECT_EQ(huge_.empty_bytes(), 6 * kMiB);
  ExpectHeldIsMapped();
  const size_t maps = os_.calls(FakeOs::kMap);
  EXPECT_TRUE(huge_.Give(Take(6 * kMiB)));
  EXPECT_EQ(os_.calls(FakeOs::kMap), maps);
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 6 * kMiB);
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 0u);
  os_.RefuseNothing();
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 6 * kMiB);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(HugeBlocksTest, WhatTheOsTakesNeitherWayWaitsOnWithItsMemory) {
  g_options.zero_on_free = 1;
  std::byte* const block = Take(2 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kUnmap);
  os_.RefuseEvery(FakeOs::kDecommit);  // as if it were locked

  ASSERT_TRUE(huge_.Give(block));

  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 2 * kMiB);
  EXPECT_TRUE(IsZero(block, 2 * kMiB));
  ExpectHeldIsMapped();
  os_.RefuseNothing();
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 2 * kMiB);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(HugeBlocksTest, AfterARefusalTheOsIsLeftAloneForAWhile) {
  CacheSideBySide(2, 2 * kMiB);
  os_.RefuseEvery(FakeOs::kUnmap);
  ASSERT_EQ(huge_.Release(os_.now(), 0, kAll), 4 * kMiB);
  os_.RefuseNothing();
  EXPECT_FALSE(huge_.HasToRelease());
  os_.Advance(999);
  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 0u);

  os_.Advance(1);

  EXPECT_TRUE(huge_.HasToRelease());
  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 4 * kMiB);
}

TEST_F(HugeBlocksTest, AmongVeryManyBlocksOnlyTheMemoryOfAgedOnesGoesBack) {
  // Of addresses alone, as nothing is written there.
  const size_t bytes = kMiB + OsPageBytes();
  const std::vector<std::byte*> many = TakeMany(16'387, bytes);
  const size_t unmaps = os_.calls(FakeOs::kUnmap);
  ASSERT_TRUE(huge_.Give(many[1]));
  ASSERT_TRUE(huge_.Give(many[3]));
  ASSERT_EQ(huge_.live_count(), 16'385u);
  os_.Advance(kAge);

  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 2 * bytes);

  EXPECT_EQ(os_.calls(FakeOs::kUnmap), unmaps);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(huge_.empty_bytes(), 2 * bytes);
  EXPECT_FALSE(huge_.HasToRelease());
  // In need they go.
  EXPECT_EQ(huge_.Release(os_.now(), 0, kAll), 2 * bytes);
  EXPECT_EQ(huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockGrowsInPlaceWhereThereIsRoom) {
  std::byte* const block = Take(8 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  ASSERT_EQ(huge_.Resize(block, 2 * kMiB), block);
  huge_.Release(os_.now(), 0, kAll);  // what was cut off, so that the addresses are free

  EXPECT_EQ(huge_.Resize(block, 4 * kMiB), block);

  EXPECT_EQ(huge_.BytesOf(block), 4 * kMiB);
  EXPECT_EQ(FindDamage(block, 2 * kMiB, 1), kIntact);
  EXPECT_TRUE(IsZero(block + 2 * kMiB, 2 * kMiB));
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockWithoutRoomMovesItsPages) {
  std::byte* const block = Take(2 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kResize);

  std::byte* const moved = huge_.Resize(block, 4 * kMiB);

  ASSERT_NE(moved, nullptr);
  EXPECT_NE(moved, block);
  EXPECT_EQ(huge_.BytesOf(block), 0u);
  EXPECT_EQ(huge_.BytesOf(moved), 4 * kMiB);
  EXPECT_EQ(FindDamage(moved, 2 * kMiB, 1), kIntact);
  EXPECT_FALSE(os_.IsMapped(block, OsPageBytes()));
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ABlockThatCannotGrowIsAsBefore) {
  std::byte* const block = Take(2 * kMiB);
  FillPattern(block, 2 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kResize);

  for (const FakeOs::Call call : {FakeOs::kMap, FakeOs::kMove}) {
    os_.Refuse(call);
    EXPECT_EQ(huge_.Resize(block, 4 * kMiB), nullptr);

    EXPECT_EQ(huge_.BytesOf(block), 2 * kMiB);
    EXPECT_EQ(huge_.live_bytes(), 2 * kMiB);
    EXPECT_EQ(FindDamage(block, 2 * kMiB, 1), kIntact);
    ExpectHeldIsMapped();
  }
}

TEST_F(HugeBlocksTest, ABlockShrinksInPlaceAndTheRestIsCached) {
  std::byte* const block = Take(8 * kMiB);
  FillPattern(block, 3 * kMiB, 1);

  EXPECT_EQ(huge_.Resize(block, 3 * kMiB - 1), block);

  EXPECT_EQ(huge_.BytesOf(block), 3 * kMiB);
  EXPECT_EQ(huge_.cached_bytes(), 5 * kMiB);
  EXPECT_EQ(FindDamage(block, 3 * kMiB, 1), kIntact);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, ResizingToTheSameSizeChangesNothing) {
  std::byte* const block = Take(2 * kMiB);
  const size_t before = os_.calls(FakeOs::kResize) + os_.calls(FakeOs::kUnmap);

  EXPECT_EQ(huge_.Resize(block, 2 * kMiB - 5), block);

  EXPECT_EQ(huge_.BytesOf(block), 2 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kResize) + os_.calls(FakeOs::kUnmap), before);
}

TEST_F(HugeBlocksTest, OnlyALiveBlockCanBeResized) {
  std::byte* const block = TakeAndGive(2 * kMiB);

  EXPECT_EQ(huge_.Resize(block, 4 * kMiB), nullptr);

  EXPECT_EQ(huge_.live_count(), 0u);
}

TEST_F(HugeBlocksTest, ARefusalAtAnyCallIsNullAndNothingIsLost) {
  for (size_t n = 1;; ++n) {
    SCOPED_TRACE(n);
    const size_t before = os_.refusals();
    os_.RefuseAny(n);

    std::byte* const block = huge_.Take(2 * kMiB, 64 * kMiB, Contents::kAny);

    os_.RefuseNothing();
    const bool refused = os_.refusals() != before;
    ASSERT_TRUE(refused || block != nullptr);
    EXPECT_EQ(huge_.live_bytes(), block != nullptr ? 2 * kMiB : 0);
    EXPECT_GE(os_.mapped_bytes(), HeldBytes());
    if (!refused) break;
    if (block != nullptr) {
      ASSERT_TRUE(huge_.Give(block));
    }
    huge_.Release(os_.now(), 0, kAll);
  }
}

TEST_F(HugeBlocksTest, ARefusedDescriptorGivesTheMappingBack) {
  std::byte* const first = Take(2 * kMiB);
  UseUpMetadata();
  const size_t before = os_.mapped_bytes();
  // The first map is the block's (its alignment is the page's), the second that of metadata for its
  // descriptor.
  os_.Refuse(FakeOs::kMap, 2);

  EXPECT_EQ(Take(2 * kMiB), nullptr);

  EXPECT_EQ(os_.mapped_bytes(), before);
  EXPECT_EQ(huge_.live_count(), 1u);
  EXPECT_TRUE(huge_.Give(first));
}

TEST_F(HugeBlocksTest, ARefusedTableGivesTheMappingBack) {
  const size_t before = os_.mapped_bytes();
  // The first map is the block's (its alignment is the page's), the second that of its table.
  os_.Refuse(FakeOs::kMap, 2);

  EXPECT_EQ(Take(2 * kMiB), nullptr);

  EXPECT_EQ(os_.mapped_bytes(), before);
  EXPECT_EQ(huge_.live_count(), 0u);
}

TEST_F(HugeBlocksTest, ARefusedMappingIsTriedAgainWithoutTheCache) {
  TakeAndGive(20 * kMiB);
  os_.Refuse(FakeOs::kMap);

  std::byte* const block = huge_.Take(40 * kMiB, 16, Contents::kZero);

  EXPECT_NE(block, nullptr);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, FreedBlocksAreRememberedForReports) {
  std::byte* const block = Take(2 * kMiB);
  EXPECT_FALSE(huge_.WasFreed(block));

  ASSERT_TRUE(huge_.Give(block));

  EXPECT_TRUE(huge_.WasFreed(block));
  EXPECT_TRUE(huge_.WasFreed(block + 2 * kMiB - 1));
  EXPECT_FALSE(huge_.WasFreed(block + 2 * kMiB));
  EXPECT_FALSE(huge_.WasFreed(block - 1));
  EXPECT_FALSE(huge_.WasFreed(nullptr));
  huge_.Release(os_.now(), 0, kAll);
  EXPECT_TRUE(huge_.WasFreed(block));
}

TEST_F(HugeBlocksTest, AnyAddressInALiveBlockFindsItsSize) {
  std::byte* const block = Take(2 * kMiB);

  EXPECT_EQ(huge_.BytesAround(block), 2 * kMiB);
  EXPECT_EQ(huge_.BytesAround(block + 2 * kMiB - 1), 2 * kMiB);
  EXPECT_EQ(huge_.BytesAround(block + 2 * kMiB), 0u);
  EXPECT_EQ(huge_.BytesAround(block - 1), 0u);
  ASSERT_TRUE(huge_.Give(block));
  EXPECT_EQ(huge_.BytesAround(block), 0u);
}

TEST_F(HugeBlocksTest, LargeBlocksAskForHugePagesUnlessThatIsOff) {
  Take(64 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
  Take(2 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
  // A block whose pages the program may never touch would become resident in large pieces.
  huge_.Take(64 * kMiB, 16, Contents::kZero);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);

  g_options.huge_pages = 0;
  Take(64 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
}

class DearPagesTest : public HugeBlocksTest {
 protected:
  DearPagesTest() {
    os_.GiveHugePages(true);
    os_.TakePerSmallPage(HugePages::kDear);
  }
};

TEST_F(DearPagesTest, ShortBlocksLieSideBySideInHugePages) {
  std::byte* const first = Take(3 * kMiB / 2);
  std::byte* const second = Take(3 * kMiB);

  EXPECT_EQ(AddressOf(first) % kHugePageBytes, 0u);
  EXPECT_EQ(second, first + 3 * kMiB / 2);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
  EXPECT_EQ(os_.bytes(FakeOs::kAdviseHuge), 16 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 0u);
  // Only they count as memory.
  EXPECT_EQ(huge_.committed_bytes(), 9 * kMiB / 2);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(huge_.empty_bytes(), 16 * kMiB - 9 * kMiB / 2);
  ExpectHeldIsMapped();
}

TEST_F(DearPagesTest, WhereSmallPagesAreQuickEachShortBlockIsAlone) {
  os_.TakePerSmallPage(HugePages::kDear - 1);

  Take(3 * kMiB);

  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(DearPagesTest, BlocksThatMayStayUnwrittenAreAlone) {
  huge_.Take(3 * kMiB, 16, Contents::kZero);

  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
  ExpectHeldIsMapped();
}

TEST_F(DearPagesTest, WhereWhatIsFreedGoesAtOnceNoRoomWaits) {
  g_options.release_delay_ms = 0;

  Take(3 * kMiB);

  EXPECT_EQ(huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(DearPagesTest, WhereRoomIsRefusedABlockIsAlone) {
  os_.Refuse(FakeOs::kMap);

  std::byte* const block = Take(3 * kMiB);

  ASSERT_NE(block, nullptr);
  EXPECT_EQ(huge_.empty_bytes(), 0u);
  EXPECT_EQ(huge_.committed_bytes(), 3 * kMiB);
  ExpectHeldIsMapped();
}

TEST_F(DearPagesTest, TheRoomGoesWhenNothingHasUsedItForAWhile) {
  Take(3 * kMiB);
  os_.Advance(kAge);

  EXPECT_EQ(huge_.Release(os_.now(), kAge, kAll), 13 * kMiB);

  EXPECT_EQ(huge_.empty_bytes(), 0u);
  ExpectHeldIsMapped();
}

TEST_F(DearPagesTest, BlocksWithSmallPagesAreCopied) {
  for (const Contents contents : {Contents::kZero, Contents::kAny}) {
    std::byte* const block = huge_.Take(3 * kMiB, 16, contents);
    FillPattern(block, 3 * kMiB, 1);
    os_.RefuseEvery(FakeOs::kResize);

    std::byte* const longer = huge_.Resize(block, 30 * kMiB);

    ASSERT_NE(longer, nullptr);
    EXPECT_NE(longer, block);
    EXPECT_EQ(FindDamage(longer, 3 * kMiB, 1), kIntact);
    EXPECT_EQ(huge_.BytesOf(longer), 30 * kMiB);
    EXPECT_EQ(huge_.BytesOf(block), 0u);
    EXPECT_EQ(huge_.live_count(), 1u);
    EXPECT_EQ(os_.calls(FakeOs::kMove), 0u);
    EXPECT_TRUE(huge_.Give(longer));
  }
}

TEST_F(DearPagesTest, LongBlocksWithSmallPagesMove) {
  std::byte* const block = huge_.Take(33 * kMiB, 16, Contents::kZero);
  os_.RefuseEvery(FakeOs::kResize);

  std::byte* const moved = huge_.Resize(block, 64 * kMiB);

  EXPECT_EQ(os_.calls(FakeOs::kMove), 1u);
  EXPECT_EQ(huge_.BytesOf(moved), 64 * kMiB);
  EXPECT_LE(CountPagesWithMemory(moved, 64 * kMiB), 1u) << "that of a mark";
}

TEST_F(DearPagesTest, WhereThereIsNoMemoryForBothItMoves) {
  std::byte* const block = huge_.Take(20 * kMiB, 16, Contents::kZero);
  FillPattern(block, 20 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kResize);
  g_options.hard_limit = huge_limit_.committed() + 20 * kMiB;

  std::byte* const moved = huge_.Resize(block, 30 * kMiB);

  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(os_.calls(FakeOs::kMove), 1u);
  EXPECT_EQ(FindDamage(moved, 20 * kMiB, 1), kIntact);
  EXPECT_EQ(huge_.Resize(moved, 300 * kMiB), nullptr);
  EXPECT_EQ(huge_.BytesOf(moved), 30 * kMiB);
}

TEST_F(DearPagesTest, WholeHugePagesMove) {
  std::byte* const block = Take(8 * kMiB);
  FillPattern(block, 8 * kMiB, 1);
  os_.RefuseEvery(FakeOs::kResize);

  std::byte* const moved = huge_.Resize(block, 32 * kMiB);

  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(os_.calls(FakeOs::kMove), 1u);
  EXPECT_EQ(FindDamage(moved, 8 * kMiB, 1), kIntact);
}

TEST_F(DearPagesTest, WhatWaitsInSmallPagesIsNotMovedToBeMadeLonger) {
  EXPECT_TRUE(huge_.Give(huge_.Take(40 * kMiB, 16, Contents::kZero)));
  os_.RefuseEvery(FakeOs::kResize);

  EXPECT_NE(Take(50 * kMiB), nullptr);

  EXPECT_EQ(os_.calls(FakeOs::kMove), 0u);
  os_.TakePerSmallPage(HugePages::kDear - 1);
  EXPECT_NE(Take(52 * kMiB), nullptr);
  EXPECT_EQ(os_.calls(FakeOs::kMove), 1u);
}

TEST_F(DearPagesTest, BlocksOfAHeapMoveAndAreExact) {
  Account account;
  std::byte* const block = huge_.Take(7 * kMiB, 16, Contents::kZero, &account);
  os_.RefuseEvery(FakeOs::kResize);

  std::byte* const moved = huge_.Resize(block, 15 * kMiB);

  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(os_.calls(FakeOs::kMove), 1u);
  EXPECT_EQ(huge_.BytesOf(moved), 15 * kMiB);
}

TEST_F(DearPagesTest, BlocksHaveWholeHugePagesForMore) {
  std::byte* const block = Take(8 * kMiB - kMiB);
  EXPECT_EQ(huge_.BytesOf(block), 8 * kMiB);
  EXPECT_EQ(huge_.BytesOf(Take(4 * kMiB + 1)), 4 * kMiB + OsPageBytes());

  std::byte* const grown = huge_.Resize(block, 8 * kMiB + 512 * kKiB);

  ASSERT_NE(grown, nullptr);
  EXPECT_EQ(huge_.BytesOf(grown), 10 * kMiB);
}

TEST_F(DearPagesTest, OnlyBlocksInHugePagesGrowByWholeOnes) {
  std::byte* const block = huge_.Take(7 * kMiB, 16, Contents::kZero);

  std::byte* const grown = huge_.Resize(block, 7 * kMiB + 512 * kKiB);

  ASSERT_NE(grown, nullptr);
  // What happens to lie behind it may leave it no room: then it is copied to a block of its own.
  if (grown != block) GTEST_SKIP() << "the addresses behind the block are taken";
  EXPECT_EQ(huge_.BytesOf(grown), 7 * kMiB + 512 * kKiB);
}

TEST_F(DearPagesTest, ABlockGrowsByWhatIsAskedForWhereMoreIsRefused) {
  std::byte* const block = Take(8 * kMiB);
  os_.Refuse(FakeOs::kResize);
  os_.Refuse(FakeOs::kMap);

  std::byte* const grown = huge_.Resize(block, 8 * kMiB + 512 * kKiB);

  ASSERT_NE(grown, nullptr);
  EXPECT_EQ(huge_.BytesOf(grown), 8 * kMiB + 512 * kKiB);
  ExpectHeldIsMapped();
}

TEST_F(HugeBlocksTest, BlocksThatTheProgramWritesAreFetched) {
  const auto take = [this](int count) {
    const size_t before = os_.calls(FakeOs::kPopulate);
    for (int i = 0; i < count; ++i) FillPattern(Take(2 * kMiB), 2 * kMiB, 1);
    return os_.calls(FakeOs::kPopulate) - before;
  };
  EXPECT_EQ(take(2), 0u);
  EXPECT_EQ(take(4), 4u);

  g_options.populate = 0;
  EXPECT_EQ(take(4), 0u);
}

TEST_F(HugeBlocksTest, BlocksOfWhichOnePageIsWrittenAreNotFetched) {
  for (int i = 0; i < 20; ++i) *Take(2 * kMiB) = std::byte{1};

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 0u);
}

TEST_F(HugeBlocksTest, BlocksThatLoseTheirMemoryBeforeTheyAreWrittenAreNotFetched) {
  for (int i = 0; i < 10; ++i) {
    std::byte* const block = Take(2 * kMiB);
    *block = std::byte{1};
    ASSERT_TRUE(huge_.Give(block));
    huge_.Release(os_.now(), 0, kAll);
    ASSERT_EQ(huge_.cached_bytes(), 0u);
  }

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 0u);
}

TEST_F(HugeBlocksTest, FreshZeroedBlocksAreNotFetched) {
  for (int i = 0; i < 6; ++i) FillPattern(Take(2 * kMiB), 2 * kMiB, 1);
  const size_t before = os_.calls(FakeOs::kPopulate);

  huge_.Take(2 * kMiB, 16, Contents::kZero);

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), before);
}

TEST_F(HugeBlocksTest, ThreadsKeepTheirBlocksApart) {
  std::vector<std::thread> threads;
  for (uint64_t key = 1; key <= 4; ++key) {
    threads.emplace_back([this, key] {
      for (size_t i = 1; i <= 40; ++i) {
        os_.RunOn(i * key % 3);
        const size_t bytes = kMiB + (i * key % 5) * 512 * kKiB;
        std::byte* block = Take(bytes);
        ASSERT_NE(block, nullptr);
        FillPattern(block, 4096, key);
        if (i % 3 == 0) block = huge_.Resize(block, bytes * 2);
        ASSERT_NE(block, nullptr);
        ASSERT_EQ(FindDamage(block, 4096, key), kIntact);
        ASSERT_TRUE(huge_.Give(block));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(huge_.live_count(), 0u);
  EXPECT_EQ(huge_.live_bytes(), 0u);
  ExpectHeldIsMapped();
}

}  // namespace
}  // namespace cma
