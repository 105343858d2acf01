// Fills blocks with bytes that follow from a key, usually the block's address: a block that
// overlaps another, or that was moved or zeroed behind the program's back, does not match.
#ifndef CMA_TESTS_SUPPORT_PATTERN_H_
#define CMA_TESTS_SUPPORT_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cma_test {

inline constexpr size_t kIntact = SIZE_MAX;

inline uint64_t KeyOfAddress(const void* block) {
  return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(block));
}

inline uint64_t PatternWord(uint64_t key, size_t index) {
  return (key + index) * 0x9e3779b97f4a7c15u ^ key >> 7;
}

inline void FillPattern(void* block, size_t bytes, uint64_t key) {
  auto* at = static_cast<unsigned char*>(block);
  size_t i = 0;
  for (; (i + 1) * 8 <= bytes; ++i) {
    const uint64_t word = PatternWord(key, i);
    memcpy(at + i * 8, &word, 8);
  }
  const uint64_t last = PatternWord(key, i);
  memcpy(at + i * 8, &last, bytes - i * 8);
}

// Offset of the first word that does not match; kIntact if all of them do.
inline size_t FindDamage(const void* block, size_t bytes, uint64_t key) {
  const auto* at = static_cast<const unsigned char*>(block);
  size_t i = 0;
  for (; (i + 1) * 8 <= bytes; ++i) {
    const uint64_t word = PatternWord(key, i);
    if (memcmp(at + i * 8, &word, 8) != 0) return i * 8;
  }
  const uint64_t last = PatternWord(key, i);
  return memcmp(at + i * 8, &last, bytes - i * 8) == 0 ? kIntact : i * 8;
}

inline bool IsZero(const void* block, size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(block);
  return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_PATTERN_H_
