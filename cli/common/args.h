/* A growing argument list for a program to be started. Failures stick, so that callers check once. Single-threaded. */
#ifndef DCPS_CLI_ARGS_H
#define DCPS_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "dcps/status.h"

/* `items` is ended by NULL once anything was added. All zero is an empty list. */
typedef struct dcps_args {
    char **items;
    size_t count;
    size_t capacity;
    bool failed;
} dcps_args;

/* Appends one argument. */
void dcps_args_add(dcps_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends "--name" and "value". */
void dcps_args_add_flag(dcps_args *args, const char *name, const char *value);
/* Appends copies of all arguments of `other`. */
void dcps_args_append(dcps_args *args, const dcps_args *other);
/* DCPS_NO_MEMORY if any addition so far failed. */
DCPS_MUST_CHECK dcps_status dcps_args_check(const dcps_args *args);
void dcps_args_fini(dcps_args *args);

#endif
