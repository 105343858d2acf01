#include "central/huge_pages.h"

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

HugePages::Got HugePages::Ask(std::byte* start, size_t bytes, std::byte* first) {
  if (g_options.huge_pages == 0 || !OsGivesHuge()) return Got::kNothing;
  const Milliseconds now = os_->now();
  if (now < not_before_.load(std::memory_order_relaxed)) return Got::kNothing;
  os_->advise_huge(start, bytes);
  if (os_->touches_quickly(first)) return Got::kHugePages;
  not_before_.store(now + kPause, std::memory_order_relaxed);
  os_->advise_small(start, bytes);
  return Got::kOneSlowly;
}

}  // namespace cma
