#include "central/huge_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "options/options.h"
#include "support/heap_fixture.h"

namespace cma {
namespace {

constexpr size_t kPage = 4 * kKiB;

// Never touched.
std::byte* AddressOfPage(size_t page) {
  return reinterpret_cast<std::byte*>(uintptr_t{1} << 40) + page * kPage;
}

TEST(HugeRangeTreeTest, FindsTheLastRangeBeforeAnAddress) {
  constexpr size_t kRanges = 300;
  std::vector<HugeBlock> ranges(kRanges);
  for (size_t i = 0; i < kRanges; ++i) ranges[i].start = AddressOfPage(i);
  HugeRangeTree tree;
  std::set<size_t> inside;
  std::mt19937 random(1);

  for (int step = 0; step < 20'000; ++step) {
    const size_t i = random() % kRanges;
    if (inside.erase(i) != 0) {
      tree.Remove(&ranges[i]);
    } else {
      inside.insert(i);
      tree.Add(&ranges[i]);
    }
    const size_t at = random() % (kRanges + 1);
    const auto after = inside.lower_bound(at);
    HugeBlock* const expected = after == inside.begin() ? nullptr : &ranges[*std::prev(after)];
    ASSERT_EQ(tree.LastBefore(AddressOfPage(at)), expected) << step;
  }
}

TEST(HugeStretchBinsTest, LongerStretchesAreInNoLowerBin) {
  size_t last = 0;
  for (size_t bytes = kPage; bytes < 1024 * kGiB;
       bytes += std::max(kPage, RoundUp(bytes / 64, kPage))) {
    const size_t bin = HugeStretchBins::BinOf(bytes);
    ASSERT_GE(bin, last) << bytes;
    ASSERT_LT(bin, HugeStretchBins::kBins) << bytes;
    last = bin;
  }
  EXPECT_GT(last, 100u);
  EXPECT_LT(HugeStretchBins::BinOf(~size_t{0}), HugeStretchBins::kBins);
}

TEST(HugeStretchBinsTest, FindsTheBinsThatHoldStretches) {
  HugeStretchBins bins;
  HugeBlock stretches[3] = {};
  for (size_t i = 0; i < 3; ++i) stretches[i].stretch_bytes = (i + 1) * 10 * kMiB;
  stretches[1].stretch_bytes = stretches[0].stretch_bytes;
  EXPECT_GE(bins.FindFrom(0), HugeStretchBins::kBins);

  for (HugeBlock& stretch : stretches) bins.Add(&stretch);
  EXPECT_EQ(bins.FindFrom(0), HugeStretchBins::BinOf(10 * kMiB));
  bins.Remove(&stretches[0]);
  EXPECT_EQ(bins.front(bins.FindFrom(0)), &stretches[1]);
  bins.Remove(&stretches[1]);
  EXPECT_EQ(bins.FindFrom(0), HugeStretchBins::BinOf(30 * kMiB));
  bins.Remove(&stretches[2]);
  EXPECT_GE(bins.FindFrom(0), HugeStretchBins::kBins);
}

// Ranges against a plain model of their pages. Those from kBorder on are of another mapping.
class HugeRangesTest : public cma_test::HeapFixture {
 protected:
  enum class Page { kNone, kHeld, kEmpty };
  static constexpr size_t kPages = 180;
  static constexpr size_t kBorder = 70;
  static uint32_t MovedOf(size_t page) { return page < kBorder ? 0 : 7; }
  static size_t PageOf(const std::byte* address) {
    return static_cast<size_t>(address - AddressOfPage(0)) / kPage;
  }

  // The pages from `first` on that are side by side in one mapping, and of which `f` holds.
  template <typename F>
  size_t CountFrom(size_t first, F f) const {
    size_t page = first;
    while (page < kPages && MovedOf(page) == MovedOf(first) && f(pages_[page])) ++page;
    return page - first;
  }

  size_t CountStretches() const {
    const auto is_free = [](Page page) { return page != Page::kNone; };
    size_t count = 0;
    for (size_t page = 0; page < kPages;) {
      const size_t length = CountFrom(page, is_free);
      count += length != 0 ? 1 : 0;
      page += std::max<size_t>(length, 1);
    }
    return count;
  }

  void Insert(size_t first, size_t count, bool held, Milliseconds now = 0, uint32_t moved = 0) {
    auto* const range = static_cast<HugeBlock*>(metadata_.Take(sizeof(HugeBlock)));
    *range = {};
    range->start = AddressOfPage(first);
    range->bytes = count * kPage;
    range->holds_memory = held;
    range->idle_since = now;
    range->moved = moved;
    ranges_.Insert(range);
  }

  void InsertSome(bool held, Milliseconds now) {
    const size_t first = random_() % kPages;
    const size_t most = CountFrom(first, [](Page page) { return page == Page::kNone; });
    if (most == 0) return;
    const size_t count = 1 + random_() % std::min<size_t>(most, 12);
    Insert(first, count, held, now, MovedOf(first));
    std::fill_n(&pages_[first], count, held ? Page::kHeld : Page::kEmpty);
  }

  void Forget(HugeBlock* block) {
    std::fill_n(&pages_[PageOf(block->start)], block->bytes / kPage, Page::kNone);
    metadata_.Give(block, sizeof *block);
  }

  void TakeTheBestPlace() {
    const size_t count = 1 + random_() % 30;
    const HugeRanges::Place place = ranges_.Find(count * kPage, kPage);
    size_t least = count + 1;
    for (size_t first = 0; first + count <= kPages; ++first) {
      if (CountFrom(first, [](Page page) { return page != Page::kNone; }) < count) continue;
      least = std::min<size_t>(least, static_cast<size_t>(std::count(
                                          &pages_[first], &pages_[first + count], Page::kEmpty)));
    }
    if (place.first == nullptr) {
      ASSERT_TRUE(least == count + 1 || CountStretches() > 32) << "there is a place for " << count;
      return;
    }
    // Of more stretches not all are looked at.
    if (CountStretches() <= 32) {
      ++compared_;
      ASSERT_EQ(place.empty_bytes, least * kPage) << count << " pages";
    }
    ASSERT_TRUE(place.first->start <= place.start && place.start < place.first->end());
    HugeBlock* const block = ranges_.CutOut(place, count * kPage);
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(block->start, place.start);
    ASSERT_EQ(block->bytes, count * kPage);
    Forget(block);
  }

  void TakeTheFrontOfTheOldest() {
    HugeBlock* const oldest = ranges_.OldestWithMemory();
    ASSERT_EQ(oldest == nullptr, ranges_.held_bytes() == 0);
    if (oldest != nullptr) Forget(ranges_.TakeFront(oldest, (1 + random_() % 5) * kPage));
    HugeBlock* const empty = ranges_.OldestEmpty();
    ASSERT_EQ(empty == nullptr, ranges_.empty_bytes() == 0);
    if (empty == nullptr || random_() % 4 != 0) return;
    ranges_.Remove(empty);
    Forget(empty);
  }

  void GrowABlock() {
    const size_t page = 1 + random_() % (kPages - 1);
    HugeBlock block = {};
    block.start = AddressOfPage(page - 1);
    block.bytes = kPage;
    block.moved = MovedOf(page);
    if (pages_[page - 1] != Page::kNone || MovedOf(page - 1) != MovedOf(page)) return;
    const size_t wanted = 1 + random_() % 20;
    const size_t there = CountFrom(page, [](Page of) { return of != Page::kNone; });
    const size_t held = CountFrom(page, [](Page of) { return of == Page::kHeld; });

    const HugeRanges::Behind behind = ranges_.FindBehind(block, wanted * kPage);

    ASSERT_EQ(behind.bytes, (there >= wanted ? wanted : held) * kPage);
    if (behind.bytes == 0) return;
    ASSERT_EQ(behind.first->start, block.end());
    ranges_.TakeOut(behind.first, behind.bytes);
    std::fill_n(&pages_[page], behind.bytes / kPage, Page::kNone);
  }

  std::vector<Page> pages_ = std::vector<Page>(kPages, Page::kNone);
  int compared_ = 0;
  HugeRanges ranges_{metadata_};
  std::mt19937 random_{1};
};

TEST_F(HugeRangesTest, AreWhatAPlainModelSays) {
  for (int step = 0; step < 50'000; ++step) {
    const auto now = static_cast<Milliseconds>(step);
    switch (random_() % 8) {
      case 0:
      case 1:
        InsertSome(true, now - random_() % 300);
        break;
      case 2:
      case 3:
        InsertSome(false, now);
        break;
      case 4:
        TakeTheFrontOfTheOldest();
        break;
      case 5:
        GrowABlock();
        break;
      default:
        TakeTheBestPlace();
        break;
    }
    ASSERT_FALSE(HasFatalFailure()) << "step " << step;
    const auto held = std::count(pages_.begin(), pages_.end(), Page::kHeld);
    const auto empty = std::count(pages_.begin(), pages_.end(), Page::kEmpty);
    ASSERT_EQ(ranges_.held_bytes(), static_cast<size_t>(held) * kPage) << step;
    ASSERT_EQ(ranges_.empty_bytes(), static_cast<size_t>(empty) * kPage) << step;
  }
  EXPECT_GT(compared_, 3000);
}

// Of the first kind there are more than are looked at.
TEST_F(HugeRangesTest, WhatIsTooShortHidesNothing) {
  for (size_t i = 0; i < 100; ++i) Insert(1000 + 100 * i, 16, false);
  Insert(0, 64, true);

  EXPECT_EQ(ranges_.Find(18 * kPage, kPage).start, AddressOfPage(0));
}

TEST_F(HugeRangesTest, WhatIsEmptyHidesNoMemory) {
  for (size_t i = 0; i < 100; ++i) Insert(1000 + 100 * i, 18, false);
  Insert(0, 64, true);

  EXPECT_EQ(ranges_.Find(18 * kPage, kPage).start, AddressOfPage(0));
}

TEST_F(HugeRangesTest, GrowsALongOneThatHoldsMemory) {
  for (const size_t pages : {6, 9, 12, 30}) Insert(40 * pages, pages, pages != 12);

  EXPECT_EQ(ranges_.FindToGrow(15 * kPage)->bytes, 9 * kPage);
  EXPECT_EQ(ranges_.FindToGrow(9 * kPage)->bytes, 6 * kPage);
  EXPECT_EQ(ranges_.FindToGrow(6 * kPage), nullptr);
  EXPECT_EQ(ranges_.FindToGrow(100 * kPage), nullptr);
}

}  // namespace
}  // namespace cma
