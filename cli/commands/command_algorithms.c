/* dcps algorithms: what there is to choose from, and what each costs. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "cli/commands/algorithm_entries.h"
#include "cli/commands/commands.h"
#include "cli/common/command.h"

#define INDENT_COLUMNS 15u

static const dcps_option algorithms_options[] = {
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print JSON instead of text"},
    {.name = NULL}};

static const dcps_program algorithms_program = {
    .name = "dcps algorithms",
    .summary =
        "Lists the algorithms, and the parts that they are made of: formula, parameters, state and memory. Each\n"
        "algorithm is a choice of consistency, compensation, step size and optimizer, and --consistency,\n"
        "--compensation, --step-size and --optimizer exchange them one by one. NAME is an algorithm, a part, or\n"
        "two compensations with a comma between them.",
    .arguments = "[NAME…]",
    .options = algorithms_options};

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static void print_formula(const json_t *entry)
{
    const json_t *lines = json_object_get(entry, "formula");
    for (size_t i = 0; i < json_array_size(lines); i++) {
        dcps_print_wrapped(stdout, INDENT_COLUMNS, i == 0 ? "  formula" : "",
                           json_string_value(json_array_get(lines, i)));
    }
}

/* "--lambda 2"; where there is no number to give, in brackets what is done without. */
static int put_parameter(char *out, size_t capacity, const char *flag, const json_t *value)
{
    if (json_is_number(value)) {
        return snprintf(out, capacity, "--%s %g", flag, json_number_value(value));
    }
    bool open = json_is_null(value) || strchr(json_string_value(value), ' ') != NULL;
    return snprintf(out, capacity, open ? "--%s (%s)" : "--%s %s", flag,
                    json_is_null(value) ? "none" : json_string_value(value));
}

static void print_parameters(const json_t *entry)
{
    char text[512];
    size_t used = 0;
    const char *flag;
    json_t *value;
    json_object_foreach(json_object_get(entry, "parameters"), flag, value)
    {
        char one[96];
        (void)put_parameter(one, sizeof(one), flag, value);
        int added = snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? ", " : "", one);
        used += added > 0 && used + (size_t)added < sizeof(text) ? (size_t)added : 0;
    }
    if (used > 0) {
        dcps_print_wrapped(stdout, INDENT_COLUMNS, "  parameters", text);
    }
}

static size_t print_states(const json_t *states, const char *whose)
{
    for (size_t i = 0; i < json_array_size(states); i++) {
        (void)printf("%s%s%s", i == 0 ? "" : ", ", json_string_value(json_array_get(states, i)), whose);
    }
    return json_array_size(states);
}

static void print_entry(const json_t *entry)
{
    print_formula(entry);
    print_parameters(entry);
    (void)printf("%-*s", (int)INDENT_COLUMNS, "  state");
    size_t count = print_states(json_object_get(entry, "states"), "");
    if (count > 0 && json_array_size(json_object_get(entry, "worker_states")) > 0) {
        (void)fputs(", ", stdout);
    }
    count += print_states(json_object_get(entry, "worker_states"), " of each worker");
    (void)puts(count == 0 ? "none" : "");
}

/* "12 + 4*M bytes a parameter", "4*M - 4 …", "4*M …", "nothing". */
static void put_bytes(char *out, size_t capacity, int fixed, int each)
{
    if (each == 0 && fixed == 0) {
        (void)snprintf(out, capacity, "nothing");
    } else if (each == 0) {
        (void)snprintf(out, capacity, "%d bytes a parameter", fixed);
    } else if (fixed == 0) {
        (void)snprintf(out, capacity, "%d*M bytes a parameter", each);
    } else if (fixed < 0) {
        (void)snprintf(out, capacity, "%d*M - %d bytes a parameter", each, -fixed);
    } else {
        (void)snprintf(out, capacity, "%d + %d*M bytes a parameter", fixed, each);
    }
}

static void print_memory(const json_t *entry, const char *head, const char *fixed, const char *each)
{
    char text[64];
    put_bytes(text, sizeof(text), (int)json_integer_value(json_object_get(entry, fixed)),
              (int)json_integer_value(json_object_get(entry, each)));
    (void)printf("%-*s%s\n", (int)INDENT_COLUMNS, head, text);
}

static void print_algorithms(const json_t *list)
{
    size_t index;
    json_t *entry;
    char title[64];
    json_array_foreach(list, index, entry)
    {
        (void)snprintf(title, sizeof(title), "%s: ", text_of(entry, "name"));
        (void)puts("");
        dcps_print_wrapped(stdout, 2, title, text_of(entry, "about"));
        (void)printf("%-*s%s\n", (int)INDENT_COLUMNS, "  consistency", text_of(entry, "consistency"));
        print_entry(entry);
        print_memory(entry, "  memory", "bytes_per_param", "bytes_per_param_and_worker");
    }
}

static void print_parts(const json_t *list)
{
    size_t index;
    json_t *entry;
    char title[192];
    json_array_foreach(list, index, entry)
    {
        (void)snprintf(title, sizeof(title), "%s: ", text_of(entry, "flag"));
        (void)puts("");
        dcps_print_wrapped(stdout, 2, title, text_of(entry, "about"));
        print_entry(entry);
        print_memory(entry, "  adds", "adds_bytes_per_param", "adds_bytes_per_param_and_worker");
    }
}

static void print_legend(json_t *symbols)
{
    const char *symbol;
    json_t *flag;
    unsigned column = 0;
    int gap = 0;
    dcps_print_wrapped(
        stdout, 0, "",
        "g: the pushed gradient; w: the weights; w_bak: those that its worker was sent; tau: updates between "
        "the two; t: updates before this one. Each line acts on the g of the line before. eta is that of its "
        "schedule at this update, eta_max the largest of the schedule. Memory is that of the servers.");
    json_object_foreach(symbols, symbol, flag)
    {
        if (column % 3u == 0) {
            (void)fputs("\n  ", stdout);
        } else {
            (void)printf("%*s", gap, "");
        }
        gap = 30 - printf("%-7s%s", symbol, json_string_value(flag)); /* columns are that wide */
        column++;
    }
    (void)puts("");
}

static void print_text(const json_t *document)
{
    const json_t *algorithms = json_object_get(document, "algorithms");
    const json_t *parts = json_object_get(document, "parts");
    print_legend(json_object_get(document, "symbols"));
    print_algorithms(algorithms);
    if (json_array_size(algorithms) > 0 && json_array_size(parts) > 0) {
        (void)puts("");
        dcps_print_wrapped(
            stdout, 0, "",
            "Parts, which exchange those of an algorithm, and what each adds to asgd. Of compensations there may "
            "be two, a dc-... and gap-aware in the order in which they act: dcps algorithms dc-b,gap-aware.");
    }
    print_parts(parts);
}

static dcps_status list_entries(int count, char **names, bool as_json)
{
    json_t *document;
    dcps_status status = dcps_algorithm_entries(names, count, &document);
    if (status != DCPS_OK) {
        return status;
    }
    if (as_json) {
        (void)json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        (void)fputc('\n', stdout);
    } else {
        print_text(document);
    }
    json_decref(document);
    return DCPS_OK;
}

int dcps_command_algorithms(int argc, char **argv)
{
    dcps_options *options = NULL;
    int first;
    int code = 0;
    if (!dcps_command_parse(&algorithms_program, argc, argv, &options, &first, &code)) {
        return code;
    }
    dcps_status status = list_entries(argc - first, argv + first, dcps_options_flag(options, "json"));
    dcps_options_destroy(&options);
    return dcps_command_code(status, false);
}
