#include "central/metadata.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "support/fake_os.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::KeyOfAddress;
using cma_test::kIntact;

class MetadataTest : public testing::Test {
 protected:
  FakeOs os_;
  Metadata metadata_{os_.ops()};
};

TEST_F(MetadataTest, TablesOfAnySizeAreAlignedZeroAndApart) {
  std::vector<std::pair<void*, size_t>> tables;
  for (size_t bytes = 1; bytes <= Metadata::kMaxBytes; bytes += bytes / 3 + 1) {
    for (int i = 0; i < 3; ++i) tables.emplace_back(metadata_.Take(bytes), bytes);
  }
  tables.emplace_back(metadata_.Take(Metadata::kMaxBytes), Metadata::kMaxBytes);

  for (const auto& [table, bytes] : tables) {
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(AddressOf(table) % 64, 0u);
    EXPECT_TRUE(IsZero(table, bytes));
    FillPattern(table, bytes, KeyOfAddress(table));
  }
  for (const auto& [table, bytes] : tables) {
    EXPECT_EQ(FindDamage(table, bytes, KeyOfAddress(table)), kIntact);
  }
}

TEST_F(MetadataTest, WhatIsGivenBackIsTakenAgain) {
  void* const first = metadata_.Take(200);
  void* const second = metadata_.Take(200);

  metadata_.Give(first, 200);
  metadata_.Give(second, 200);

  EXPECT_EQ(metadata_.Take(200), second);
  EXPECT_EQ(metadata_.Take(200), first);
}

TEST_F(MetadataTest, TakingAndGivingForEverNeedsNoMoreMemory) {
  metadata_.Give(metadata_.Take(1000), 1000);
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 10'000; ++i) metadata_.Give(metadata_.Take(1000), 1000);

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(MetadataTest, AChainHasWhatWasGivenBackAndNewPieces) {
  void* const given = metadata_.Take(200);
  metadata_.Give(given, 200);

  void* const chain = metadata_.TakeChain(200, 3);

  std::vector<void*> pieces;
  for (void* piece = chain; piece != nullptr; memcpy(&piece, piece, sizeof piece)) {
    pieces.push_back(piece);
  }
  EXPECT_EQ(pieces.size(), 3u);
  EXPECT_EQ(std::count(pieces.begin(), pieces.end(), given), 1);
  metadata_.GiveChain(chain, 200);
  metadata_.GiveChain(nullptr, 200);
  const size_t before = metadata_.mapped_bytes();
  for (int i = 0; i < 10'000; ++i) metadata_.GiveChain(metadata_.TakeChain(200, 3), 200);
  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(MetadataTest, AChainIsShorterWhereTheSystemRefuses) {
  void* const given = metadata_.Take(200);
  metadata_.Give(given, 200);
  os_.RefuseEvery(FakeOs::kMap);
  while (void* const piece = metadata_.Take(100)) ASSERT_NE(piece, nullptr);

  void* const chain = metadata_.TakeChain(200, 3);

  ASSERT_EQ(chain, given);
  void* next;
  memcpy(&next, chain, sizeof next);
  EXPECT_EQ(next, nullptr);
  EXPECT_EQ(metadata_.TakeChain(200, 3), nullptr);
}

TEST_F(MetadataTest, ManySmallTablesShareFewMappings) {
  for (int i = 0; i < 1000; ++i) ASSERT_NE(metadata_.Take(64), nullptr);

  EXPECT_EQ(os_.calls(FakeOs::kMap), 1u);
}

TEST_F(MetadataTest, ARefusalIsNullAndTheNextTryWorks) {
  os_.Refuse(FakeOs::kMap);

  EXPECT_EQ(metadata_.Take(64), nullptr);
  EXPECT_EQ(metadata_.mapped_bytes(), 0u);

  EXPECT_NE(metadata_.Take(64), nullptr);
  EXPECT_EQ(metadata_.mapped_bytes(), os_.mapped_bytes());
}

TEST_F(MetadataTest, WhatWasGivenBackIsThereWhenTheSystemRefuses) {
  void* const table = metadata_.Take(64);
  metadata_.Give(table, 64);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(metadata_.Take(64), table);
}

TEST_F(MetadataTest, WhatAnotherThreadGaveBackIsThereToo) {
  std::set<void*> given;
  for (int t = 0; t < 8; ++t) {
    std::thread([&] {
      void* const table = metadata_.Take(1000);
      metadata_.Give(table, 1000);
      given.insert(table);
    }).join();
  }
  os_.RefuseEvery(FakeOs::kMap);
  // What is left of the chunks comes first.
  void* table = metadata_.Take(1000);
  while (table != nullptr && given.count(table) == 0) table = metadata_.Take(1000);

  EXPECT_NE(table, nullptr);
}

TEST_F(MetadataTest, EachThreadMapsLittleAtFirst) {
  ASSERT_NE(metadata_.Take(64), nullptr);
  EXPECT_LE(metadata_.mapped_bytes(), 64 * kKiB);

  for (int i = 0; i < 1000; ++i) ASSERT_NE(metadata_.Take(4 * kKiB), nullptr);
  EXPECT_LE(os_.calls(FakeOs::kMap), 20u);
}

TEST_F(MetadataTest, AllLocksAreHeldForAForkAndReleased) {
  EXPECT_TRUE(metadata_.AcquireAllForFork());
  EnterForkWindow();
  EXPECT_NE(metadata_.Take(64), nullptr);  // the forking thread may
  LeaveForkWindow();
  metadata_.ReleaseAllAfterFork();

  std::thread([&] { EXPECT_NE(metadata_.Take(64), nullptr); }).join();
}

TEST_F(MetadataTest, PagesAreWholeZeroAndCounted) {
  const size_t page = OsPageBytes();
  const size_t before = metadata_.mapped_bytes();

  void* const pages = metadata_.TakePages(page + 1);

  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(AddressOf(pages) % page, 0u);
  EXPECT_TRUE(IsZero(pages, 2 * page));
  EXPECT_EQ(metadata_.mapped_bytes() - before, 2 * page);
  EXPECT_EQ(metadata_.mapped_bytes(), os_.mapped_bytes());
}

TEST_F(MetadataTest, RefusedPagesAreNullAndNotCounted) {
  os_.Refuse(FakeOs::kMap);

  EXPECT_EQ(metadata_.TakePages(1), nullptr);

  EXPECT_EQ(metadata_.mapped_bytes(), 0u);
}

TEST_F(MetadataTest, ThreadsNeverGetTheSameTable) {
  constexpr int kThreads = 4;
  constexpr int kTables = 500;
  std::vector<std::vector<void*>> taken(kThreads);
  std::vector<std::thread> threads;

  for (std::vector<void*>& mine : taken) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTables; ++i) {
        metadata_.Give(metadata_.Take(128), 128);
        mine.push_back(metadata_.Take(128));
        memset(mine.back(), 1, 128);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::vector<void*> all;
  for (const std::vector<void*>& mine : taken) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

}  // namespace
}  // namespace cma
