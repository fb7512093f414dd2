dcps_test(test_world LABELS sim ONE_THREAD SOURCES sim/test_world.c LINKS dcps_sim TIMEOUT 300)
dcps_test(test_step_times LABELS sim ONE_THREAD SOURCES sim/test_step_times.c LINKS dcps_sim m)
dcps_test(test_world_trace LABELS sim ONE_THREAD SOURCES sim/test_world_trace.c support/temp_folder.c LINKS dcps_sim dcps_dep_zlib TIMEOUT 300)
dcps_test(test_probe LABELS sim ONE_THREAD SOURCES sim/test_probe.c LINKS dcps_sim m)
