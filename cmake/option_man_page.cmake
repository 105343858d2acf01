# Writes cma-options(7) with the options that the library itself lists, so that the page cannot lag
# behind it.
#   cmake -DLIBRARY=libcma.so -DTEMPLATE=cma-options.7.in -DPAGE=cma-options.7 -P option_man_page.cmake

# Any program will do: the library reads its options at the first allocation.
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env CMA_OPTIONS=help LD_PRELOAD=${LIBRARY} ${CMAKE_COMMAND} -E true
  ERROR_VARIABLE help
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

set(OPTIONS)
# A semicolon would divide a line in two.
string(REPLACE ";" "\\;" help "${help}")
# Two spaces end the default; what is said beside the table has no such line.
string(REGEX MATCHALL "\n  [a-z][a-z0-9_]*=[^ \n]*  [^\n]*" lines "${help}")
foreach(line IN LISTS lines)
  string(REGEX MATCH "^\n  ([^=]+)=([^ ]*)  (.*)$" line "${line}")
  string(REPLACE "\\" "\\e" text "${CMAKE_MATCH_3}")
  string(APPEND OPTIONS ".It Cm ${CMAKE_MATCH_1} Ns = Ns ${CMAKE_MATCH_2}\n\\&${text}\n")
endforeach()
if(NOT OPTIONS)
  message(FATAL_ERROR "${LIBRARY} lists no options: ${help}")
endif()
string(STRIP "${OPTIONS}" OPTIONS)
configure_file(${TEMPLATE} ${PAGE} @ONLY)
