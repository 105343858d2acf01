#include "support/fake_os.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>

namespace cma_test {
namespace {

FakeOs* g_fake_os = nullptr;

// A reservation of many GiB that nobody has at the moment: ThreadSanitizer takes far longer than
// the kernel to map and unmap one, so it goes from one object to the next.
struct Kept {
  std::byte* start;
  size_t bytes;
} g_kept = {};
constexpr size_t kWorthKeeping = cma::kGiB;

FakeOs& Fake() {
  if (g_fake_os == nullptr) abort();  // an object outlived its operating system
  return *g_fake_os;
}

}  // namespace

// The functions of the table. None holds the mutex while it is in the kernel but where the answer
// and the record have to agree.
struct FakeOs::Ops {
  static std::byte* Map(size_t bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    if (!os.Allows(kMap, bytes)) return nullptr;
    std::byte* const start = cma::kLinuxOs.map(bytes);
    if (start != nullptr) os.Enter(start, bytes);
    return start;
  }

  static std::byte* Reserve(size_t bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    if (!os.Allows(kReserve, bytes)) return nullptr;
    std::byte* start = nullptr;
    if (g_kept.bytes == bytes) {
      start = g_kept.start;
      g_kept = {};
    } else {
      start = cma::kLinuxOs.reserve(bytes);
    }
    if (start != nullptr) os.reserved_.push_back({cma::AddressOf(start), bytes});
    return start;
  }

  static bool Allow(std::byte* start, size_t bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    if (!os.Allows(kAllow, bytes) || !cma::kLinuxOs.allow(start, bytes)) return false;
    os.allowed_.push_back({cma::AddressOf(start), bytes});
    return true;
  }

  static bool Unmap(std::byte* start, size_t bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    os.RequireMapped(start, bytes, "unmap");
    if (!os.Allows(kUnmap, bytes) || !cma::kLinuxOs.unmap(start, bytes)) return false;
    os.Leave(start, bytes);
    return true;
  }

  static bool Decommit(std::byte* start, size_t bytes, bool lazily) {
    FakeOs& os = Fake();
    if (os.on_decommit_) os.on_decommit_();
    std::lock_guard guard(os.mutex_);
    os.RequireMapped(start, bytes, "decommit");
    if (!os.Allows(kDecommit, bytes) || !cma::kLinuxOs.decommit(start, bytes, lazily)) return false;
    os.decommits_.push_back({cma::AddressOf(start), bytes});
    return true;
  }

  static bool GivesHuge() { return Fake().gives_huge_; }

  static void Count(Call advice, std::byte* start, size_t bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    os.RequireMapped(start, bytes, "advice");
    os.Allows(advice, bytes);
  }

  static void AdviseHuge(std::byte* start, size_t bytes) {
    Count(kAdviseHuge, start, bytes);
    cma::kLinuxOs.advise_huge(start, bytes);
  }

  static int64_t Touch(std::byte* byte) {
    cma::kLinuxOs.touch(byte);
    return Fake().huge_page_time_;
  }

  static int64_t FaultTime() { return Fake().small_page_time_; }

  static void AdviseSmall(std::byte* start, size_t bytes) {
    Count(kAdviseSmall, start, bytes);
    cma::kLinuxOs.advise_small(start, bytes);
  }

  static void Populate(std::byte* start, size_t bytes) {
    Count(kPopulate, start, bytes);
    cma::kLinuxOs.populate(start, bytes);
  }

  static bool Differs(std::byte* word, uint32_t expected) {
    return cma::kLinuxOs.differs(word, expected);
  }

  static cma::Resized Resize(std::byte* start, size_t old_bytes, size_t new_bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    os.RequireMapped(start, old_bytes, "resize");
    if (!os.Allows(kResize, new_bytes)) return cma::Resized::kNo;
    const cma::Resized resized = cma::kLinuxOs.resize(start, old_bytes, new_bytes);
    if (resized != cma::Resized::kYes) return resized;
    os.Leave(start, old_bytes);
    os.Enter(start, new_bytes);
    return resized;
  }

  static bool Move(std::byte* start, size_t old_bytes, std::byte* target, size_t new_bytes) {
    FakeOs& os = Fake();
    std::lock_guard guard(os.mutex_);
    os.RequireMapped(start, old_bytes, "move from");
    os.RequireMapped(target, new_bytes, "move to");
    if (!os.Allows(kMove, new_bytes)) return false;
    if (!cma::kLinuxOs.move(start, old_bytes, target, new_bytes)) return false;
    os.Leave(start, old_bytes);
    return true;
  }

  static cma::Milliseconds Now() { return Fake().now(); }

  static uint32_t Cpu() { return Fake().cpu_; }

  static constexpr cma::OsOps kTable = {
      Map,      Reserve, Allow, Unmap,     Decommit, GivesHuge, AdviseHuge, AdviseSmall,
      Populate, Differs, Touch, FaultTime, Resize,   Move,      Now,        Cpu};
};

FakeOs::FakeOs() {
  if (g_fake_os != nullptr) abort();  // one at a time
  refuse_at_.fill(kNever);
  g_fake_os = this;
}

FakeOs::~FakeOs() {
  for (const auto& [start, bytes] : mapped_) {
    cma::kLinuxOs.unmap(reinterpret_cast<std::byte*>(start), bytes);
  }
  for (const Range& range : allowed_) {
    // As it was when it was reserved.
    auto* const start = reinterpret_cast<std::byte*>(range.start);
    cma::kLinuxOs.decommit(start, range.bytes, false);
    mprotect(start, range.bytes, PROT_READ);
  }
  for (const Range& range : reserved_) {
    auto* const start = reinterpret_cast<std::byte*>(range.start);
    if (range.bytes >= kWorthKeeping && g_kept.bytes == 0) {
      g_kept = {start, range.bytes};
    } else {
      cma::kLinuxOs.unmap(start, range.bytes);
    }
  }
  g_fake_os = nullptr;
}

const cma::OsOps& FakeOs::ops() const { return Ops::kTable; }

void FakeOs::Refuse(Call call, size_t nth) {
  std::lock_guard guard(mutex_);
  refuse_at_[call] = calls_[call] + nth;
}

void FakeOs::RefuseEvery(Call call) {
  std::lock_guard guard(mutex_);
  refuse_every_[call] = true;
}

void FakeOs::RefuseAny(size_t nth) {
  std::lock_guard guard(mutex_);
  refuse_any_at_ = all_calls_ + nth;
}

void FakeOs::RefuseNothing() {
  std::lock_guard guard(mutex_);
  refuse_at_.fill(kNever);
  refuse_every_.fill(false);
  refuse_any_at_ = kNever;
}

bool FakeOs::Allows(Call call, size_t bytes) {
  ++calls_[call];
  bytes_[call] += bytes;
  if (call == kAdviseHuge || call == kAdviseSmall) return true;
  ++all_calls_;
  if (!refuse_every_[call] && calls_[call] != refuse_at_[call] && all_calls_ != refuse_any_at_) {
    return true;
  }
  ++refusals_;
  return false;
}

void FakeOs::Enter(const std::byte* start, size_t bytes) { mapped_[cma::AddressOf(start)] = bytes; }

void FakeOs::Leave(const std::byte* start, size_t bytes) {
  const uintptr_t first = cma::AddressOf(start);
  const uintptr_t last = first + bytes;
  auto at = mapped_.upper_bound(first);
  if (at != mapped_.begin()) --at;
  while (at != mapped_.end() && at->first < last) {
    const uintptr_t from = at->first;
    const uintptr_t to = from + at->second;
    if (to <= first) {
      ++at;
      continue;
    }
    at = mapped_.erase(at);
    if (from < first) mapped_[from] = first - from;
    if (to > last) mapped_[last] = to - last;
  }
}

bool FakeOs::Holds(uintptr_t start, size_t bytes) const {
  const uintptr_t last = start + bytes;
  while (start < last) {
    auto at = mapped_.upper_bound(start);
    if (at == mapped_.begin()) return false;
    --at;
    if (at->first + at->second <= start) return false;
    start = at->first + at->second;
  }
  return true;
}

void FakeOs::RequireMapped(const std::byte* start, size_t bytes, const char* call) const {
  if (bytes % cma::OsPageBytes() != 0 || cma::AddressOf(start) % cma::OsPageBytes() != 0) {
    ADD_FAILURE() << call << " of what are no whole pages: " << bytes << " bytes";
  }
  // What was only reserved may be anything but moved about.
  if (!Holds(cma::AddressOf(start), bytes)) {
    ADD_FAILURE() << call << " of " << bytes << " bytes that are not mapped";
  }
}

size_t FakeOs::calls(Call call) const {
  std::lock_guard guard(mutex_);
  return calls_[call];
}

size_t FakeOs::bytes(Call call) const {
  std::lock_guard guard(mutex_);
  return bytes_[call];
}

size_t FakeOs::refusals() const {
  std::lock_guard guard(mutex_);
  return refusals_;
}

size_t FakeOs::mapped_bytes() const {
  std::lock_guard guard(mutex_);
  size_t bytes = 0;
  for (const auto& range : mapped_) bytes += range.second;
  return bytes;
}

bool FakeOs::IsMapped(const void* start, size_t bytes) const {
  std::lock_guard guard(mutex_);
  return Holds(cma::AddressOf(start), bytes);
}

std::vector<FakeOs::Range> FakeOs::decommits() const {
  std::lock_guard guard(mutex_);
  return decommits_;
}

cma::Milliseconds FakeOs::now() const {
  std::lock_guard guard(mutex_);
  return now_;
}

void FakeOs::Advance(cma::Milliseconds time) {
  std::lock_guard guard(mutex_);
  now_ += time;
}

}  // namespace cma_test
