#include "dcps/worker.h"

int main(int argc, char **argv)
{
    return dcps_worker_main(argc, argv);
}
