# Lints look at the sources, and some at this build. /usr/bin/python3 is enough: they use its standard library alone.
find_program(DCPS_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT DCPS_PYTHON)
  set(DCPS_PYTHON python3)
endif()

dcps_script_test(lint_selftest LABELS lint COMMAND ${DCPS_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/selftest.py)
foreach(check includes banned sizes words)
  dcps_script_test(lint_${check} LABELS lint COMMAND ${DCPS_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/lint.py ${check})
endforeach()
foreach(check format headers scripts presets symbols rooms)
  dcps_script_test(lint_${check} LABELS lint
    COMMAND ${DCPS_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/tools.py ${check} --build ${CMAKE_BINARY_DIR})
endforeach()
dcps_script_test(lint_tidy LABELS lint TIMEOUT 600
  COMMAND ${DCPS_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/tools.py tidy --build ${CMAKE_BINARY_DIR})
