# The seeds are an idx file of labels, one of images, and one and two records of CIFAR-10; plain, gzip, xz, and in two streams.
if(TARGET dcps_worker)
  dcps_fuzz_target(fuzz_data_files
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_data_files.c
    LINKS dcps_worker
    CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/data_files)
endif()
