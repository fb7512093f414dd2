/* dcps algorithms: what there is to choose from, and what each costs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/commands.h"
#include "server/engine/algorithm.h"

static const dcps_option algorithms_options[] = {
    {.name = "json", .type = DCPS_OPTION_FLAG, .default_text = "false", .help = "Print JSON instead of text"},
    {.name = NULL}};

static const dcps_program algorithms_program = {
    .name = "dcps algorithms",
    .summary = "Lists the algorithms: formula, parameters, state and memory. Each is a choice of consistency,\n"
               "compensation, step size and optimizer, and --consistency, --compensation, --step-size and --optimizer\n"
               "exchange them one by one.",
    .arguments = "[NAME…]",
    .options = algorithms_options};

/* Adds what the algorithm begins with for one parameter, where that has an effect. */
static void add_number(json_t *parameters, const dcps_algorithm *algorithm, const char *flag, double value)
{
    if (dcps_algorithm_uses(algorithm, flag)) {
        (void)json_object_set_new(parameters, flag, json_real(value));
    }
}

static void add_count(json_t *parameters, const dcps_algorithm *algorithm, const char *flag, uint64_t value)
{
    if (dcps_algorithm_uses(algorithm, flag)) {
        (void)json_object_set_new(parameters, flag, json_integer((json_int_t)value));
    }
}

static json_t *parameters_json(const dcps_algorithm *algorithm)
{
    const dcps_rule_config *rule = &algorithm->rule;
    json_t *made = json_object();
    add_count(made, algorithm, "backup-workers", algorithm->backup_workers);
    add_count(made, algorithm, "ssp-bound", algorithm->ssp_bound);
    if (algorithm->cuts_off) {
        (void)json_object_set_new(made, "max-staleness", json_string("twice the workers"));
    }
    add_number(made, algorithm, "lambda", rule->lambda);
    add_number(made, algorithm, "mean-square-decay", rule->mean_square_decay);
    if (dcps_algorithm_uses(algorithm, "mean-square")) {
        (void)json_object_set_new(made, "mean-square", json_string(rule->mean_square_each_worker ? "worker" : "all"));
    }
    add_number(made, algorithm, "correction-bound", rule->correction_bound);
    add_number(made, algorithm, "adadelay-offset", rule->adadelay_offset);
    add_number(made, algorithm, "momentum", rule->momentum);
    (void)json_object_set_new(made, "weight-decay", json_real(rule->weight_decay));
    return made;
}

static json_t *formula_json(const dcps_rule *rule)
{
    json_t *made = json_array();
    const char *formula;
    for (uint32_t i = 0; (formula = dcps_rule_stage_formula(rule, i)) != NULL; i++) {
        (void)json_array_append_new(made, json_string(formula));
    }
    return made;
}

static json_t *states_json(const dcps_rule *rule, bool of_worker)
{
    json_t *made = json_array();
    const uint32_t count = of_worker ? dcps_rule_worker_state_count(rule) : dcps_rule_state_count(rule);
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(
            made, json_string(of_worker ? dcps_rule_worker_state_name(rule, i) : dcps_rule_state_name(rule, i)));
    }
    return made;
}

/* Bytes a parameter on the servers: the weights, their snapshot, another where answers look ahead, the states; and for each worker what it pulled, or in a
 * synchronous round its gradient, and its states. */
static json_t *algorithm_json(const dcps_algorithm *algorithm, const char *about)
{
    dcps_rule *rule;
    if (dcps_rule_create(&algorithm->rule, &rule) != DCPS_OK) {
        return NULL;
    }
    const uint32_t fixed = 2u + (dcps_rule_looks_ahead(rule) ? 1u : 0u) + dcps_rule_state_count(rule);
    const uint32_t each = 1u + dcps_rule_worker_state_count(rule);
    json_t *made = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "name", algorithm->name, "about", about,
                             "consistency", dcps_consistency_name(algorithm->consistency), "formula",
                             formula_json(rule), "parameters", parameters_json(algorithm), "states",
                             states_json(rule, false), "worker_states", states_json(rule, true), "bytes_per_param",
                             (int)(fixed * sizeof(float)), "bytes_per_param_and_worker", (int)(each * sizeof(float)));
    dcps_rule_destroy(&rule);
    return made;
}

static void print_states(const json_t *entry)
{
    const json_t *states = json_object_get(entry, "states");
    const json_t *of_workers = json_object_get(entry, "worker_states");
    const size_t count = json_array_size(states);
    const size_t total = count + json_array_size(of_workers);
    (void)fputs("  state        ", stdout);
    for (size_t i = 0; i < total; i++) {
        const json_t *name = i < count ? json_array_get(states, i) : json_array_get(of_workers, i - count);
        (void)printf("%s%s%s", i > 0 ? ", " : "", json_string_value(name), i < count ? "" : " of each worker");
    }
    (void)puts(total == 0 ? "none" : "");
}

static void print_parameters(const json_t *entry)
{
    const char *flag;
    json_t *value;
    const char *separator = "  parameters   ";
    json_object_foreach(json_object_get(entry, "parameters"), flag, value)
    {
        if (json_is_string(value)) {
            (void)printf("%s--%s %s", separator, flag, json_string_value(value));
        } else {
            (void)printf("%s--%s %g", separator, flag, json_number_value(value));
        }
        separator = ", ";
    }
    (void)puts("");
}

static void print_text(const json_t *list)
{
    size_t index;
    json_t *entry;
    (void)puts(
        "g: the pushed gradient; w: the weights; w_bak: those that its worker was sent; eta: the learning rate;\n"
        "tau: updates between the two; t: updates so far. Stages act in the order shown; weight decay, where there\n"
        "is any, adds wd*w to g after the compensation. Memory is that of the servers, with M workers.");
    json_array_foreach(list, index, entry)
    {
        const json_t *formula = json_object_get(entry, "formula");
        (void)printf("\n%s: %s\n  consistency  %s\n", json_string_value(json_object_get(entry, "name")),
                     json_string_value(json_object_get(entry, "about")),
                     json_string_value(json_object_get(entry, "consistency")));
        for (size_t i = 0; i < json_array_size(formula); i++) {
            (void)printf("  %-11s  %s\n", i == 0 ? "formula" : "", json_string_value(json_array_get(formula, i)));
        }
        print_parameters(entry);
        print_states(entry);
        (void)printf("  memory       %d + %d*M bytes a parameter\n",
                     (int)json_integer_value(json_object_get(entry, "bytes_per_param")),
                     (int)json_integer_value(json_object_get(entry, "bytes_per_param_and_worker")));
    }
}

static bool is_wanted(const char *name, int count, char **names)
{
    bool wanted = count == 0;
    for (int i = 0; i < count; i++) {
        wanted = wanted || strcmp(names[i], name) == 0;
    }
    return wanted;
}

static dcps_status check_names(int count, char **names)
{
    dcps_status status = DCPS_OK;
    for (int i = 0; status == DCPS_OK && i < count; i++) {
        dcps_algorithm algorithm;
        status = dcps_algorithm_preset(names[i], &algorithm);
    }
    return status == DCPS_NOT_FOUND ? DCPS_INVALID : status; /* a matter of usage */
}

static dcps_status list_algorithms(int count, char **names, bool as_json)
{
    dcps_status status = check_names(count, names);
    if (status != DCPS_OK) {
        return status;
    }
    json_t *list = json_array();
    const dcps_algorithm *algorithm;
    const char *about;
    for (uint32_t i = 0; (algorithm = dcps_algorithm_at(i, &about)) != NULL; i++) {
        if (is_wanted(algorithm->name, count, names) &&
            json_array_append_new(list, algorithm_json(algorithm, about)) != 0) {
            json_decref(list);
            return dcps_fail(DCPS_NO_MEMORY, "no memory for the list of algorithms");
        }
    }
    if (as_json) {
        json_t *document = json_pack("{s:s, s:O}", "schema", "dcps-algorithms/1", "algorithms", list);
        (void)json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        (void)fputc('\n', stdout);
        json_decref(document);
    } else {
        print_text(list);
    }
    json_decref(list);
    return fflush(stdout) == 0 ? DCPS_OK : dcps_fail(DCPS_IO, "cannot write to standard output: %s", strerror(errno));
}

int dcps_command_algorithms(int argc, char **argv)
{
    dcps_options *options = NULL;
    int first;
    int code = 0;
    if (!dcps_command_parse(&algorithms_program, argc, argv, &options, &first, &code)) {
        return code;
    }
    dcps_status status = list_algorithms(argc - first, argv + first, dcps_options_flag(options, "json"));
    dcps_options_destroy(&options);
    return dcps_command_code(status, false);
}
