// The value of one option. Any thread may read it while another sets it: each access is one atomic
// operation, and nothing else depends on the order in which others see it.
#ifndef CMA_OPTIONS_SETTING_H_
#define CMA_OPTIONS_SETTING_H_

#include <atomic>
#include <cstdint>

namespace cma {

class Setting {
 public:
  // Implicit, both ways: users of an option read and write it as the number that it is.
  constexpr Setting(uint64_t value) : value_(value) {}
  Setting(const Setting& other) : value_(uint64_t{other}) {}
  Setting& operator=(const Setting& other) { return *this = uint64_t{other}; }
  Setting& operator=(uint64_t value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  operator uint64_t() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_;
};

}  // namespace cma

#endif  // CMA_OPTIONS_SETTING_H_
