/* One child process: started in a group of its own, its output taken line by line, never outliving its parent. Single-threaded. */
#ifndef DCPS_CLI_PROCESS_H
#define DCPS_CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/common/line_reader.h"
#include "dcps/status.h"

#define DCPS_PROCESS_TAIL_LINES 8u
#define DCPS_PROCESS_LINE_BYTES DCPS_LINE_READER_BYTES /* longer lines arrive in pieces, of which the last is shorter */

typedef struct dcps_process dcps_process;

typedef enum dcps_stream { DCPS_STREAM_OUT = 1, DCPS_STREAM_ERR } dcps_stream;

/* One line without its line feed; control characters have become '?'. Must not destroy the process. */
typedef void (*dcps_process_line_fn)(void *context, dcps_process *process, dcps_stream stream, const char *line);

typedef struct dcps_process_config {
    const char *name;          /* "worker 2"; copied */
    char *const *argv;         /* ended by NULL; argv[0] is the path of the program */
    dcps_process_line_fn line; /* may be NULL */
    void *context;
} dcps_process_config;

/* Starts it with empty standard input, default signal handling, SIGKILL when the parent dies, and of the variables DCPS_* none but DCPS_MODELS; threads of a
 * child wait briefly before they sleep, unless GOMP_SPINCOUNT or OMP_WAIT_POLICY says otherwise. Errors: DCPS_NOT_FOUND (no such program), DCPS_SYSTEM,
 * DCPS_NO_MEMORY. */
DCPS_MUST_CHECK dcps_status dcps_process_start(const dcps_process_config *config, dcps_process **process);
/* Kills its whole group and reaps it if it still runs. */
void dcps_process_destroy(dcps_process **process);

/* Hands on the lines that have arrived, then looks whether it has ended; returns false from then on. Never blocks. */
bool dcps_process_poll(dcps_process *process);
bool dcps_process_running(const dcps_process *process);
/* Sends a signal to its group; nothing if it has ended. */
void dcps_process_signal(dcps_process *process, int signal_number);

const char *dcps_process_name(const dcps_process *process);
/* As waitpid tells it; of an ended process only. */
int dcps_process_exit_status(const dcps_process *process);
/* "exited with code 1", "was killed by signal 9 (Killed)", into out[capacity]. Returns out. */
const char *dcps_process_ending(const dcps_process *process, char *out, size_t capacity);
/* The `index`-th of the last lines of its standard error, oldest first; NULL beyond the last. */
const char *dcps_process_tail(const dcps_process *process, size_t index);

/* Descriptors of its output for a poll set; -1 once closed. */
int dcps_process_fd(const dcps_process *process, dcps_stream stream);

#endif
