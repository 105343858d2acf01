// One function per fault: each writes one line on stderr (what, where, size class, what to do
// next) without allocating, and aborts. Thread-safe.
#ifndef CMA_REPORT_FAULT_H_
#define CMA_REPORT_FAULT_H_

#include <cstddef>

namespace cma {

// `block_bytes` is the size class; 0 if it is not known.
[[noreturn]] void ReportDoubleFree(const void* block, size_t block_bytes);

// In these, `operation` is what was called with the pointer ("free", "realloc").
// The block is free already.
[[noreturn]] void ReportFreedBlock(const char* operation, const void* block, size_t block_bytes);
// `pointer` lies in free memory: a block was there and was freed, or there never was one.
[[noreturn]] void ReportFreeMemory(const char* operation, const void* pointer);
// `pointer` lies in a block of `block_bytes`, but not at its start; or where none can start.
[[noreturn]] void ReportInteriorPointer(const char* operation, const void* pointer,
                                        size_t block_bytes);
// cma never gave `pointer` out.
[[noreturn]] void ReportForeignPointer(const char* operation, const void* pointer);

// `heap`, given to the function `operation`, is none that cma_heap_create() has made, or it was
// destroyed.
[[noreturn]] void ReportWrongHeap(const char* operation, const void* heap);

// operator new could not get `bytes` and there is no C++ runtime to throw with.
[[noreturn]] void ReportNoMemory(size_t bytes);

// A table of cma's own contradicts itself: memory was overwritten, or cma has a bug.
[[noreturn]] void ReportCorruption(const char* what, const void* where);

}  // namespace cma

#endif  // CMA_REPORT_FAULT_H_
