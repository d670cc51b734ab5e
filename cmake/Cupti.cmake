# The profiler needs CUPTI's headers (CUDA 13) to build and no CUDA library to link: libcupti is
# opened at run time. SWITCHYARD_CUPTI AUTO takes them if they are there, ON demands them.
set(SWITCHYARD_CUPTI AUTO CACHE STRING "Build the GPU profiler: AUTO, ON or OFF")
set_property(CACHE SWITCHYARD_CUPTI PROPERTY STRINGS AUTO ON OFF)
set(SWITCHYARD_HAS_CUPTI OFF)
set(SWITCHYARD_CUPTI_REASON "switched off (SWITCHYARD_CUPTI=OFF)")
if(NOT SWITCHYARD_CUPTI STREQUAL "OFF")
  find_path(SWITCHYARD_CUPTI_INCLUDE_DIR cupti_range_profiler.h
            HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda
            PATH_SUFFIXES include extras/CUPTI/include)
  set(SWITCHYARD_CUPTI_REASON "cupti.h of CUDA 13 not found")
  if(SWITCHYARD_CUPTI_INCLUDE_DIR)
    file(STRINGS "${SWITCHYARD_CUPTI_INCLUDE_DIR}/cupti_version.h" version
         REGEX "define CUPTI_API_VERSION")
    string(REGEX MATCH "[0-9]+" version "${version}")
    if(version GREATER_EQUAL 130000)
      set(SWITCHYARD_HAS_CUPTI ON)
      set(SWITCHYARD_CUPTI_REASON "headers ${version} in ${SWITCHYARD_CUPTI_INCLUDE_DIR}")
    else()
      set(SWITCHYARD_CUPTI_REASON
          "headers ${version} in ${SWITCHYARD_CUPTI_INCLUDE_DIR} are older than CUDA 13")
    endif()
  endif()
  if(SWITCHYARD_CUPTI STREQUAL "ON" AND NOT SWITCHYARD_HAS_CUPTI)
    message(FATAL_ERROR "SWITCHYARD_CUPTI=ON, but ${SWITCHYARD_CUPTI_REASON}")
  endif()
endif()
message(STATUS "GPU profiler: ${SWITCHYARD_HAS_CUPTI} (${SWITCHYARD_CUPTI_REASON})")
if(SWITCHYARD_HAS_CUPTI)
  add_library(switchyard_cupti_headers INTERFACE)
  target_include_directories(switchyard_cupti_headers SYSTEM INTERFACE
                             "${SWITCHYARD_CUPTI_INCLUDE_DIR}")
endif()
