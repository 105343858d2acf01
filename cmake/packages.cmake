# cpack: Debian packages of the installed components.
#
#   libcma0      libcma.so.0
#   libcma-dev   what other programs are built with
#   cma-tools    the cma command
#
# The preset "package" builds them as distributions want them, in /usr/lib/<machine>.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cma)
set(CPACK_PACKAGE_VENDOR "The cma authors")
set(CMA_PACKAGE_CONTACT "The cma authors <cma@localhost>" CACHE STRING "Maintainer of the packages")
set(CPACK_PACKAGE_CONTACT "${CMA_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # it would stand before that of each package
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
                                                GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
# Adds to each package what only packages have.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian_documents.cmake)

set(CPACK_COMPONENTS_ALL library development)
if(CMA_BUILD_TOOL)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE) # native: no revision
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Packages of programs that are linked with the library come to depend on that of the library.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libcma${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
    "memory allocator for multithreaded programs
cma takes the place of malloc, free and the C++ operators in programs that
link it, or in any dynamically linked one through LD_PRELOAD=libcma.so.0.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libcma-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME} (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "memory allocator for multithreaded programs (development files)
Headers, static libraries, and the files for CMake and pkg-config to build
programs with cma.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME cma-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS
    "${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME} (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION
    "run programs with the cma memory allocator
The cma command runs a program with cma as its malloc, says whether a program
or a process has it, and compares it with other allocators.")

# The loader's cache learns of the library as Debian does that today. (cpack adds scripts for it,
# the old way, which cannot be turned off and do no harm.)
set(triggers ${PROJECT_BINARY_DIR}/debian/triggers)
file(WRITE ${triggers} "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${triggers})

include(CPack)
