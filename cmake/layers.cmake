# Finds the sources of every layer. The order and the names of the layers stand in layers.txt.
#
# Sets  CMA_LAYERS              all layers, lowest first
#       CMA_CORE_SOURCES        the allocator and its prefixed API
#       CMA_FRONT_SOURCES       what defines malloc, free, operator new ... (interposition)
#       CMA_PRELOAD_SOURCES     the same, for libcma.so alone
#       CMA_TOOL_SOURCES        the `cma` command

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${PROJECT_SOURCE_DIR}/cmake/layers.txt)
file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/layers.txt CMA_LAYERS REGEX "^[a-z]")

# The only files that define names of the C library or of the C++ runtime.
set(CMA_FRONT_SOURCES
    ${PROJECT_SOURCE_DIR}/src/front/interpose.cc
    ${PROJECT_SOURCE_DIR}/src/front/operators.cc)
set(CMA_PRELOAD_SOURCES ${PROJECT_SOURCE_DIR}/src/front/open_library.cc)

set(CMA_CORE_SOURCES)
set(CMA_TOOL_SOURCES)
foreach(layer IN LISTS CMA_LAYERS)
  file(GLOB layer_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.cc)
  if(layer STREQUAL "tool")
    list(APPEND CMA_TOOL_SOURCES ${layer_sources})
  else()
    list(APPEND CMA_CORE_SOURCES ${layer_sources})
  endif()
endforeach()
list(REMOVE_ITEM CMA_CORE_SOURCES ${CMA_FRONT_SOURCES} ${CMA_PRELOAD_SOURCES})
