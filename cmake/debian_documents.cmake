# Run by cpack for the files of all components, before they become packages: copyright and
# changelog, which every Debian package has, and compressed manual pages.

set(root ${CMAKE_CURRENT_LIST_DIR}/..)

file(READ ${root}/LICENSE licence)
string(REGEX MATCH "Copyright \\(c\\) ([^\n]*)" line "${licence}")
set(copyright "${CMAKE_MATCH_1}")
string(REGEX REPLACE "^MIT License\n+[^\n]*\n+" "" licence "${licence}")
string(STRIP "${licence}" licence)
string(REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REPLACE "\n" "\n " licence "${licence}")

# SOURCE_DATE_EPOCH, if it is set, else now.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)

file(GLOB components ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*)
foreach(component IN LISTS components)
  cmake_path(GET component FILENAME name)
  string(TOUPPER ${name} name)
  set(share ${component}${CPACK_PACKAGING_INSTALL_PREFIX}/share)
  set(documents ${share}/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME})
  file(WRITE ${documents}/copyright
       "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
       "Upstream-Name: cma\n\n"
       "Files: *\nCopyright: ${copyright}\nLicense: Expat\n ${licence}\n")
  file(WRITE ${documents}/changelog
       "cma (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
       "  * This version; CHANGELOG.md beside this file says what is new in it.\n\n"
       " -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  configure_file(${root}/CHANGELOG.md ${documents}/CHANGELOG.md COPYONLY)
  file(GLOB pages ${share}/man/man*/*.[0-9])
  execute_process(COMMAND gzip -9nf ${documents}/changelog ${documents}/CHANGELOG.md ${pages}
                  COMMAND_ERROR_IS_FATAL ANY)
endforeach()
