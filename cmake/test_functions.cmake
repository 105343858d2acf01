# How tests become ctest entries. tests/CMakeLists.txt finds the files; CONTRIBUTING.md says which
# folder is for what.
#
# A test source or script may set its own terms in a line that starts with `// cma-test:` (in a
# script `# cma-test:`), words separated by spaces:
#
#   timeout=300        seconds before it is killed; sanitizer builds get three times that
#   serial             no other test runs beside it: it measures time or fills memory
#   args=--threads,4   arguments, separated by commas
#   not=thread,address leave it out under these sanitizers
#   api                stress only: also run it through the prefixed API, in every kind of build
#   plain              stress and preload only: also run it without cma, to check the test itself

# Sets <prefix>_<word> in the caller for each word of the source's cma-test lines.
function(cma_read_terms source prefix)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} lines REGEX "^(//|#) cma-test:")
  set(timeout ${${prefix}_timeout})
  set(serial OFF)
  set(api OFF)
  set(plain OFF)
  set(args)
  set(left_out OFF)
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^(//|#) cma-test: *" "" words "${line}")
    separate_arguments(words)
    foreach(word IN LISTS words)
      if(word MATCHES "^(serial|api|plain)$")
        set(${word} ON)
      elseif(word MATCHES "^timeout=([0-9]+)$")
        set(timeout ${CMAKE_MATCH_1})
      elseif(word MATCHES "^args=(.+)$")
        string(REPLACE "," ";" args "${CMAKE_MATCH_1}")
      elseif(word MATCHES "^not=(.+)$")
        string(REPLACE "," ";" kinds "${CMAKE_MATCH_1}")
        foreach(kind IN LISTS kinds)
          if(",${CMA_SANITIZE}," MATCHES ",${kind},")
            set(left_out ON)
          endif()
        endforeach()
      else()
        message(FATAL_ERROR "${source}: '${word}' is no cma-test term; "
                            "cmake/test_functions.cmake lists them")
      endif()
    endforeach()
  endforeach()
  foreach(name IN ITEMS timeout serial api plain args left_out)
    set(${prefix}_${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

# cma_test(<name> TERMS <prefix> LABEL <label> COMMAND <command>... [ENVIRONMENT <name=value>...])
#
# Registers a command under the terms that cma_read_terms() stored in <prefix>. It is skipped if it
# exits with 77, the convention of automake.
function(cma_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TERMS;LABEL" "COMMAND;ENVIRONMENT")
  if(${arg_TERMS}_left_out)
    return()
  endif()
  math(EXPR timeout "${${arg_TERMS}_timeout} * ${CMA_TIMEOUT_FACTOR}")
  add_test(NAME ${name} COMMAND ${arg_COMMAND} ${${arg_TERMS}_args})
  set_tests_properties(
    ${name}
    PROPERTIES LABELS ${arg_LABEL}
               TIMEOUT ${timeout}
               RUN_SERIAL ${${arg_TERMS}_serial}
               SKIP_RETURN_CODE 77
               ENVIRONMENT "${arg_ENVIRONMENT};${CMA_SANITIZER_ENVIRONMENT}"
               # ld.so only warns and goes on with the C library's malloc
               FAIL_REGULAR_EXPRESSION "from LD_PRELOAD cannot be preloaded")
endfunction()

# Adds an executable from one test source; links GoogleTest if the source includes it.
# cma_test_program(<target> <source>... [LIBRARIES <library>...])
function(cma_test_program target source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LIBRARIES")
  add_executable(${target} ${source} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${target} PRIVATE cma_test_flags ${arg_LIBRARIES} Threads::Threads)
  set_target_properties(${target} PROPERTIES CROSSCOMPILING_EMULATOR "${CMA_TEST_LAUNCHER}")
  file(STRINGS ${source} includes_gtest REGEX "^#include [<\"](gtest|gmock)/")
  if(includes_gtest)
    target_link_libraries(${target} PRIVATE GTest::gmock GTest::gtest)
    file(STRINGS ${source} own_main REGEX "^int main\\(")
    if(NOT own_main)
      target_link_libraries(${target} PRIVATE GTest::gtest_main)
    endif()
  endif()
endfunction()
