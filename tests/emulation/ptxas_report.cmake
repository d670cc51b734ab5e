# Assembles each PTX file for one architecture and collects what ptxas says about registers and
# spills: cmake -DPTXAS=... -DARCH=80 -DPTX="a.ptx;b.ptx" -DOUTPUT=report.txt -P ptxas_report.cmake
set(report "")
foreach(ptx IN LISTS PTX)
  execute_process(COMMAND "${PTXAS}" -v -arch=sm_${ARCH} "${ptx}" -o "${OUTPUT}.cubin"
                  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE messages)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "ptxas failed on ${ptx}:\n${output}${messages}")
  endif()
  string(APPEND report "${output}${messages}")
endforeach()
file(WRITE "${OUTPUT}" "${report}")
