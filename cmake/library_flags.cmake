# cma_library_flags: how the allocator itself is compiled, in whatever form it is linked.

add_library(cma_library_flags INTERFACE)
target_link_libraries(cma_library_flags INTERFACE cma_strict_warnings)
target_include_directories(cma_library_flags INTERFACE ${PROJECT_SOURCE_DIR}/src
                                                       ${PROJECT_SOURCE_DIR}/include)

# A malloc may not need the C++ runtime, call what it defines, or be found by name from outside.
target_compile_options(
  cma_library_flags
  INTERFACE # no C++ runtime
            -fno-exceptions
            -fno-rtti
            -fno-threadsafe-statics
            # only what is marked CMA_API is visible, and calls to it from within stay direct
            -fvisibility=hidden
            -fvisibility-inlines-hidden
            -fno-semantic-interposition
            -fno-plt
            # a store after malloc or before free is not dead in here, and a loop that clears
            # memory after cma's malloc may not become a call of calloc
            -fno-builtin-malloc
            -fno-builtin-calloc
            -fno-builtin-realloc
            -fno-builtin-free
            # one add per access to the thread's pointer instead of a call
            -ftls-model=initial-exec
            # a program that links libcma.a pays only for what it uses
            -ffunction-sections
            -fdata-sections
            # some distributions turn it on; the fast path has no array on the stack
            -fno-stack-protector
            # many packages are built with it; names that may be missing at run time, like the C++
            # runtime's, and cmake/libcma.ld need objects with code
            -fno-lto)

# CMA_THREAD_SAFETY: clang proves the lock annotations at compile time.
option(CMA_THREAD_SAFETY "Check lock annotations (clang only)" OFF)
if(CMA_THREAD_SAFETY)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "CMA_THREAD_SAFETY needs clang: use the preset thread-safety")
  endif()
  target_compile_options(cma_library_flags INTERFACE -Wthread-safety -Werror)
endif()
