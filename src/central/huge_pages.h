// Whether to ask the OS for transparent huge pages, and asking.
//
// They do not always pay. In a virtual machine that tells its host which memory is free, 2 MiB that
// were free for some seconds come back one host page at a time: 5.5 ms where it is 0.2 ms
// otherwise, and 512 small pages, which are recycled sooner, take 1.1 ms. So the first page is
// touched here, by the clock, and after one that is slow there are none for a while.
//
// Thread-safe: atomics, each a moment's truth.
#ifndef CMA_CENTRAL_HUGE_PAGES_H_
#define CMA_CENTRAL_HUGE_PAGES_H_

#include <atomic>
#include <cstddef>

#include "base/units.h"
#include "os/os_memory.h"

namespace cma {

class HugePages {
 public:
  explicit constexpr HugePages(const OsOps& os) : os_(&os) {}

  enum class Got { kNothing, kOneSlowly, kHugePages };
  // Asks for them, for whole mapped pages, and writes a zero to `first` in the range, unless it
  // gets nothing: small pages, as before. After one that came slowly it has taken the advice back.
  Got Ask(std::byte* start, size_t bytes, std::byte* first);

  // From one that was slow until the next that is tried. With one in 10 s it does not matter if
  // that is slow too.
  static constexpr Milliseconds kPause = 10'000;

 private:
  bool OsGivesHuge();

  enum class Answer : uint8_t { kNotAsked, kNo, kYes };

  const OsOps* const os_;
  std::atomic<Answer> os_gives_huge_{Answer::kNotAsked};
  std::atomic<Milliseconds> not_before_{0};
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_PAGES_H_
