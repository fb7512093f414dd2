#include "cli/common/args.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

static void args_take(dcps_args *args, char *text)
{
    if (args->count + 2 > args->capacity) {
        size_t capacity = args->capacity == 0 ? 16 : args->capacity * 2;
        char **items = dcps_realloc(args->items, capacity, sizeof(char *));
        if (items == NULL) {
            args->failed = true;
            dcps_free(text);
            return;
        }
        args->items = items;
        args->capacity = capacity;
    }
    args->items[args->count++] = text;
    args->items[args->count] = NULL;
}

void dcps_args_add(dcps_args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    char *text = length < 0 ? NULL : dcps_alloc((size_t)length + 1, 1);
    if (text == NULL) {
        args->failed = true;
        return;
    }
    va_start(list, format);
    (void)vsnprintf(text, (size_t)length + 1, format, list);
    va_end(list);
    args_take(args, text);
}

void dcps_args_add_flag(dcps_args *args, const char *name, const char *value)
{
    dcps_args_add(args, "--%s", name);
    dcps_args_add(args, "%s", value);
}

void dcps_args_append(dcps_args *args, const dcps_args *other)
{
    for (size_t i = 0; i < other->count; i++) {
        dcps_args_add(args, "%s", other->items[i]);
    }
    args->failed = args->failed || other->failed;
}

dcps_status dcps_args_check(const dcps_args *args)
{
    return args->failed ? dcps_fail(DCPS_NO_MEMORY, "no memory for a program's arguments") : DCPS_OK;
}

void dcps_args_fini(dcps_args *args)
{
    for (size_t i = 0; i < args->count; i++) {
        dcps_free(args->items[i]);
    }
    dcps_free(args->items);
    *args = (dcps_args){0};
}
