add_library(dcps_test_rules STATIC exactness/rule_reference.c exactness/block_under_test.c exactness/recurrence.c)
target_include_directories(dcps_test_rules PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(dcps_test_rules PRIVATE dcps_warnings PkgConfig::check PUBLIC dcps_compensate m)

foreach(name rule_reference rule_mistakes rule_bits delayed_quadratic recurrences)
  dcps_test(test_${name} LABELS exactness SOURCES exactness/test_${name}.c LINKS dcps_test_rules ONE_THREAD)
endforeach()
