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

bool HugePages::SmallOnesAreDear() {
  return g_options.huge_pages != 0 && OsGivesHuge() && os_->fault_time() >= kDear;
}

// Where small pages are dear the first slow one is let pass: another thread may have had its turn
// in between, and to go without for a while would cost more than a second one.
bool HugePages::IsTooSlow(int64_t time) {
  if (os_->fault_time() < kDear) return time >= kQuick;
  const auto small_pages = static_cast<int64_t>(kHugePageBytes / OsPageBytes());
  const bool slow = time >= std::max(kQuick, os_->fault_time() * small_pages * 3 / 2);
  const bool in_a_row = last_was_slow_.exchange(slow, std::memory_order_relaxed);
  return slow && in_a_row;
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
