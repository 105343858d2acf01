// Whether to ask the OS for transparent huge pages, and asking.
//
// They do not always pay. In a virtual machine that tells its host which memory is free, 2 MiB that
// were free for some seconds come back one host page at a time: 5.5 ms where it is 0.2 ms
// otherwise, and 512 small pages, which are recycled sooner, take 1.1 ms. So the first page is
// touched here, by the clock, and after one that is slow there are none for a while.
//
// And elsewhere nothing else pays: where the host keeps the page tables of its virtual machines in
// software, a small page takes 10 to 18 us, of which fetching it ahead saves a third, and a huge
// one 0.14 ms. So how long a small page takes decides both.
//
// Thread-safe: atomics, each a moment's truth.
#ifndef CMA_CENTRAL_HUGE_PAGES_H_
#define CMA_CENTRAL_HUGE_PAGES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

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

  // Whether there are huge pages, and small ones take so long that huge ones serve for nearly
  // everything.
  bool SmallOnesAreDear();

  // From one that was slow until the next that is tried. With one in 10 s it does not matter if
  // that is slow too.
  static constexpr Milliseconds kPause = 10'000;
  // Nanoseconds that a small page takes where they are dear. Between what was seen: 0.5 to 2.1 us
  // on hardware and in virtual machines with page tables of their own, 10 to 18 us in those
  // without.
  static constexpr int64_t kDear = 5'000;
  // A huge page that takes less is not slow, nor is, where small pages are dear, one that takes up
  // to half more than its small ones would: what was measured is the least that they take.
  static constexpr int64_t kQuick = 1'000'000;

 private:
  bool OsGivesHuge();
  bool IsTooSlow(int64_t time);

  enum class Answer : uint8_t { kNotAsked, kNo, kYes };

  const OsOps* const os_;
  std::atomic<Answer> os_gives_huge_{Answer::kNotAsked};
  std::atomic<Milliseconds> not_before_{0};
  std::atomic<bool> last_was_slow_{false};
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_PAGES_H_
