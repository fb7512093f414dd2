#include "cli/run/sim_child.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/exit_code.h"
#include "cli/common/line_reader.h"

/* A result with curves and histograms of a thousand workers is far smaller. */
#define DCPS_MOST_LINE_BYTES (64u << 20)

static void take_progress(dcps_sim_child *child, json_t *progress)
{
    json_t *samples = json_object_get(progress, "samples");
    json_t *of = json_object_get(progress, "of");
    if (!json_is_number(samples) || !json_is_number(of) || !(json_number_value(of) > 0.0)) {
        (void)snprintf(child->fault, sizeof(child->fault), "it printed progress without samples and of");
        return;
    }
    double share = json_number_value(samples) / json_number_value(of);
    child->share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
}

static void take_object(dcps_sim_child *child, json_t *object)
{
    json_t *progress = json_object_get(object, "progress");
    if (child->answer != NULL) {
        (void)snprintf(child->fault, sizeof(child->fault), "it printed something after its result");
    } else if (progress != NULL) {
        take_progress(child, progress);
    } else if (json_is_object(json_object_get(object, "run"))) {
        child->answer = json_incref(object);
    } else {
        (void)snprintf(child->fault, sizeof(child->fault), "it printed an object with neither progress nor run");
    }
}

static void take_line(dcps_sim_child *child)
{
    json_error_t error;
    json_t *object = json_loadb(child->line, child->line_bytes, JSON_REJECT_DUPLICATES, &error);
    if (object != NULL) {
        take_object(child, object);
        json_decref(object);
    } else if (child->fault[0] == '\0') {
        (void)snprintf(child->fault, sizeof(child->fault), "it printed '%.80s', which is no JSON: %.100s",
                       child->line_bytes > 0 ? child->line : "", error.text);
    }
    child->line_bytes = 0;
}

static void append(dcps_sim_child *child, const char *piece, size_t bytes)
{
    size_t needed = child->line_bytes + bytes + 1;
    if (needed > DCPS_MOST_LINE_BYTES) {
        (void)snprintf(child->fault, sizeof(child->fault), "it printed a line of more than %u bytes",
                       DCPS_MOST_LINE_BYTES);
        child->line_bytes = 0;
        return;
    }
    if (needed > child->line_capacity) {
        size_t capacity = needed < 4096 ? 8192 : 2 * needed;
        char *larger = dcps_realloc(child->line, capacity, 1);
        if (larger == NULL) {
            (void)snprintf(child->fault, sizeof(child->fault), "no memory for its result");
            return;
        }
        child->line = larger;
        child->line_capacity = capacity;
    }
    memcpy(child->line + child->line_bytes, piece, bytes);
    child->line_bytes += bytes;
    child->line[child->line_bytes] = '\0';
}

static void hear(void *context, dcps_process *process, dcps_stream stream, const char *text)
{
    dcps_sim_child *child = context;
    if (stream == DCPS_STREAM_ERR) {
        dcps_screen_print(child->screen, "%s: %s", dcps_process_name(process), text);
        return;
    }
    size_t bytes = strlen(text);
    append(child, text, bytes);
    if (bytes < DCPS_LINE_READER_BYTES) {
        take_line(child);
    }
}

dcps_status dcps_sim_child_start(dcps_sim_child *child, dcps_supervisor *supervisor, dcps_screen *screen,
                                 const char *name, const char *program, const dcps_args *args)
{
    dcps_args all = {0};
    *child = (dcps_sim_child){.screen = screen};
    dcps_args_add(&all, "%s", program);
    dcps_args_append(&all, args);
    dcps_status status = dcps_args_check(&all);
    if (status == DCPS_OK) {
        const dcps_process_config config = {.name = name, .argv = all.items, .line = hear, .context = child};
        status = dcps_supervisor_start(supervisor, &config, &child->process);
    }
    dcps_args_fini(&all);
    return status;
}

bool dcps_sim_child_ended(const dcps_sim_child *child)
{
    return child->process != NULL && !dcps_process_running(child->process);
}

/* Its last words, if it had any, without what its log puts before them. */
static const char *last_words(const dcps_process *process)
{
    static const char mark[] = " error: ";
    const char *last = NULL;
    for (size_t i = 0; dcps_process_tail(process, i) != NULL; i++) {
        last = dcps_process_tail(process, i);
    }
    const char *error = last != NULL ? strstr(last, mark) : NULL;
    return error != NULL ? error + strlen(mark) : last;
}

dcps_status dcps_sim_child_take(dcps_sim_child *child, json_t **answer)
{
    char ending[64];
    int ended = dcps_process_exit_status(child->process);
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        const char *words = last_words(child->process);
        bool usage = WIFEXITED(ended) && WEXITSTATUS(ended) == DCPS_EXIT_BAD_USAGE;
        return dcps_fail(usage ? DCPS_INVALID : DCPS_SYSTEM, "the simulation %s%s%s",
                         dcps_process_ending(child->process, ending, sizeof(ending)), words != NULL ? ": " : "",
                         words != NULL ? words : "");
    }
    if (child->fault[0] != '\0') {
        return dcps_fail(DCPS_CORRUPT, "the simulation is not to be trusted: %s", child->fault);
    }
    if (child->answer == NULL) {
        return dcps_fail(DCPS_CORRUPT, "the simulation ended without a result");
    }
    *answer = child->answer;
    child->answer = NULL;
    return DCPS_OK;
}

void dcps_sim_child_fini(dcps_sim_child *child, dcps_supervisor *supervisor)
{
    dcps_supervisor_forget(supervisor, &child->process);
    json_decref(child->answer);
    dcps_free(child->line);
    *child = (dcps_sim_child){.process = NULL};
}
