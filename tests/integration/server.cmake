# The server alone, with workers made of bytes.
find_program(DCPS_PYTHON3 python3 REQUIRED)
foreach(name test_server read_safetensors)
  dcps_script_test(${name} LABELS integration TIMEOUT 600 WAITS COMMAND ${DCPS_PYTHON3} ${CMAKE_CURRENT_LIST_DIR}/${name}.py)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "DCPS_BIN=${CMAKE_BINARY_DIR}/bin")
endforeach()
