foreach(module args evaluation process quote report results run_options run_spec screen stats supervisor table)
  dcps_test(test_cli_${module} LABELS unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cli_${module}.c LINKS dcps_cli m)
endforeach()
dcps_test(test_profile LABELS unit SOURCES unit/test_profile.c support/tape_fixture.c LINKS dcps_cli)
