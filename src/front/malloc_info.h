// glibc's ways to ask for statistics, answered with cma's figures.
#ifndef CMA_FRONT_MALLOC_INFO_H_
#define CMA_FRONT_MALLOC_INFO_H_

#include <malloc.h>
#include <stdio.h>

namespace cma {

// hblks, hblkhd: huge blocks, and their bytes; the rest is without them, as glibc's is. arena:
// bytes that are held for blocks, the sum of uordblks: live bytes, and fordblks: free bytes, of
// which fsmblks: bytes in thread caches; keepcost: bytes that malloc_trim could return. Source:
// mallinfo(3).
struct mallinfo2 MallInfo2();
// The same, cut to int at INT_MAX.
struct mallinfo MallInfo();

// Writes XML to the stream; -1 with errno EINVAL if options is not 0, or as the stream's writing
// sets it. Source: malloc_info(3).
int MallocInfo(int options, FILE* stream);

}  // namespace cma

#endif  // CMA_FRONT_MALLOC_INFO_H_
