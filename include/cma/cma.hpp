// cma for C++: a heap that ends with its scope, an allocator for containers and a memory resource.
//
// Header-only, C++17 or newer, on top of <cma/cma.h>; works without exceptions and without RTTI.
// Where an exception would be thrown and there are none, the process is aborted.
#ifndef CMA_CMA_HPP_
#define CMA_CMA_HPP_

#include <cma/cma.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <memory_resource>
#include <new>
#include <type_traits>
#include <utility>

namespace cma {

namespace detail {

[[noreturn]] inline void throw_bad_alloc() {
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

[[noreturn]] inline void throw_bad_array_new_length() {
#if defined(__cpp_exceptions)
  throw std::bad_array_new_length();
#else
  std::abort();
#endif
}

// Of every block, whatever was asked for.
inline constexpr std::size_t min_alignment = 16;

// `from` null: the heap of the process. nullptr on failure.
[[nodiscard]] inline void* take(cma_heap* from, std::size_t bytes, std::size_t alignment) noexcept {
  if (from == nullptr) {
    return alignment <= min_alignment ? cma_malloc(bytes) : cma_aligned_alloc(alignment, bytes);
  }
  return alignment <= min_alignment ? cma_heap_malloc(from, bytes)
                                    : cma_heap_aligned_alloc(from, alignment, bytes);
}

}  // namespace detail

// A heap of <cma/cma.h>, destroyed with this object: all of its blocks are gone then. Movable, not
// copyable. Allocators and memory resources made from it must not be used after that.
//
// Thread-safe as cma_heap is: any thread may allocate; who destroys it must be the last one.
class heap {
 public:
  // No heap; only to be assigned to.
  heap() noexcept = default;

  // `name` is copied (63 bytes of it) and may be null; `limit_bytes` 0: no limit.
  // Throws std::bad_alloc if there is no memory for a heap or there are too many.
  explicit heap(const char* name, std::size_t limit_bytes = 0)
      : handle_(cma_heap_create(name, limit_bytes)) {
    if (handle_ == nullptr) detail::throw_bad_alloc();
  }

  heap(heap&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  heap& operator=(heap&& other) noexcept {
    if (this != &other) {
      cma_heap_destroy(handle_);
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  heap(const heap&) = delete;
  heap& operator=(const heap&) = delete;
  ~heap() { cma_heap_destroy(handle_); }

  // nullptr if there is no memory, or the limit refuses. Give blocks back with cma_free(), or leave
  // them to the end of the heap. `alignment`: a power of two.
  [[nodiscard]] void* try_allocate(std::size_t bytes,
                                   std::size_t alignment = detail::min_alignment) noexcept {
    return detail::take(handle_, bytes, alignment);
  }
  // Throws std::bad_alloc instead.
  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment = detail::min_alignment) {
    void* const block = try_allocate(bytes, alignment);
    if (block == nullptr) detail::throw_bad_alloc();
    return block;
  }

  [[nodiscard]] cma_heap_stats stats() const noexcept {
    cma_heap_stats stats;
    cma_heap_get_stats(handle_, &stats);
    return stats;
  }

  // For the functions of <cma/cma.h>; nullptr after a move.
  [[nodiscard]] cma_heap* get() const noexcept { return handle_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  // The caller destroys it from now on.
  [[nodiscard]] cma_heap* release() noexcept { return std::exchange(handle_, nullptr); }

  void swap(heap& other) noexcept { std::swap(handle_, other.handle_); }
  friend void swap(heap& a, heap& b) noexcept { a.swap(b); }

 private:
  cma_heap* handle_ = nullptr;
};

// What allocate_at_least() returns; std::allocation_result where the library has it.
#if defined(__cpp_lib_allocate_at_least)
template <typename Pointer>
using allocation_result = std::allocation_result<Pointer>;
#else
template <typename Pointer>
struct allocation_result {
  Pointer ptr;
  std::size_t count;
};
#endif

// An allocator for containers: of the heap of the process, or of a given one.
//
// Two are equal if they allocate from the same heap. Any of them could free the blocks of any
// other, but a container that took over blocks of another heap would not outlive that heap.
//
//   copy construction   the copy allocates from the same heap
//   copy assignment     the target stays in its heap, and copies the elements into it
//   move assignment     the target takes over the elements and the heap: no element is moved
//   swap                swaps the heaps too
template <typename T>
class allocator {
 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_copy_assignment = std::false_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;
  using is_always_equal = std::false_type;

  // Of the heap of the process.
  constexpr allocator() noexcept = default;
  // Of `from`, which must live as long as blocks of this allocator.
  allocator(const heap& from) noexcept : heap_(from.get()) {}
  explicit constexpr allocator(cma_heap* from) noexcept : heap_(from) {}
  template <typename U>
  constexpr allocator(const allocator<U>& other) noexcept : heap_(other.get()) {}

  // Throws std::bad_array_new_length if the product is too large, std::bad_alloc if there is no
  // memory or the heap's limit refuses.
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > max_count) detail::throw_bad_array_new_length();
    void* const block = detail::take(heap_, count * sizeof(T), alignof(T));
    if (block == nullptr) detail::throw_bad_alloc();
    return static_cast<T*>(block);
  }

  // Room for `count` or as many more as the block has anyway. deallocate() takes any number in
  // between.
  [[nodiscard]] allocation_result<T*> allocate_at_least(std::size_t count) {
    if (count > max_count) detail::throw_bad_array_new_length();
    if constexpr (alignof(T) <= detail::min_alignment) {
      const std::size_t good = cma_good_size(count * sizeof(T)) / sizeof(T);
      if (good > count) count = good;
    }
    return {allocate(count), count};
  }

  void deallocate(T* block, std::size_t) noexcept { cma_free(block); }

  // nullptr: of the heap of the process.
  [[nodiscard]] constexpr cma_heap* get() const noexcept { return heap_; }

  template <typename U>
  friend constexpr bool operator==(const allocator& a, const allocator<U>& b) noexcept {
    return a.get() == b.get();
  }
#if !defined(__cpp_impl_three_way_comparison)  // before C++20
  template <typename U>
  friend constexpr bool operator!=(const allocator& a, const allocator<U>& b) noexcept {
    return a.get() != b.get();
  }
#endif

 private:
  static constexpr std::size_t max_count = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);

  cma_heap* heap_ = nullptr;
};

// The same for std::pmr. Thread-safe, unlike most memory resources.
class memory_resource : public std::pmr::memory_resource {
 public:
  // Of the heap of the process.
  memory_resource() noexcept = default;
  // Of `from`, which must live as long as blocks of this resource.
  explicit memory_resource(const heap& from) noexcept : heap_(from.get()) {}
  explicit memory_resource(cma_heap* from) noexcept : heap_(from) {}

  // nullptr: of the heap of the process.
  [[nodiscard]] cma_heap* get() const noexcept { return heap_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = detail::take(heap_, bytes, alignment);
    if (block == nullptr) detail::throw_bad_alloc();
    return block;
  }
  void do_deallocate(void* block, std::size_t, std::size_t) noexcept override { cma_free(block); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    if (this == &other) return true;
#if defined(__cpp_rtti)
    const auto* const same_kind = dynamic_cast<const memory_resource*>(&other);
    return same_kind != nullptr && same_kind->heap_ == heap_;
#else
    return false;
#endif
  }

  cma_heap* heap_ = nullptr;
};

}  // namespace cma

#endif  // CMA_CMA_HPP_
