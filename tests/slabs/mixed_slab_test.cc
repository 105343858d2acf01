#include "slabs/mixed_slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "runs/run_heap.h"
#include "slabs/slab.h"
#include "support/heap_fixture.h"

namespace cma {
namespace {

class MixedSlabTest : public cma_test::HeapFixture {
 protected:
  // A mixed slab that was one of `bytes`, of which one block in `keep_one_in` is left; these.
  std::vector<std::byte*> Mix(size_t bytes, size_t keep_one_in) {
    slab_ = MakeSlab(heap_->TakeSlabRun(), ClassOf(bytes));
    std::vector<std::byte*> all(slab_->capacity);
    EXPECT_EQ(TakeFromSlab(slab_, all.data() + all.size(), all.size()), all.size());
    std::reverse(all.begin(), all.end());
    std::vector<std::byte*> kept;
    for (size_t i = 0; i < all.size(); ++i) {
      if (i % keep_one_in == 0) {
        kept.push_back(all[i]);
      } else {
        EXPECT_EQ(GiveToSlab(slab_, &all[i], 1), 1u);
      }
    }
    MixSlab(slab_);
    return kept;
  }

  std::vector<std::byte*> Take(SizeClass c, size_t want) {
    std::vector<std::byte*> blocks(want);
    const size_t n = TakeFromMixedSlab(slab_, c, blocks.data() + want, want);
    std::reverse(blocks.begin(), blocks.end());
    blocks.resize(n);
    return blocks;
  }

  size_t Give(std::byte* block) {
    size_t bytes = 0;
    EXPECT_EQ(GiveToMixedSlab(slab_, &block, 1, &bytes), 1u);
    return bytes;
  }

  SizeClass ClassAt(const std::byte* address) { return SmallClassAt(slab_->superblock, address); }

  SizeClass ShortClassAt(const std::byte* address) {
    return MixedClassOfShort(slab_->superblock, AddressOf(address));
  }

  size_t FreeBytes() const { return size_t{slab_->free_blocks} * kMinAlignment; }

  const std::unique_ptr<RunHeap> heap_ = std::make_unique<RunHeap>(central_, ArenaId{0});
  Slab* slab_ = nullptr;
};

TEST_F(MixedSlabTest, BlocksThatWereThereKeepTheirClass) {
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    const std::vector<std::byte*> kept = Mix(bytes, 5);

    EXPECT_EQ(FreeBytes(), kUnitBytes - kept.size() * bytes);
    for (const std::byte* block : kept) {
      ASSERT_EQ(ClassAt(block), c);
      ASSERT_EQ(ClassAt(block + 8), 0u);
      ASSERT_EQ(MixedBytesAround(slab_->superblock, block + bytes - 1), bytes);
      ASSERT_FALSE(IsFreeInSlab(slab_, block));
      if (bytes > kMinAlignment) {
        ASSERT_EQ(ClassAt(block + kMinAlignment), 0u);
      }
    }
    std::vector<size_t> lent(kSmallClasses);
    CountMixedBlocks(slab_, lent.data());
    EXPECT_EQ(lent[c], kept.size());
  }
}

TEST_F(MixedSlabTest, HolesServeWhatFitsAtItsAlignment) {
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    const std::vector<std::byte*> kept = Mix(48, 700);  // two of 1,365

    const std::vector<std::byte*> blocks = Take(c, kPiecesPerSlab);

    EXPECT_GE(blocks.size() + 6, kUnitBytes / bytes);
    std::vector<std::byte*> all = kept;
    all.insert(all.end(), blocks.begin(), blocks.end());
    std::sort(all.begin(), all.end());
    for (size_t i = 1; i < all.size(); ++i) {
      ASSERT_GE(all[i], all[i - 1] + ClassBytes(ClassAt(all[i - 1])));
    }
    for (const std::byte* block : blocks) {
      ASSERT_EQ(ClassAt(block), c);
      ASSERT_EQ(ShortClassAt(block), bytes < 63 * kMinAlignment ? c : 0);
      ASSERT_EQ(ShortClassAt(block + 8), 0u);
      ASSERT_EQ(ShortClassAt(block + kMinAlignment),
                bytes > kMinAlignment ? 0 : ClassAt(block + 16));
      ASSERT_EQ(AddressOf(block) % (bytes & -bytes), 0u);
      ASSERT_LE(block + bytes, slab_->base + kUnitBytes);
    }
  }
}

TEST_F(MixedSlabTest, NothingIsTakenFromHolesThatAreTooShort) {
  Mix(64, 4);

  EXPECT_TRUE(Take(ClassOf(208), 10).empty());
  EXPECT_EQ(slab_->longest_hole, 192 / kMinAlignment);
  EXPECT_EQ(Take(ClassOf(192), 1).size(), 1u);
}

TEST_F(MixedSlabTest, WhatIsGivenBackJoinsTheHolesOnBothSides) {
  const std::vector<std::byte*> kept = Mix(64, 4);
  Take(ClassOf(208), 10);

  EXPECT_EQ(Give(kept[5]), 64u);

  EXPECT_EQ(slab_->longest_hole, (192 + 64 + 192) / kMinAlignment);
  const std::vector<std::byte*> blocks = Take(ClassOf(448), 10);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(ClassAt(blocks[0]), ClassOf(448));
  // What was there before has gone.
  EXPECT_EQ(ClassAt(kept[5]), 0u);
  EXPECT_EQ(MixedBytesAround(slab_->superblock, kept[5]), 448u);
}

TEST_F(MixedSlabTest, ItIsEmptyWhenAllIsGivenBack) {
  std::vector<std::byte*> blocks = Mix(1024, 3);
  const std::vector<std::byte*> more = Take(ClassOf(80), 100);
  ASSERT_EQ(more.size(), 100u);
  blocks.insert(blocks.end(), more.begin(), more.end());

  size_t bytes = 0;
  EXPECT_EQ(GiveToMixedSlab(slab_, blocks.data(), blocks.size(), &bytes), blocks.size());

  EXPECT_EQ(bytes, 22 * 1024u + 100 * 80u);
  EXPECT_EQ(slab_->free_blocks, slab_->capacity);
  EXPECT_EQ(slab_->longest_hole, kPiecesPerSlab);
}

TEST_F(MixedSlabTest, PagesWithoutABlockAreIdleAndServeLast) {
  if (PagesPerSlab() != 16) GTEST_SKIP() << "made for pages of 4 KiB";
  Mix(16 * kKiB, 4);  // on the first four pages
  EXPECT_EQ(IdlePages(slab_), 0xfff0u);
  slab_->touched_pages &= 0x10f;  // the OS has the others

  const std::vector<std::byte*> first = Take(ClassOf(1024), 4);
  const std::vector<std::byte*> then = Take(ClassOf(1024), 1);

  for (const std::byte* block : first) EXPECT_EQ((block - slab_->base) / 4096, 8);
  ASSERT_EQ(then.size(), 1u);
  EXPECT_EQ((then[0] - slab_->base) / 4096, 4);
  EXPECT_EQ(slab_->touched_pages, 0x11f);
}

TEST_F(MixedSlabTest, AnyMixOfSizesStaysApart) {
  std::mt19937 random(7);
  const std::vector<std::byte*> kept = Mix(64, 40);
  std::map<std::byte*, SizeClass> live;
  for (std::byte* block : kept) live[block] = ClassOf(64);
  size_t live_bytes = kept.size() * 64;
  for (int round = 0; round < 20'000; ++round) {
    if (random() % 2 == 0 && !live.empty()) {
      auto victim = live.lower_bound(slab_->base + random() % kUnitBytes);
      if (victim == live.end()) --victim;
      ASSERT_EQ(ClassAt(victim->first), victim->second);
      ASSERT_EQ(Give(victim->first), ClassBytes(victim->second));
      live_bytes -= ClassBytes(victim->second);
      live.erase(victim);
    } else {
      const SizeClass c = 1 + static_cast<SizeClass>(random() % 40);
      for (std::byte* block : Take(c, 1 + random() % 5)) {
        const auto [next, fresh] = live.emplace(block, c);
        ASSERT_TRUE(fresh);
        if (next != live.begin()) {
          const auto before = std::prev(next);
          ASSERT_LE(before->first + ClassBytes(before->second), block);
        }
        const auto after = std::next(next);
        if (after != live.end()) {
          ASSERT_LE(block + ClassBytes(c), after->first);
        }
        live_bytes += ClassBytes(c);
      }
    }
    ASSERT_EQ(FreeBytes(), kUnitBytes - live_bytes);
  }
  std::vector<size_t> lent(kSmallClasses);
  CountMixedBlocks(slab_, lent.data());
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const auto count = std::count_if(live.begin(), live.end(),
                                     [c](const auto& block) { return block.second == c; });
    EXPECT_EQ(lent[c], static_cast<size_t>(count)) << c;
  }
}

// What lies behind the slab may be anything.
TEST_F(MixedSlabTest, TheSlabsEndIsAnEdge) {
  for (const bool next_starts : {false, true}) {
    Mix(64, 2000);
    const std::vector<std::byte*> blocks = Take(ClassOf(128), kPiecesPerSlab);
    const std::byte* const last = *std::max_element(blocks.begin(), blocks.end());
    ASSERT_EQ(last + 128, slab_->base + kUnitBytes);
    const size_t unit = mixed_slab_edges::UnitAt(slab_->base);
    slab_->superblock->tables->edges[(unit + 1) * mixed_slab_edges::kWords] = next_starts ? 1 : 0;

    EXPECT_EQ(ClassAt(last), ClassOf(128));
    EXPECT_EQ(ShortClassAt(last), ClassOf(128));
    slab_->superblock->tables->edges[(unit + 1) * mixed_slab_edges::kWords] = 0;
  }
}

TEST_F(MixedSlabTest, OneBlockComesBackAsManyDo) {
  for (const size_t bytes : {16, 48, 960, 1024, 5120}) {
    Mix(64, 512);
    const std::vector<std::byte*> blocks = Take(ClassOf(bytes), 5);
    ASSERT_FALSE(blocks.empty()) << bytes;
    const size_t free_before = FreeBytes();

    for (std::byte* block : blocks) GiveOneToMixedSlab(slab_, block, ClassOf(bytes));

    EXPECT_EQ(FreeBytes(), free_before + blocks.size() * bytes);
    for (const std::byte* block : blocks) {
      EXPECT_TRUE(IsFreeInSlab(slab_, block));
      EXPECT_TRUE(IsFreeInSlab(slab_, block + bytes - kMinAlignment));
    }
    EXPECT_EQ(Take(ClassOf(bytes), blocks.size()), blocks);
  }
}

using MixedSlabDeathTest = MixedSlabTest;

TEST_F(MixedSlabDeathTest, GivingOneBlockTwiceIsReported) {
  Mix(64, 4);
  std::byte* const block = Take(ClassOf(96), 1)[0];
  GiveOneToMixedSlab(slab_, block, ClassOf(96));

  EXPECT_DEATH(GiveOneToMixedSlab(slab_, block, ClassOf(96)), "double free of 0x[0-9a-f]+");
}

TEST_F(MixedSlabDeathTest, GivingABlockTwiceIsReported) {
  Mix(64, 4);
  std::byte* const block = Take(ClassOf(96), 1)[0];
  Give(block);

  size_t bytes = 0;
  EXPECT_DEATH(GiveToMixedSlab(slab_, &block, 1, &bytes), "double free of 0x[0-9a-f]+");
}

}  // namespace
}  // namespace cma
