# The seeds are lists of runs, with and without settings of their own, and sweeps for all and for some of them.
dcps_fuzz_target(fuzz_run_names
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_run_names.c
  LINKS dcps_cli
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/run_names)
