#include "options/option_value.h"

#include <string.h>

#include "base/units.h"
#include "os/cgroup.h"

namespace cma {
namespace {

struct Suffix {
  const char* name;  // lower case
  uint64_t factor;
};

// In milliseconds.
constexpr Suffix kTimes[] = {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}};

// In bytes. Each may be followed by "b" or "ib".
constexpr Suffix kSizes[] = {{"k", kKiB}, {"m", kMiB}, {"g", kGiB}, {"t", kGiB * 1024}};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(const char* name, const char* text, size_t length) {
  if (strlen(name) != length) return false;
  for (size_t i = 0; i < length; ++i) {
    if (Lower(text[i]) != name[i]) return false;
  }
  return true;
}

// Bytes that a bare number stands for.
uint64_t UnitBytes(OptionUnit unit) {
  switch (unit) {
    case OptionUnit::kKibibytes:
      return kKiB;
    case OptionUnit::kMebibytes:
      return kMiB;
    default:
      return 1;
  }
}

bool IsSize(OptionUnit unit) {
  return unit == OptionUnit::kKibibytes || unit == OptionUnit::kMebibytes ||
         unit == OptionUnit::kLimit;
}

// Digits at the front of the text; how many there are, 0 if the number is too large.
size_t ParseDigits(const char* text, size_t length, uint64_t* value) {
  uint64_t result = 0;
  size_t n = 0;
  for (; n < length && text[n] >= '0' && text[n] <= '9'; ++n) {
    const auto digit = static_cast<uint64_t>(text[n] - '0');
    if (__builtin_mul_overflow(result, uint64_t{10}, &result) ||
        __builtin_add_overflow(result, digit, &result)) {
      return 0;
    }
  }
  *value = result;
  return n;
}

// The factor of a size's suffix, 0 if there is no such suffix.
uint64_t SizeFactor(const char* text, size_t length) {
  if (EqualsIgnoringCase("b", text, length)) return 1;
  if (length > 1 && !EqualsIgnoringCase("b", text + 1, length - 1) &&
      !EqualsIgnoringCase("ib", text + 1, length - 1)) {
    return 0;
  }
  for (const Suffix& suffix : kSizes) {
    if (Lower(text[0]) == suffix.name[0]) return suffix.factor;
  }
  return 0;
}

bool ParsePercentage(uint64_t percent, uint64_t* value) {
  const uint64_t memory = OsUsableMemory();
  if (percent == 0 || percent > 100 || memory == 0) return false;
  *value = memory / 100 * percent;
  return true;
}

// `number` with a suffix that is not empty, in the option's unit.
bool ApplySuffix(OptionUnit unit, uint64_t number, const char* text, size_t length,
                 uint64_t* value) {
  if (unit == OptionUnit::kMilliseconds) {
    for (const Suffix& suffix : kTimes) {
      if (EqualsIgnoringCase(suffix.name, text, length)) {
        return !__builtin_mul_overflow(number, suffix.factor, value);
      }
    }
    return false;
  }
  if (unit == OptionUnit::kLimit && length == 1 && text[0] == '%') {
    return ParsePercentage(number, value);
  }
  const uint64_t factor = IsSize(unit) ? SizeFactor(text, length) : 0;
  uint64_t bytes;
  if (factor == 0 || __builtin_mul_overflow(number, factor, &bytes)) return false;
  const uint64_t unit_bytes = UnitBytes(unit);
  *value = bytes / unit_bytes + (bytes % unit_bytes != 0);
  return true;
}

bool ParseWord(const OptionInfo& option, const char* text, size_t length, uint64_t* value) {
  for (uint64_t i = 0; i <= option.most; ++i) {
    if (!EqualsIgnoringCase(option.words[i], text, length)) continue;
    *value = i;
    return true;
  }
  return false;
}

bool InRange(const OptionInfo& option, uint64_t value) {
  return value == 0 || (value >= option.least && value <= option.most);
}

// Bytes with the largest suffix that leaves a whole number.
void AddBytes(Text& text, uint64_t bytes) {
  static constexpr const char* kNames[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t i = 0;
  for (; bytes != 0 && bytes % 1024 == 0 && i + 1 < sizeof kNames / sizeof *kNames; ++i) {
    bytes /= 1024;
  }
  text.AddNumber(bytes).Add(kNames[i]);
}

}  // namespace

bool ParseValue(const OptionInfo& option, const char* text, size_t length, uint64_t* value) {
  uint64_t result;
  if (option.unit == OptionUnit::kWord && ParseWord(option, text, length, &result)) {
    *value = result;
    return true;
  }
  const size_t digits = ParseDigits(text, length, &result);
  if (digits == 0) return false;
  if (digits < length &&
      !ApplySuffix(option.unit, result, text + digits, length - digits, &result)) {
    return false;
  }
  if (!InRange(option, result)) return false;
  *value = result;
  return true;
}

void AddValue(Text& text, const OptionInfo& option, uint64_t value) {
  if (option.unit == OptionUnit::kWord) {
    text.Add(option.words[value]);
  } else if (option.unit == OptionUnit::kLimit) {
    AddBytes(text, value);
  } else {
    text.AddNumber(value);
  }
}

void AddRange(Text& text, const OptionInfo& option) {
  switch (option.unit) {
    case OptionUnit::kFlag:
      text.Add("0 or 1");
      break;
    case OptionUnit::kWord:
      for (uint64_t i = 0; i <= option.most; ++i) {
        if (i != 0) text.Add(i == option.most ? " or " : ", ");
        text.Add(option.words[i]);
      }
      break;
    case OptionUnit::kLimit:
      text.Add("0, ");
      AddBytes(text, option.least);
      text.Add(" to ");
      AddBytes(text, option.most);
      text.Add(", or 1% to 100%");
      break;
    default:
      text.Add("0 to ").AddNumber(option.most);
  }
}

}  // namespace cma
