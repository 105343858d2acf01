// Every call to the operating system that a mixed program causes is refused once: the program gets
// no memory for that one request, or does not notice, and everything works again.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "arena/arena_set.h"
#include "arena/releaser.h"
#include "support/fake_os.h"
#include "support/pattern.h"
#include "support/sanitizer.h"
#include "support/scoped_options.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::KeyOfAddress;
using cma_test::kIntact;
using Contents = HugeBlocks::Contents;

// A heap from its first moment on, and a program that uses all of it.
class Program {
 public:
  explicit Program(bool with_unit_map) {
    if (!with_unit_map) os_.RefuseEvery(FakeOs::kReserve);
    map_->Initialize(os_.ops());
    os_.RefuseNothing();
    arenas_->CountCpus();
    arenas_->Initialize(2);
    g_options.background_thread = 0;
    g_options.release_delay_ms = 100;
  }

  FakeOs& os() { return os_; }

  // The same requests in the same order, whatever is refused; how many got no memory.
  int Run() {
    failed_ = 0;
    for (size_t i = 0; i < 2; ++i) Small(i);
    for (size_t i = 0; i < 2; ++i) Large(i);
    Huge();
    FreeHalf();
    Rounds();
    for (size_t i = 0; i < 2; ++i) Small(i);
    Resize();
    Huge();
    FreeHalf();
    releaser_.ReleaseAll();
    Large(0);
    while (!live_.empty()) FreeLast();
    Rounds();
    releaser_.ReleaseAll();
    return failed_;
  }

  void ExpectNothingIsLost(bool unmap_was_refused) {
    EXPECT_TRUE(live_.empty());
    EXPECT_EQ(huge_.live_bytes(), 0u);
    EXPECT_EQ(huge_.live_count(), 0u);
    EXPECT_EQ(huge_.cached_bytes(), 0u);
    for (size_t i = 0; i < 2; ++i) {
      Arena* const arena = arenas_->Existing(i);
      if (arena == nullptr) continue;
      LockGuard guard(arena->lock());
      const ArenaStats stats = arena->Stats();
      EXPECT_EQ(stats.small_lent_bytes, 0u);
      EXPECT_EQ(stats.run_lent_bytes, 0u);
      EXPECT_EQ(stats.superblock_bytes, stats.slab_bytes + stats.free_run_bytes);
      EXPECT_LE(stats.superblock_bytes, kSuperblockBytes);
    }
    const size_t held = metadata_.mapped_bytes() + central_->mapped_bytes();
    if (unmap_was_refused) {
      // The addresses that the OS did not take back.
      EXPECT_GE(os_.mapped_bytes(), held);
    } else {
      EXPECT_EQ(os_.mapped_bytes(), held);
    }
  }

 private:
  struct Live {
    enum Kind { kBlock, kRun, kHuge } kind;
    std::byte* block;
    size_t bytes;
    Arena* arena;
  };

  void Enter(Live::Kind kind, std::byte* block, size_t bytes, Arena* arena) {
    if (block == nullptr) {
      ++failed_;
      return;
    }
    Mark(block, bytes);
    live_.push_back({kind, block, bytes, arena});
  }

  // Both ends of the block, to save time.
  static size_t MarkedBytes(size_t bytes) { return std::min<size_t>(bytes / 2, 256); }

  static void Mark(std::byte* block, size_t bytes) {
    const size_t n = MarkedBytes(bytes);
    FillPattern(block, n, KeyOfAddress(block));
    FillPattern(block + bytes - n, n, KeyOfAddress(block));
  }

  // Marked where it was `marked_at`, and the pages may have moved since.
  static bool IsMarked(const std::byte* block, size_t bytes, const std::byte* marked_at) {
    const size_t n = MarkedBytes(bytes);
    return FindDamage(block, n, KeyOfAddress(marked_at)) == kIntact &&
           FindDamage(block + bytes - n, n, KeyOfAddress(marked_at)) == kIntact;
  }

  void Small(size_t index) {
    Arena* const arena = arenas_->At(index);
    for (SizeClass c = 1; c < kSizeClasses; c += 9) {
      std::byte* blocks[4] = {};
      size_t n = 0;
      if (arena != nullptr) {
        LockGuard guard(arena->lock());
        n = arena->TakeBlocks(c, blocks, 4);
      }
      if (n == 0) ++failed_;
      for (size_t i = 0; i < n; ++i) Enter(Live::kBlock, blocks[i], ClassBytes(c), arena);
    }
  }

  void Large(size_t index) {
    Arena* const arena = arenas_->At(index);
    for (size_t i = 1; i <= 12; ++i) {
      std::byte* block = nullptr;
      const size_t bytes = RoundUp(kMediumMax + i * 75'000, kLargeStep);
      if (arena != nullptr) block = arena->TakeRun(bytes, size_t{16} << i, nullptr);
      Enter(Live::kRun, block, bytes, arena);
    }
  }

  void Huge() {
    for (size_t i = 1; i <= 4; ++i) {
      const size_t bytes = i * kMiB + 4096;
      const Contents contents = i % 2 == 0 ? Contents::kZero : Contents::kAny;
      Enter(Live::kHuge, huge_.Take(bytes, size_t{4096} << i, contents), bytes, nullptr);
    }
  }

  void Resize() {
    for (Live& live : live_) {
      if (live.kind == Live::kRun) {
        // Half of them down, half of them up if there is room.
        const size_t bytes = live.bytes > 400'000 ? 200 * kKiB : live.bytes + 32 * kKiB;
        const size_t usable = live.arena->ResizeRun(RunOf(live), bytes);
        ASSERT_NE(usable, 0u);
        live.bytes = std::min(live.bytes, usable);
      } else if (live.kind == Live::kHuge) {
        std::byte* const moved = huge_.Resize(live.block, live.bytes * 2);
        if (moved == nullptr) {
          ++failed_;
          continue;
        }
        ASSERT_TRUE(IsMarked(moved, live.bytes, live.block));
        live.block = moved;
      } else {
        continue;
      }
      Mark(live.block, live.bytes);
    }
  }

  void FreeHalf() {
    for (size_t n = live_.size() / 2; n > 0; --n) {
      std::swap(live_[n * 7919 % live_.size()], live_.back());
      FreeLast();
    }
  }

  void FreeLast() {
    const Live live = live_.back();
    live_.pop_back();
    ASSERT_TRUE(IsMarked(live.block, live.bytes, live.block));
    if (live.kind == Live::kHuge) {
      ASSERT_TRUE(huge_.Give(live.block));
    } else if (live.kind == Live::kRun) {
      live.arena->GiveRun(RunOf(live));
    } else {
      LockGuard guard(live.arena->lock());
      live.arena->GiveBlocks(&live.block, 1);
    }
  }

  void Rounds() {
    for (int round = 0; round < 3; ++round) {
      os_.Advance(100);
      for (int i = 0; i < 30; ++i) releaser_.Step(os_.now());
    }
  }

  cma::Run RunOf(const Live& live) const {
    return UsedRunAt(map_->FindSuperblock(AddressOf(live.block)), live.block);
  }

  cma_test::ScopedOptions options_;
  FakeOs os_;
  Metadata metadata_{os_.ops()};
  const std::unique_ptr<AddressMap> map_ = std::make_unique<AddressMap>();
  const std::unique_ptr<CentralHeap> central_ =
      std::make_unique<CentralHeap>(os_.ops(), metadata_, *map_);
  MemoryLimit huge_limit_;
  HugeBlocks huge_{os_.ops(), metadata_, huge_limit_};
  const std::unique_ptr<ArenaSet> arenas_ = std::make_unique<ArenaSet>(*central_);
  Releaser releaser_{*arenas_, *central_, huge_};
  std::vector<Live> live_;
  int failed_ = 0;
};

// ThreadSanitizer takes long for each mapping, and sees nothing new in a single thread.
constexpr size_t kStep = cma_test::kThreadSanitizer ? 5 : 1;

// Each `step`th call of those that the program makes.
void RefuseOneCallAfterTheOther(bool with_unit_map, size_t step) {
  for (size_t n = 1;; n += step) {
    SCOPED_TRACE(n);
    const auto program = std::make_unique<Program>(with_unit_map);
    FakeOs& os = program->os();
    const size_t before = os.refusals();
    os.RefuseAny(n);

    const int failed = program->Run();

    const bool refused = os.refusals() != before;
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    // A refused table can cost two requests at most: a new arena and what was to come from it.
    if (!refused) {
      EXPECT_EQ(failed, 0);
    }
    os.RefuseNothing();
    EXPECT_EQ(program->Run(), 0) << "it does not work again";
    program->ExpectNothingIsLost(refused);
    if (testing::Test::HasFailure() || !refused) {
      EXPECT_GT(n, 30u) << "the program hardly asks the operating system for anything";
      return;
    }
  }
}

TEST(RefusalTest, EveryCallMayBeRefusedOnceAndNothingIsLost) {
  RefuseOneCallAfterTheOther(true, kStep);
}

TEST(RefusalTest, TheSameWithoutAUnitMap) { RefuseOneCallAfterTheOther(false, 7 * kStep); }

TEST(RefusalTest, WhileTheSystemGivesNothingAllRequestsFailAndAfterwardsNoneDoes) {
  const auto program = std::make_unique<Program>(true);
  program->os().RefuseEvery(FakeOs::kMap);

  for (int i = 0; i < 3; ++i) EXPECT_GT(program->Run(), 0);
  program->os().RefuseNothing();

  EXPECT_EQ(program->Run(), 0);
  program->ExpectNothingIsLost(false);
}

TEST(RefusalTest, ASystemThatTakesNothingBackIsSurvived) {
  const auto program = std::make_unique<Program>(true);
  for (const FakeOs::Call call :
       {FakeOs::kUnmap, FakeOs::kDecommit, FakeOs::kResize, FakeOs::kMove}) {
    program->os().RefuseEvery(call);
  }

  for (int i = 0; i < 3; ++i) program->Run();
  program->os().RefuseNothing();

  EXPECT_EQ(program->Run(), 0);
  program->ExpectNothingIsLost(true);
}

}  // namespace
}  // namespace cma
