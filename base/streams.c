#include "base/streams.h"

#include <fcntl.h>
#include <unistd.h>

void dcps_open_standard_streams(void)
{
    int descriptor;
    do {
        descriptor = open("/dev/null", O_RDWR); /* the lowest number that is free */
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor > STDERR_FILENO) {
        close(descriptor);
    }
}
