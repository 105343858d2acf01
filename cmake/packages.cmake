# cpack
