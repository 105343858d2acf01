// An operating system for tests: does what Linux does, but counts, remembers what is mapped, has a
// clock that stands still until it is told otherwise, and refuses the calls it is told to refuse.
//
// One object at a time: the table holds plain functions, which find it through a global. Whatever
// is still mapped when it ends is unmapped, so a test needs to tidy nothing up. Thread-safe.
#ifndef CMA_TESTS_SUPPORT_FAKE_OS_H_
#define CMA_TESTS_SUPPORT_FAKE_OS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/units.h"
#include "os/os_memory.h"

namespace cma_test {

class FakeOs {
 public:
  // The two kinds of advice and populating are counted only: they have no answer that could be a
  // refusal.
  enum Call {
    kMap,
    kReserve,
    kAllow,
    kUnmap,
    kDecommit,
    kResize,
    kMove,
    kAdviseHuge,
    kAdviseSmall,
    kPopulate,
    kCalls
  };

  struct Range {
    uintptr_t start;
    size_t bytes;
  };

  FakeOs();
  ~FakeOs();
  FakeOs(const FakeOs&) = delete;
  FakeOs& operator=(const FakeOs&) = delete;

  const cma::OsOps& ops() const;

  // Refuses the nth call of the kind from now; 1 is the next one.
  void Refuse(Call call, size_t nth = 1);
  // Refuses all calls of the kind.
  void RefuseEvery(Call call);
  // Refuses the nth call from now, whatever its kind.
  void RefuseAny(size_t nth);
  // Takes all of that back.
  void RefuseNothing();

  // Whether it says that it gives huge pages; at first it does not.
  void GiveHugePages(bool gives) { gives_huge_ = gives; }

  // How long it says that pages take, in ns: a page fault anywhere, and a touch. At first they are
  // quick.
  void TakePerSmallPage(int64_t time) { small_page_time_ = time; }
  void TakePerHugePage(int64_t time) { huge_page_time_ = time; }

  // Is called in each decommit, whatever locks its caller holds.
  void OnDecommit(std::function<void()> hook) { on_decommit_ = std::move(hook); }

  // Which CPU it says that everybody runs on; at first 0.
  void RunOn(uint32_t cpu) { cpu_ = cpu; }

  // Counts since the start; of what was asked for, refused or not.
  size_t calls(Call call) const;
  size_t bytes(Call call) const;
  size_t refusals() const;

  // Address space held, without what was only reserved.
  size_t mapped_bytes() const;
  // Whether all of it is held.
  bool IsMapped(const void* start, size_t bytes) const;
  // What was decommitted, in order; refused calls left out.
  std::vector<Range> decommits() const;

  cma::Milliseconds now() const;
  void Advance(cma::Milliseconds time);

 private:
  struct Ops;

  bool Allows(Call call, size_t bytes);  // counts it
  void Enter(const std::byte* start, size_t bytes);
  void Leave(const std::byte* start, size_t bytes);
  void RequireMapped(const std::byte* start, size_t bytes, const char* call) const;
  bool Holds(uintptr_t start, size_t bytes) const;

  static constexpr size_t kNever = ~size_t{0};

  mutable std::mutex mutex_;
  std::array<size_t, kCalls> calls_{};
  std::array<size_t, kCalls> bytes_{};
  std::array<size_t, kCalls> refuse_at_{};
  std::array<bool, kCalls> refuse_every_{};
  size_t all_calls_ = 0;
  size_t refuse_any_at_ = kNever;
  size_t refusals_ = 0;
  std::atomic<bool> gives_huge_{false};
  std::atomic<int64_t> small_page_time_{500};
  std::atomic<int64_t> huge_page_time_{100'000};
  std::atomic<uint32_t> cpu_{0};
  std::function<void()> on_decommit_;
  std::map<uintptr_t, size_t> mapped_;  // start -> bytes, disjoint, neighbours not joined
  std::vector<Range> reserved_;
  std::vector<Range> allowed_;
  std::vector<Range> decommits_;
  cma::Milliseconds now_ = 1'000'000;
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_FAKE_OS_H_
