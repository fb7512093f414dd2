dcps_test(test_world LABELS sim SOURCES sim/test_world.c LINKS dcps_sim TIMEOUT 300)
