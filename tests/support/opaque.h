// Keeps the compiler from knowing what the tests know: sizes beyond PTRDIFF_MAX, blocks freed
// twice, allocations that nobody uses.
#ifndef CMA_TESTS_SUPPORT_OPAQUE_H_
#define CMA_TESTS_SUPPORT_OPAQUE_H_

namespace cma_test {

template <typename T>
[[nodiscard]] inline T Opaque(T value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_OPAQUE_H_
