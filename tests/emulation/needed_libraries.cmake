# Fails if a library asks the loader for anything of CUDA:
# cmake -DREADELF=readelf -DLIBRARY=libswitchyard.so -P needed_libraries.cmake
execute_process(COMMAND "${READELF}" -d "${LIBRARY}" OUTPUT_VARIABLE dynamic RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT dynamic MATCHES "NEEDED")
  message(FATAL_ERROR "cannot read the dynamic section of ${LIBRARY}")
endif()
if(dynamic MATCHES "NEEDED[^\n]*(libcuda|libcudart|libcupti|libcublas|libnvrtc)[^\n]*")
  message(FATAL_ERROR "${LIBRARY} needs a CUDA library at start: ${CMAKE_MATCH_0}")
endif()
