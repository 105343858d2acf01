// The values of options as text. Nothing here allocates.
#ifndef CMA_OPTIONS_OPTION_VALUE_H_
#define CMA_OPTIONS_OPTION_VALUE_H_

#include <cstddef>
#include <cstdint>

#include "options/options.h"
#include "report/text.h"

namespace cma {

// Parses `length` characters as a value of the option. Sizes and times may have a suffix and are
// then rounded up to the option's unit. False if it is malformed or out of range.
[[nodiscard]] bool ParseValue(const OptionInfo& option, const char* text, size_t length,
                              uint64_t* value);

// Adds the value as ParseValue() reads it.
void AddValue(Text& text, const OptionInfo& option, uint64_t value);

// Adds which values the option takes: "0 or 1", "0 to 512".
void AddRange(Text& text, const OptionInfo& option);

}  // namespace cma

#endif  // CMA_OPTIONS_OPTION_VALUE_H_
