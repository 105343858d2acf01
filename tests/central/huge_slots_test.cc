#include "central/huge_slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "os/os_cpu.h"
#include "support/heap_fixture.h"

namespace cma {
namespace {

class HugeSlotsTest : public cma_test::HeapFixture {
 protected:
  HugeSlotsTest() { EXPECT_TRUE(slots_.Open(metadata_)); }

  static HugeBlock BlockOf(size_t bytes, Milliseconds idle_since = 0) {
    HugeBlock block = {};
    block.bytes = bytes;
    block.idle_since = idle_since;
    return block;
  }

  HugeSlots slots_;
};

TEST_F(HugeSlotsTest, BeforeTheyAreMadeThereIsNothing) {
  HugeSlots slots;

  EXPECT_EQ(slots.Take(3), nullptr);
  EXPECT_EQ(slots.bytes(), 0u);
  slots.TakeAll([](HugeBlock*) { FAIL(); });
  os_.RefuseEvery(cma_test::FakeOs::kMap);
  EXPECT_FALSE(slots.Open(metadata_));
}

TEST_F(HugeSlotsTest, EachCpuHasItsOwn) {
  HugeBlock blocks[] = {BlockOf(1 * kMiB), BlockOf(2 * kMiB)};
  EXPECT_EQ(slots_.Put(5, &blocks[0]), nullptr);
  EXPECT_EQ(slots_.Put(6, &blocks[1]), nullptr);
  EXPECT_EQ(slots_.bytes(), 3 * kMiB);

  EXPECT_EQ(slots_.Take(4), nullptr);
  EXPECT_EQ(slots_.Take(5), &blocks[0]);
  EXPECT_EQ(slots_.Take(5), nullptr);
  EXPECT_EQ(slots_.bytes(), 2 * kMiB);
}

TEST_F(HugeSlotsTest, WhatWasThereBeforeIsTheCallers) {
  HugeBlock blocks[] = {BlockOf(1 * kMiB), BlockOf(2 * kMiB)};
  EXPECT_EQ(slots_.Put(5, &blocks[0]), nullptr);

  EXPECT_EQ(slots_.Put(5, &blocks[1]), &blocks[0]);
  EXPECT_EQ(slots_.bytes(), 2 * kMiB);
}

TEST_F(HugeSlotsTest, CpusBeyondTheLastShare) {
  HugeBlock block = BlockOf(kMiB);
  EXPECT_EQ(slots_.Put(kMaxCpus - 1, &block), nullptr);

  EXPECT_EQ(slots_.Take((kMaxCpus - 1) % 64), &block);
}

TEST_F(HugeSlotsTest, KnowsHowManyCpusHaveHadOne) {
  HugeBlock block = BlockOf(kMiB);
  EXPECT_EQ(slots_.CountWith(63), 1u);
  EXPECT_EQ(slots_.Put(63, &block), nullptr);

  EXPECT_EQ(slots_.CountWith(63), 1u);
  EXPECT_EQ(slots_.CountWith(2), 2u);
  EXPECT_EQ(slots_.Take(63), &block);
  EXPECT_EQ(slots_.Put(2, &block), nullptr);
  EXPECT_EQ(slots_.CountWith(63), 2u);
}

// As it is in a fork's child if a thread was between the two.
TEST_F(HugeSlotsTest, CountsAnew) {
  HugeBlock blocks[] = {BlockOf(1 * kMiB), BlockOf(2 * kMiB)};
  EXPECT_EQ(slots_.Put(1, &blocks[0]), nullptr);
  EXPECT_EQ(slots_.Put(2, &blocks[1]), nullptr);
  blocks[0].bytes = 4 * kMiB;
  EXPECT_EQ(slots_.bytes(), 3 * kMiB);

  slots_.Recount();

  EXPECT_EQ(slots_.bytes(), 6 * kMiB);
  EXPECT_EQ(slots_.CountWith(1), 2u);
  EXPECT_EQ(slots_.CountWith(3), 3u);
}

TEST_F(HugeSlotsTest, TheYoungStay) {
  HugeBlock blocks[] = {BlockOf(1 * kMiB, 100), BlockOf(2 * kMiB, 200), BlockOf(4 * kMiB, 300)};
  for (uint32_t cpu = 0; cpu < 3; ++cpu) EXPECT_EQ(slots_.Put(cpu, &blocks[cpu]), nullptr);
  std::vector<HugeBlock*> taken;
  const auto note = [&](HugeBlock* block) { taken.push_back(block); };

  slots_.TakeAged(300, 100, note);
  EXPECT_EQ(taken, (std::vector<HugeBlock*>{&blocks[0], &blocks[1]}));
  EXPECT_EQ(slots_.bytes(), 4 * kMiB);

  slots_.TakeAll(note);
  EXPECT_EQ(taken.back(), &blocks[2]);
  EXPECT_EQ(slots_.bytes(), 0u);
}

TEST_F(HugeSlotsTest, ABlockIsInOneHandOrInOneSlot) {
  constexpr size_t kThreads = 4;
  constexpr size_t kCpus = 3;
  std::vector<HugeBlock> blocks(kThreads, BlockOf(kMiB));
  std::vector<HugeBlock*> kept(kThreads);
  std::vector<uint32_t> touches(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      HugeBlock* mine = &blocks[i];
      for (uint32_t step = 0; step < 20'000; ++step) {
        const auto cpu = static_cast<uint32_t>(step * (i + 1) % kCpus);
        mine = mine != nullptr ? slots_.Put(cpu, mine) : slots_.Take(cpu);
        if (mine == nullptr) continue;
        ++mine->rank;  // not atomic
        ++touches[i];
      }
      kept[i] = mine;
    });
  }
  for (std::thread& thread : threads) thread.join();

  slots_.TakeAll([&](HugeBlock* block) { kept.push_back(block); });
  std::erase(kept, nullptr);
  std::sort(kept.begin(), kept.end());
  ASSERT_EQ(kept.size(), kThreads);
  uint32_t seen = 0;
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(kept[i], &blocks[i]);
    seen += blocks[i].rank;
  }
  EXPECT_EQ(seen, std::accumulate(touches.begin(), touches.end(), 0u));
  EXPECT_EQ(slots_.bytes(), 0u);
}

}  // namespace
}  // namespace cma
