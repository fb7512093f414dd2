foreach(name bsp_order lambda_zero)
  dcps_test(test_${name} LABELS exactness SOURCES exactness/test_${name}.c LINKS dcps_test_engine ONE_THREAD)
endforeach()
