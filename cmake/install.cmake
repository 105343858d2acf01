# cmake --install: the library in its three forms, headers, the cma command, the manual, and what
# other builds find it with (find_package, pkg-config).
#
# Components, which are also the packages of cmake/packages.cmake:
#   library      libcma.so.0
#   development  headers, libcma.so to link with, archives, CMake package, pkg-config file, cma(3)
#   tools        the cma command with the programs of cma bench (bench/CMakeLists.txt), cma(1),
#                cma-options(7)

include(CMakePackageConfigHelpers)

install(
  TARGETS cma_shared
  EXPORT cmaTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          COMPONENT library
          NAMELINK_COMPONENT development)
install(
  TARGETS cma_static cma_api cma_override
  EXPORT cmaTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(
  DIRECTORY include/cma
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/cma)
install(
  EXPORT cmaTargets
  NAMESPACE cma::
  DESTINATION ${package_directory}
  COMPONENT development)
configure_package_config_file(cmake/cmaConfig.cmake.in cmaConfig.cmake
                              INSTALL_DESTINATION ${package_directory})
# Until 1.0 a new minor version may change the interface.
write_basic_package_version_file(cmaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/cmaConfig.cmake ${PROJECT_BINARY_DIR}/cmaConfigVersion.cmake
  DESTINATION ${package_directory}
  COMPONENT development)

# Relative to where the file lies, so that an installed tree can be moved; unless lib/ was put
# somewhere else altogether.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(pkg_config_prefix ${CMAKE_INSTALL_PREFIX})
  set(pkg_config_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pkg_config_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY
             ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE up)
  set(pkg_config_prefix "\${pcfiledir}/${up}")
  set(pkg_config_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pkg_config_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/cma.pc.in cma.pc @ONLY)
configure_file(cmake/cma-api.pc.in cma-api.pc @ONLY)
install(
  FILES ${PROJECT_BINARY_DIR}/cma.pc ${PROJECT_BINARY_DIR}/cma-api.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)

if(CMA_BUILD_TOOL)
  install(TARGETS cma_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()

foreach(page IN LISTS CMA_MAN_PAGES)
  cmake_path(GET page EXTENSION LAST_ONLY section)
  string(REPLACE "." "" section ${section})
  set(component tools)
  if(section EQUAL 3)
    set(component development)
  endif()
  install(
    FILES ${page}
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
    COMPONENT ${component})
endforeach()
