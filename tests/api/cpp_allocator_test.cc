// cma::allocator of <cma/cma.hpp> in the containers of the standard library.
#include <gtest/gtest.h>

#include <cma/cma.hpp>

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <scoped_allocator>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/live_bytes.h"

namespace {

using cma_test::ProcessStats;

template <typename T>
using Vector = std::vector<T, cma::allocator<T>>;
using String = std::basic_string<char, std::char_traits<char>, cma::allocator<char>>;

using Traits = std::allocator_traits<cma::allocator<int>>;
static_assert(std::is_same_v<Traits::rebind_alloc<char>, cma::allocator<char>>);
static_assert(!Traits::is_always_equal::value);
static_assert(!Traits::propagate_on_container_copy_assignment::value);
static_assert(Traits::propagate_on_container_move_assignment::value);
static_assert(Traits::propagate_on_container_swap::value);
static_assert(std::is_nothrow_move_assignable_v<Vector<int>>);
static_assert(std::is_nothrow_copy_constructible_v<cma::allocator<int>>);

class CppAllocatorTest : public testing::Test {
 protected:
  size_t Live() const { return heap_.stats().live_bytes; }
  size_t OtherLive() const { return other_.stats().live_bytes; }

  cma::heap heap_{"containers"};
  cma::heap other_{"others"};
};

TEST_F(CppAllocatorTest, ContainersLiveInTheHeap) {
  {
    Vector<int> numbers(heap_);
    std::deque<int, cma::allocator<int>> deque(heap_);
    std::list<int, cma::allocator<int>> list(heap_);
    std::map<int, int, std::less<>, cma::allocator<std::pair<const int, int>>> map(heap_);
    std::unordered_map<int, int, std::hash<int>, std::equal_to<>,
                       cma::allocator<std::pair<const int, int>>>
        table(heap_);
    String text(heap_);
    for (int i = 0; i < 5000; ++i) {
      numbers.push_back(i);
      deque.push_front(i);
      list.push_back(i);
      map[i] = i;
      table[i] = i;
      text += 'x';
    }
    EXPECT_EQ(numbers[4999] + deque.front() + list.back() + map.at(1) + table.at(1), 3 * 4999 + 2);
    EXPECT_EQ(text.size(), 5000u);
    EXPECT_GE(Live(), 5000 * (3 * sizeof(int) + 4 * sizeof(int)));
  }
  EXPECT_EQ(Live(), 0u);
}

TEST_F(CppAllocatorTest, TheHeapOfTheProcessIsTheDefault) {
  const size_t before = ProcessStats().live_bytes;
  {
    Vector<char> bytes(100'000);
    EXPECT_GE(ProcessStats().live_bytes, before + 100'000);
    EXPECT_EQ(bytes.get_allocator().get(), nullptr);
  }
  EXPECT_EQ(ProcessStats().live_bytes, before);
}

TEST_F(CppAllocatorTest, ScopedContainersHandTheHeapDown) {
  using Words = std::vector<String, std::scoped_allocator_adaptor<cma::allocator<String>>>;
  const size_t process = ProcessStats().live_bytes;
  {
    Words words{cma::allocator<String>(heap_)};
    for (int i = 0; i < 100; ++i) words.emplace_back(200, 'x');
    EXPECT_GE(Live(), size_t{100} * 200);
    EXPECT_EQ(ProcessStats().live_bytes - Live(), process);
  }
}

TEST_F(CppAllocatorTest, AllocatorsOfOneHeapAreEqual) {
  const cma::allocator<int> a(heap_), b(heap_), c(other_), d;
  const cma::allocator<char> e(a);

  EXPECT_TRUE(a == b);
  EXPECT_TRUE(a == e);
  EXPECT_TRUE(a != c);
  EXPECT_TRUE(a != d);
  EXPECT_TRUE(d == cma::allocator<char>());
}

TEST_F(CppAllocatorTest, MoveAssignmentTakesElementsAndHeapOver) {
  Vector<int> from(1000, 7, heap_);
  Vector<int> to(1000, 8, other_);
  const int* const elements = from.data();

  to = std::move(from);

  EXPECT_EQ(to.data(), elements);
  EXPECT_EQ(to.get_allocator().get(), heap_.get());
  EXPECT_EQ(OtherLive(), 0u);
}

TEST_F(CppAllocatorTest, MoveConstructionWithAnotherHeapMovesTheElements) {
  Vector<int> from(1000, 7, heap_);
  const int* const elements = from.data();

  const Vector<int> to(std::move(from), cma::allocator<int>(other_));

  EXPECT_NE(to.data(), elements);
  EXPECT_EQ(to.size(), 1000u);
  EXPECT_GE(OtherLive(), 1000 * sizeof(int));
}

TEST_F(CppAllocatorTest, CopyAssignmentStaysInTheTargetsHeap) {
  const Vector<int> from(1000, 7, heap_);
  Vector<int> to(other_);

  to = from;

  EXPECT_EQ(to, from);
  EXPECT_EQ(to.get_allocator().get(), other_.get());
  EXPECT_GE(OtherLive(), 1000 * sizeof(int));
}

TEST_F(CppAllocatorTest, ACopyIsInTheSameHeap) {
  const Vector<int> from(1000, 7, heap_);
  const size_t live = Live();

  const Vector<int> copy(from);

  EXPECT_EQ(copy.get_allocator().get(), heap_.get());
  EXPECT_EQ(Live(), 2 * live);
}

TEST_F(CppAllocatorTest, SwapSwapsTheHeapsToo) {
  Vector<int> a(1000, 7, heap_);
  Vector<int> b(10, 8, other_);
  const int* const elements = a.data();

  swap(a, b);

  EXPECT_EQ(b.data(), elements);
  EXPECT_EQ(b.get_allocator().get(), heap_.get());
  EXPECT_EQ(a.get_allocator().get(), other_.get());
}

struct alignas(128) Wide {
  char bytes[128];
};

TEST_F(CppAllocatorTest, OverAlignedTypesAreAligned) {
  for (const cma::allocator<Wide>& allocator : {cma::allocator<Wide>(heap_), {}}) {
    std::vector<Wide, cma::allocator<Wide>> wide(allocator);
    for (int i = 0; i < 100; ++i) {
      wide.emplace_back();
      ASSERT_EQ(reinterpret_cast<uintptr_t>(wide.data()) % alignof(Wide), 0u);
    }
    cma::allocator<Wide> again(allocator);
    const auto result = again.allocate_at_least(3);
    EXPECT_GE(result.count, 3u);
    again.deallocate(result.ptr, result.count);
  }
}

TEST_F(CppAllocatorTest, AllocateAtLeastGivesAllThatTheBlockHas) {
  for (const cma::allocator<int>& made : {cma::allocator<int>(heap_), {}}) {
    cma::allocator<int> allocator(made);
    for (size_t count = 0; count < 600'000; count = count * 3 + 1) {
      const auto result = allocator.allocate_at_least(count);
      EXPECT_GE(result.count, count);
      EXPECT_LE(result.count * sizeof(int), cma_malloc_usable_size(result.ptr));
      EXPECT_GE(result.count * sizeof(int) + sizeof(int), cma_good_size(count * sizeof(int)));
      for (size_t i = 0; i < result.count; ++i) result.ptr[i] = 1;
      allocator.deallocate(result.ptr, result.count);
    }
  }
  EXPECT_EQ(Live(), 0u);
}

TEST_F(CppAllocatorTest, FailureThrows) {
  cma::heap small("small", 10'000);
  Vector<int> numbers(small);

  EXPECT_THROW(numbers.resize(10'000), std::bad_alloc);
  EXPECT_EQ(small.stats().live_bytes, 0u);
  numbers.resize(1000);
  EXPECT_THROW((void)cma::allocator<int>().allocate(SIZE_MAX / 4), std::bad_array_new_length);
  EXPECT_THROW((void)cma::allocator<int>(heap_).allocate_at_least(SIZE_MAX),
               std::bad_array_new_length);
  EXPECT_THROW((void)cma::allocator<char>().allocate(PTRDIFF_MAX), std::bad_alloc);
}

TEST_F(CppAllocatorTest, SharedPointersAndTheirCountsLiveInTheHeap) {
  {
    const auto shared = std::allocate_shared<std::pair<int, int>>(cma::allocator<int>(heap_), 1, 2);
    EXPECT_EQ(shared->second, 2);
    EXPECT_GT(Live(), 0u);
  }
  EXPECT_EQ(Live(), 0u);
}

}  // namespace
