#include "central/huge_pages.h"

#include <algorithm>

#include "options/options.h"

namespace cma {

// Asked when it first matters: small programs do without.
bool HugePages::OsGivesHuge() {
  Answer answer = os_gives_huge_.load(std::memory_order_relaxed);
  if (answer == Answer::kNotAsked) {
    answer = os_->gives_huge() ? Answer::kYes : Answer::kNo;
    os_gives_huge_.store(answer, std::memory_order_relaxed);
  }
  return answer == Answer::kYes;
}

// The quickest of some: each of them may be interrupted.
int64_t HugePages::MeasureSmallPage() const {
  constexpr size_t kPages = 8;
  const size_t page = OsPageBytes();
  int64_t least = kQuick;
  std::byte* const pages = os_->map(kPages * page);
  if (pages == nullptr) return 1;
  for (size_t i = 0; i < kPages; ++i) least = std::min(least, os_->touch(pages + i * page));
  os_->unmap(pages, kPages * page);
  return std::max<int64_t>(least, 1);
}

int64_t HugePages::TimeOfSmallPage() {
  int64_t time = time_of_small_page_.load(std::memory_order_relaxed);
  if (time == 0) {
    time = MeasureSmallPage();
    time_of_small_page_.store(time, std::memory_order_relaxed);
  }
  return time;
}

bool HugePages::AreDear() {
  return g_options.huge_pages != 0 && OsGivesHuge() && TimeOfSmallPage() >= kDear;
}

// Where small pages are dear the first slow one is let pass: another thread may have had its turn
// in between, and to go without for a while would cost more than a second one.
bool HugePages::IsTooSlow(int64_t time) {
  const auto small_pages = static_cast<int64_t>(kHugePageBytes / OsPageBytes());
  const bool slow = time >= std::max(kQuick, TimeOfSmallPage() * small_pages * 3 / 2);
  const bool in_a_row = last_was_slow_.exchange(slow, std::memory_order_relaxed);
  return slow && (in_a_row || TimeOfSmallPage() < kDear);
}

HugePages::Got HugePages::Ask(std::byte* start, size_t bytes, std::byte* first) {
  if (g_options.huge_pages == 0 || !OsGivesHuge()) return Got::kNothing;
  const Milliseconds now = os_->now();
  if (now < not_before_.load(std::memory_order_relaxed)) return Got::kNothing;
  os_->advise_huge(start, bytes);
  if (!IsTooSlow(os_->touch(first))) return Got::kHugePages;
  not_before_.store(now + kPause, std::memory_order_relaxed);
  os_->advise_small(start, bytes);
  return Got::kOneSlowly;
}

}  // namespace cma
