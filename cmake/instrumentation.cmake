# CMA_SANITIZE and CMA_COVERAGE, applied to every target of the project.
#
# Sets  CMA_INSTRUMENTED        true if either is on. Such a build has no libcma.so: the sanitizers
#                               bring their own malloc, so only the prefixed API is tested.
#       CMA_TIMEOUT_FACTOR      how much longer its tests may take
#       CMA_TEST_LAUNCHER       command that tests are started with, often empty

set(CMA_SANITIZE none CACHE STRING "none, address, thread, undefined or address,undefined")
set_property(CACHE CMA_SANITIZE PROPERTY STRINGS none address thread undefined address,undefined)
option(CMA_COVERAGE "Count executed lines with gcov" OFF)

set(CMA_INSTRUMENTED OFF)
set(CMA_TIMEOUT_FACTOR 1)
set(CMA_TEST_LAUNCHER)

if(NOT CMA_SANITIZE MATCHES "^(none|address|thread|undefined|address,undefined)$")
  message(FATAL_ERROR "CMA_SANITIZE is '${CMA_SANITIZE}'; it may be none, address, thread, "
                      "undefined or address,undefined")
endif()

if(NOT CMA_SANITIZE STREQUAL "none")
  set(CMA_INSTRUMENTED ON)
  set(CMA_TIMEOUT_FACTOR 3)
  # vptr checks need RTTI, which the library is built without.
  add_compile_options(-fsanitize=${CMA_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CMA_SANITIZE})
endif()

if(CMA_SANITIZE STREQUAL "thread" AND EXISTS /proc/sys/vm/mmap_rnd_bits)
  # ThreadSanitizer of gcc 12 and clang 14 does not start if the kernel randomises more than 28
  # bits of an address ("unexpected memory mapping"); setarch -R turns that off for one process.
  file(READ /proc/sys/vm/mmap_rnd_bits random_bits)
  find_program(CMA_SETARCH setarch)
  mark_as_advanced(CMA_SETARCH)
  if(random_bits GREATER 28 AND CMA_SETARCH)
    execute_process(COMMAND ${CMA_SETARCH} -R true RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
    if(NOT refused)
      set(CMA_TEST_LAUNCHER ${CMA_SETARCH} -R)
    endif()
  endif()
endif()

if(CMA_COVERAGE)
  set(CMA_INSTRUMENTED ON)
  set(CMA_TIMEOUT_FACTOR 3)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
