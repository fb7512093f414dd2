#include "base/streams.h"

#include <fcntl.h>
#include <signal.h>
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

void dcps_ignore_write_signals(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}
