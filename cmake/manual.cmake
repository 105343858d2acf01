# The manual: cma(1), cma(3) and, where there is a command that writes it, cma-options(7).
#
# Sets  CMA_MAN_PAGES   the files

set(CMA_MAN_PAGES ${PROJECT_SOURCE_DIR}/docs/man/cma.1 ${PROJECT_SOURCE_DIR}/docs/man/cma.3)

# The command has to run for it, which one for another kind of machine does not.
if(TARGET cma_tool AND NOT CMAKE_CROSSCOMPILING)
  set(page ${PROJECT_BINARY_DIR}/cma-options.7)
  add_custom_command(
    OUTPUT ${page}
    COMMAND $<TARGET_FILE:cma_tool> options --man > ${page}
    DEPENDS cma_tool
    VERBATIM)
  add_custom_target(cma_manual ALL DEPENDS ${page})
  list(APPEND CMA_MAN_PAGES ${page})
endif()
