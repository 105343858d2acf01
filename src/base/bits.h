// Ranges of bits in arrays of words. No state.
#ifndef CMA_BASE_BITS_H_
#define CMA_BASE_BITS_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cma {

// A fixed set of N bits, all clear when zero-initialised.
template <size_t N>
struct BitSet {
  static constexpr size_t kWords = (N + 63) / 64;
  uint64_t words[kWords];

  bool Test(size_t i) const { return (words[i / 64] >> (i % 64)) & 1; }
  void Set(size_t i) { words[i / 64] |= uint64_t{1} << (i % 64); }
  void Clear(size_t i) { words[i / 64] &= ~(uint64_t{1} << (i % 64)); }

  // Calls f(word reference, mask) for the words that hold bits [first, last).
  template <typename F>
  void ForRange(size_t first, size_t last, F f) {
    if (first >= last) return;
    const size_t last_word = (last - 1) / 64;
    uint64_t mask = ~uint64_t{0} << (first % 64);
    for (size_t w = first / 64; w < last_word; ++w, mask = ~uint64_t{0}) f(words[w], mask);
    f(words[last_word], mask & (~uint64_t{0} >> (63 - (last - 1) % 64)));
  }
  void SetRange(size_t first, size_t last) {
    ForRange(first, last, [](uint64_t& w, uint64_t m) { w |= m; });
  }
  void ClearRange(size_t first, size_t last) {
    ForRange(first, last, [](uint64_t& w, uint64_t m) { w &= ~m; });
  }
  size_t CountRange(size_t first, size_t last) {
    size_t n = 0;
    ForRange(first, last,
             [&n](uint64_t& w, uint64_t m) { n += static_cast<size_t>(std::popcount(w & m)); });
    return n;
  }
  // Index of the first clear bit at or after `i`; N if there is none.
  size_t FindClearFrom(size_t i) const {
    if (i >= N) return N;
    size_t w = i / 64;
    uint64_t bits = ~words[w] & (~uint64_t{0} << (i % 64));
    while (bits == 0) {
      if (++w == kWords) return N;
      bits = ~words[w];
    }
    return std::min(w * 64 + static_cast<size_t>(std::countr_zero(bits)), N);
  }
  // Index of the first set bit at or after `i`; N if there is none.
  size_t FindFrom(size_t i) const {
    if (i >= N) return N;
    size_t w = i / 64;
    uint64_t bits = words[w] & (~uint64_t{0} << (i % 64));
    while (bits == 0) {
      if (++w == kWords) return N;
      bits = words[w];
    }
    return w * 64 + static_cast<size_t>(std::countr_zero(bits));
  }
};

}  // namespace cma

#endif  // CMA_BASE_BITS_H_
