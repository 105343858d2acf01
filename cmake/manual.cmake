# The manual: cma(1), cma(3) and, made from what the library lists, cma-options(7).
#
# Sets  CMA_MAN_PAGES   the files

set(CMA_MAN_PAGES ${PROJECT_SOURCE_DIR}/docs/man/cma.1 ${PROJECT_SOURCE_DIR}/docs/man/cma.3)

# The library has to run for it, which one for another kind of machine does not.
if(NOT CMAKE_CROSSCOMPILING)
  set(template ${PROJECT_SOURCE_DIR}/docs/man/cma-options.7.in)
  set(page ${PROJECT_BINARY_DIR}/cma-options.7)
  set(script ${PROJECT_SOURCE_DIR}/cmake/option_man_page.cmake)
  add_custom_command(
    OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:cma_shared> -DTEMPLATE=${template}
            -DPAGE=${page} -P ${script}
    # configure_file() leaves a page alone that is the same.
    COMMAND ${CMAKE_COMMAND} -E touch ${page}
    DEPENDS cma_shared ${template} ${script}
    VERBATIM)
  add_custom_target(cma_manual ALL DEPENDS ${page})
  list(APPEND CMA_MAN_PAGES ${page})
endif()
