dcps_test(test_bench LABELS unit SOURCES unit/test_bench.c LINKS dcps_cli)
