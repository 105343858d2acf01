# cma_warnings: what every target of this project is compiled with, tests included.

add_library(cma_warnings INTERFACE)
target_compile_options(cma_warnings INTERFACE -Wall -Wextra)

# Sanitizers and coverage move code about and make the compilers warn of things that are not there,
# so warnings are judged in the other builds.
if(CMA_WERROR AND NOT CMA_INSTRUMENTED)
  target_compile_options(cma_warnings INTERFACE -Werror)
endif()

# cma_strict_warnings: the library and the tool on top of that.
add_library(cma_strict_warnings INTERFACE)
target_link_libraries(cma_strict_warnings INTERFACE cma_warnings)
target_compile_options(
  cma_strict_warnings
  INTERFACE -Wcast-align
            -Wcast-qual
            -Wextra-semi
            -Wformat=2
            -Wimplicit-fallthrough
            -Wmissing-declarations
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Wpointer-arith
            -Wshadow
            -Wundef
            -Wvla)
