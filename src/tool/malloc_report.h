// Whose malloc a set of loaded files ends up with.
#ifndef CMA_TOOL_MALLOC_REPORT_H_
#define CMA_TOOL_MALLOC_REPORT_H_

#include <string>

#include "tool/loaded_file.h"

namespace cma::tool {

struct MallocReport {
  bool is_cma;       // all of malloc, free, new and delete, as far as there are such
  std::string text;  // for people, several lines
};

// Pointers into `files` are not kept.
MallocReport ReportMalloc(const LoadedFiles& files);

}  // namespace cma::tool

#endif  // CMA_TOOL_MALLOC_REPORT_H_
