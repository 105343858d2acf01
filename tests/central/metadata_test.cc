#include "central/metadata.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <latch>
#include <mutex>
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

// Several at once, so that hardly all have the shelf of the thread that takes.
constexpr size_t kGivers = 4;

class MetadataTest : public testing::Test {
 protected:
  std::vector<void*> TakeMany(size_t count, size_t bytes) {
    std::vector<void*> pieces(count);
    for (void*& piece : pieces) piece = metadata_.Take(bytes);
    return pieces;
  }

  // Other threads give it all back.
  void GiveElsewhere(const std::vector<void*>& pieces, size_t bytes) {
    ForEachElsewhere(pieces, [&](void* piece) { metadata_.Give(piece, bytes); });
  }

  template <typename F>
  static void ForEachElsewhere(const std::vector<void*>& pieces, F give) {
    std::latch all_live(kGivers);
    std::vector<std::thread> givers;
    for (size_t t = 0; t < kGivers; ++t) {
      givers.emplace_back([&, t] {
        all_live.arrive_and_wait();
        for (size_t i = t; i < pieces.size(); i += kGivers) give(pieces[i]);
      });
    }
    for (std::thread& giver : givers) giver.join();
  }

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

TEST_F(MetadataTest, TakingHereAndGivingElsewhereNeedsNoMoreMemory) {
  for (const size_t bytes : {64, 1000, 8192}) {
    GiveElsewhere(TakeMany(1000, bytes), bytes);
    const size_t before = metadata_.mapped_bytes();

    for (int i = 0; i < 20; ++i) GiveElsewhere(TakeMany(1000, bytes), bytes);

    EXPECT_EQ(metadata_.mapped_bytes(), before);
  }
}

TEST_F(MetadataTest, TakingChainsHereAndGivingThemElsewhereNeedsNoMoreMemory) {
  const auto TakeAndGive = [&] {
    std::vector<void*> chains(100);
    for (void*& chain : chains) chain = metadata_.TakeChain(200, 16);
    ForEachElsewhere(chains, [&](void* chain) { metadata_.GiveChain(chain, 200); });
  };
  TakeAndGive();
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 20; ++i) TakeAndGive();

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(MetadataTest, WhatASizeMapsIsNotUsedUpByOneThatOthersHave) {
  constexpr size_t kPieces = 5000;
  for (int i = 0; i < 2; ++i) GiveElsewhere(TakeMany(kPieces, 128), 128);
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 20; ++i) {
    for (int kept = 0; kept < 10; ++kept) ASSERT_NE(metadata_.Take(64), nullptr);
    GiveElsewhere(TakeMany(kPieces, 128), 128);
  }

  EXPECT_LE(metadata_.mapped_bytes() - before, 256 * kKiB);
}

TEST_F(MetadataTest, AChainOfWhatOthersGaveIsNoLongerThanAskedFor) {
  // Until the chunk is used up.
  std::vector<void*> pieces = TakeMany(64 * kKiB / 256, 200);
  GiveElsewhere(pieces, 200);
  std::sort(pieces.begin(), pieces.end());
  std::set<void*> seen;

  while (seen.size() < pieces.size()) {
    void* chain = metadata_.TakeChain(200, 3);
    ASSERT_NE(chain, nullptr);
    for (size_t length = 1; chain != nullptr; memcpy(&chain, chain, sizeof chain), ++length) {
      ASSERT_LE(length, 3u);
      ASSERT_TRUE(std::binary_search(pieces.begin(), pieces.end(), chain));
      ASSERT_TRUE(seen.insert(chain).second);
    }
  }

  EXPECT_EQ(os_.calls(FakeOs::kMap), 1u);
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
  GiveElsewhere(TakeMany(1000, 128), 128);
  EXPECT_TRUE(metadata_.AcquireAllForFork());
  EnterForkWindow();
  EXPECT_NE(metadata_.Take(64), nullptr);  // the forking thread may
  const std::vector<void*> many = TakeMany(2000, 128);
  EXPECT_EQ(std::count(many.begin(), many.end(), nullptr), 0);
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

TEST_F(MetadataTest, PairsOfThreadsThatTakeAndGiveNeedLittle) {
  constexpr size_t kPairs = 2;
  constexpr size_t kTables = 5'000;
  constexpr size_t kInHand = 100;
  struct Hand {
    std::mutex mutex;
    std::vector<void*> tables;
  };
  std::vector<Hand> hands(kPairs);
  std::vector<std::thread> threads;

  for (Hand& hand : hands) {
    threads.emplace_back([&] {
      for (size_t taken = 0; taken < kTables; std::this_thread::yield()) {
        std::lock_guard guard(hand.mutex);
        for (; taken < kTables && hand.tables.size() < kInHand; ++taken) {
          void* const table = metadata_.Take(512);
          FillPattern(table, 512, KeyOfAddress(table));
          hand.tables.push_back(table);
        }
      }
    });
    threads.emplace_back([&] {
      for (size_t given = 0; given < kTables; std::this_thread::yield()) {
        std::lock_guard guard(hand.mutex);
        for (void* const table : hand.tables) {
          EXPECT_EQ(FindDamage(table, 512, KeyOfAddress(table)), kIntact);
          metadata_.Give(table, 512);
        }
        given += hand.tables.size();
        hand.tables.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  // Two chunks for each that takes; all tables together would be 5 MiB.
  EXPECT_LE(metadata_.mapped_bytes(), kPairs * (64 + 128) * kKiB);
}

}  // namespace
}  // namespace cma
