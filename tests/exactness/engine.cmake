foreach(name bsp_order lambda_zero)
  dcps_test(test_${name} LABELS exactness SOURCES exactness/test_${name}.c LINKS dcps_test_engine ONE_THREAD)
endforeach()
dcps_test(test_engine_recurrences LABELS exactness SOURCES exactness/test_engine_recurrences.c LINKS dcps_test_engine dcps_test_rules ONE_THREAD)
