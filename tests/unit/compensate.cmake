dcps_test(test_rule LABELS unit ONE_THREAD SOURCES unit/test_rule.c LINKS dcps_compensate)
dcps_test(test_algorithm LABELS unit ONE_THREAD SOURCES unit/test_algorithm.c LINKS dcps_server_engine)
dcps_test(test_schedule LABELS unit ONE_THREAD SOURCES unit/test_schedule.c LINKS dcps_server_engine)
