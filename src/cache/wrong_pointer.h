// Finds out what is wrong with a pointer that is not a live block, and reports it.
#ifndef CMA_CACHE_WRONG_POINTER_H_
#define CMA_CACHE_WRONG_POINTER_H_

#include "slabs/size_classes.h"

namespace cma {

// Whether a block that carries the free key is really free: in its arena or in a cache. The key
// alone proves nothing, because a program may have copied it out of memory that it did not write.
bool IsFree(SizeClass c, const void* block);

// `operation`: what was called with it. REQUIRES: it is not the start of a live block.
[[noreturn]] void ReportWrongPointer(const char* operation, const void* pointer);

}  // namespace cma

#endif  // CMA_CACHE_WRONG_POINTER_H_
