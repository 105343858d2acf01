// The options of the library as text for people: the table in src/options, in three forms.
#ifndef CMA_TOOL_OPTIONS_TEXT_H_
#define CMA_TOOL_OPTIONS_TEXT_H_

#include <cstdint>
#include <string>

#include "options/options.h"

namespace cma::tool {

// A value as CMA_OPTIONS takes it: "500", "64MiB", "json".
std::string ValueText(const OptionInfo& option, uint64_t value);

// Plain text: name=default, meaning and values.
std::string OptionsPlain();

// Two tables in Markdown, those of the README: the options, and what each profile sets.
std::string OptionsMarkdown();

// The manual page cma-options(7).
std::string OptionsManual();

}  // namespace cma::tool

#endif  // CMA_TOOL_OPTIONS_TEXT_H_
