#include "cli/commands/algorithm_entries.h"

#include <stdio.h>
#include <string.h>

#include "server/engine/algorithm.h"
#include "server/engine/memory.h"

/* What a setting that is no choice between parts adds to plain asgd. */
typedef struct setting {
    const char *name; /* of its flag */
    const char *shown;
    const char *about;
    void (*prepare)(dcps_algorithm *algorithm); /* to what it acts on; NULL: plain asgd */
    void (*add)(dcps_algorithm *algorithm);
} setting;

static void adapt(dcps_algorithm *algorithm)
{
    algorithm->rule.compensation = DCPS_COMPENSATE_DC_A;
    algorithm->rule.lambda = 1.0;
}

static void add_mean_squares(dcps_algorithm *algorithm)
{
    algorithm->rule.mean_square_each_worker = true;
}

static void add_weight_decay(dcps_algorithm *algorithm)
{
    algorithm->rule.weight_decay = 1.0;
}

static void add_cut_off(dcps_algorithm *algorithm)
{
    algorithm->cuts_off = true;
}

static const setting settings[] = {
    {"mean-square", "--mean-square worker", "an s for each worker in the place of one for all (dc-a, dc-b)", adapt,
     add_mean_squares},
    {"weight-decay", "--weight-decay wd", "between compensation and step size, and never part of g*g", NULL,
     add_weight_decay},
    {"max-staleness", "--max-staleness R", "Ringmaster's cut-off (Maranjyan et al. 2025), for asp and ssp", NULL,
     add_cut_off}};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

/* ---- what each entry tells ---- */

/* What an algorithm begins with for one parameter, by its flag. */
static json_t *value_json(const dcps_algorithm *algorithm, const char *flag)
{
    const dcps_rule_config *rule = &algorithm->rule;
    const struct {
        const char *flag;
        double value;
    } numbers[] = {{"lambda", rule->lambda},
                   {"mean-square-decay", rule->mean_square_decay},
                   {"correction-bound", rule->correction_bound},
                   {"adadelay-offset", rule->adadelay_offset},
                   {"momentum", rule->momentum}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].flag, flag) == 0) {
            return json_real(numbers[i].value);
        }
    }
    if (strcmp(flag, "ssp-bound") == 0) {
        return json_integer(algorithm->ssp_bound);
    }
    if (strcmp(flag, "backup-workers") == 0) {
        return json_integer(algorithm->backup_workers);
    }
    if (strcmp(flag, "mean-square") == 0) {
        return json_string(rule->mean_square_each_worker ? "worker" : "all");
    }
    return algorithm->cuts_off ? json_string("twice the workers") : json_null(); /* max-staleness */
}

/* Parameters of one part, NULL: of all. */
static json_t *parameters_json(const dcps_algorithm *algorithm, const char *part)
{
    json_t *made = json_object();
    for (const dcps_algorithm_parameter *known = dcps_algorithm_parameters; known->flag != NULL; known++) {
        if ((part == NULL || strcmp(part, known->part) == 0) && dcps_algorithm_uses(algorithm, known->flag)) {
            (void)json_object_set_new(made, known->flag, value_json(algorithm, known->flag));
        }
    }
    return made;
}

/* What the consistency does, then the stages in their order, without the last `omitted`. */
static json_t *formula_json(const dcps_algorithm *algorithm, const dcps_rule *rule, uint32_t omitted)
{
    json_t *made = json_array();
    const char *line;
    for (uint32_t i = 0; (line = dcps_algorithm_formula(algorithm, i)) != NULL; i++) {
        (void)json_array_append_new(made, json_string(line));
    }
    for (uint32_t i = 0; dcps_rule_stage_formula(rule, i + omitted) != NULL; i++) {
        (void)json_array_append_new(made, json_string(dcps_rule_stage_formula(rule, i)));
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

/* Bytes a parameter on the servers, without workers … */
static int fixed_bytes(const dcps_algorithm *algorithm, const dcps_rule *rule)
{
    return (int)(dcps_memory_copies(algorithm, rule, 0) * sizeof(float));
}

/* … and what each worker adds. */
static int bytes_of_worker(const dcps_algorithm *algorithm, const dcps_rule *rule)
{
    return (int)((dcps_memory_copies(algorithm, rule, 1) - dcps_memory_copies(algorithm, rule, 0)) * sizeof(float));
}

static json_t *algorithm_json(const dcps_algorithm *algorithm, const char *about)
{
    dcps_rule *rule;
    if (dcps_rule_create(&algorithm->rule, &rule) != DCPS_OK) {
        return NULL;
    }
    json_t *parameters = parameters_json(algorithm, NULL);
    (void)json_object_set_new(parameters, "weight-decay", json_real(algorithm->rule.weight_decay));
    json_t *made = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "name", algorithm->name, "about", about, "consistency",
        dcps_consistency_name(algorithm->consistency), "formula", formula_json(algorithm, rule, 0), "parameters",
        parameters, "states", states_json(rule, false), "worker_states", states_json(rule, true), "bytes_per_param",
        fixed_bytes(algorithm, rule), "bytes_per_param_and_worker", bytes_of_worker(algorithm, rule));
    dcps_rule_destroy(&rule);
    return made;
}

/* What `with` has and does that `without`, of plain asgd or little more, does not. */
typedef struct addition {
    const char *name;
    const char *shown; /* as it is typed */
    const char *part;  /* NULL: none */
    const char *about;
    dcps_algorithm without;
    dcps_algorithm with;
} addition;

static json_t *addition_json(const addition *added)
{
    dcps_rule *without;
    dcps_rule *with;
    if (dcps_rule_create(&added->without.rule, &without) != DCPS_OK) {
        return NULL;
    }
    if (dcps_rule_create(&added->with.rule, &with) != DCPS_OK) {
        dcps_rule_destroy(&without);
        return NULL;
    }
    const bool optimizes = added->part != NULL && strcmp(added->part, "optimizer") == 0;
    json_t *made = json_pack(
        "{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "name", added->name, "flag", added->shown, "part",
        added->part, "about", added->about, "formula", formula_json(&added->with, with, optimizes ? 0 : 1),
        "parameters", parameters_json(&added->with, added->part != NULL ? added->part : ""), "states",
        states_json(with, false), "worker_states", states_json(with, true), "adds_bytes_per_param",
        fixed_bytes(&added->with, with) - fixed_bytes(&added->without, without), "adds_bytes_per_param_and_worker",
        bytes_of_worker(&added->with, with) - bytes_of_worker(&added->without, without));
    dcps_rule_destroy(&with);
    dcps_rule_destroy(&without);
    return made;
}

/* ---- the lists ---- */

/* The names asked for. */
typedef struct wish {
    char *const *names;
    int count; /* 0: all */
} wish;

static bool is_wanted(const wish *wanted, const char *name)
{
    bool found = wanted->count == 0;
    for (int i = 0; i < wanted->count; i++) {
        found = found || strcmp(wanted->names[i], name) == 0;
    }
    return found;
}

static dcps_status append(json_t *list, json_t *entry)
{
    return json_array_append_new(list, entry) == 0 ? DCPS_OK
                                                   : dcps_fail(DCPS_NO_MEMORY, "no memory for the list of algorithms");
}

static dcps_status list_algorithms(const wish *wanted, json_t *list)
{
    const dcps_algorithm *algorithm;
    const char *about;
    dcps_status status = DCPS_OK;
    for (uint32_t i = 0; status == DCPS_OK && (algorithm = dcps_algorithm_at(i, &about)) != NULL; i++) {
        if (is_wanted(wanted, algorithm->name)) {
            status = append(list, algorithm_json(algorithm, about));
        }
    }
    return status;
}

/* asgd, and asgd with one part exchanged. */
static dcps_status exchange(const dcps_algorithm_part *part, const char *name, const char *about, addition *made)
{
    dcps_status status = dcps_algorithm_preset("asgd", &made->without);
    made->name = made->shown = name;
    made->part = part->flag;
    made->about = about;
    made->with = made->without;
    return status == DCPS_OK ? part->set(&made->with, name) : status;
}

static dcps_status append_part(const dcps_algorithm_part *part, const char *name, const char *about, json_t *list)
{
    addition made;
    char shown[160];
    dcps_status status = exchange(part, name, about, &made);
    if (status != DCPS_OK) {
        return status;
    }
    (void)snprintf(shown, sizeof(shown), "--%s %s", part->flag, name);
    made.shown = shown;
    return append(list, addition_json(&made));
}

static dcps_status list_parts(const wish *wanted, json_t *list)
{
    dcps_status status = DCPS_OK;
    for (const dcps_algorithm_part *part = dcps_algorithm_parts; part->flag != NULL; part++) {
        for (const dcps_algorithm_choice *choice = part->choices; status == DCPS_OK && choice->name != NULL; choice++) {
            if (is_wanted(wanted, choice->name)) {
                status = append_part(part, choice->name, choice->about, list);
            }
        }
    }
    return status;
}

static dcps_status list_settings(const wish *wanted, json_t *list)
{
    dcps_status status = DCPS_OK;
    for (size_t i = 0; status == DCPS_OK && i < SETTINGS; i++) {
        const setting *one = &settings[i];
        addition made = {.name = one->name, .shown = one->shown, .about = one->about};
        status = dcps_algorithm_preset("asgd", &made.without);
        if (status == DCPS_OK && is_wanted(wanted, one->name)) {
            if (one->prepare != NULL) {
                one->prepare(&made.without);
            }
            made.with = made.without;
            one->add(&made.with);
            status = append(list, addition_json(&made));
        }
    }
    return status;
}

static bool is_chain(const char *name)
{
    return strchr(name, ',') != NULL;
}

static const dcps_algorithm_part *compensations(void)
{
    const dcps_algorithm_part *part = dcps_algorithm_parts;
    while (strcmp(part->flag, "compensation") != 0) {
        part++;
    }
    return part;
}

static dcps_status list_chains(const wish *wanted, json_t *list)
{
    dcps_status status = DCPS_OK;
    for (int i = 0; status == DCPS_OK && i < wanted->count; i++) {
        if (is_chain(wanted->names[i])) {
            status = append_part(compensations(), wanted->names[i], "the second acts on the result of the first", list);
        }
    }
    return status;
}

/* ---- names ---- */

static bool is_part(const char *name)
{
    for (const dcps_algorithm_part *part = dcps_algorithm_parts; part->flag != NULL; part++) {
        for (const dcps_algorithm_choice *choice = part->choices; choice->name != NULL; choice++) {
            if (strcmp(choice->name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_setting(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static dcps_status check_name(const char *name)
{
    dcps_algorithm algorithm;
    if (is_part(name) || is_setting(name)) {
        return DCPS_OK;
    }
    if (is_chain(name)) {
        addition made;
        dcps_status status = exchange(compensations(), name, "", &made);
        return status == DCPS_OK ? dcps_algorithm_check(&made.with, 1) : status;
    }
    dcps_status status = dcps_algorithm_preset(name, &algorithm);
    if (status != DCPS_NOT_FOUND) {
        return status;
    }
    return dcps_fail(DCPS_INVALID,
                     "\"%.64s\" is unknown: choose an algorithm, one of %s; or a part, one of " DCPS_CONSISTENCY_NAMES
                     "|" DCPS_COMPENSATION_NAMES "|" DCPS_STEP_SIZE_NAMES "|" DCPS_OPTIMIZER_NAMES
                     "|mean-square|weight-decay|max-staleness",
                     name, dcps_algorithm_names());
}

/* Symbols of formulas → what sets them. */
static json_t *symbols_json(void)
{
    json_t *made = json_pack("{s:s, s:s, s:s}", "M", "--workers", "eta", "--learning-rate", "wd", "--weight-decay");
    for (const dcps_algorithm_parameter *known = dcps_algorithm_parameters; known->flag != NULL; known++) {
        if (known->symbol != NULL) {
            (void)json_object_set_new(made, known->symbol, json_sprintf("--%s", known->flag));
        }
    }
    return made;
}

dcps_status dcps_algorithm_entries(char *const *names, int count, json_t **document)
{
    const wish wanted = {names, count};
    dcps_status status = DCPS_OK;
    for (int i = 0; status == DCPS_OK && i < count; i++) {
        status = check_name(names[i]);
    }
    if (status != DCPS_OK) {
        return status;
    }
    json_t *algorithms = json_array();
    json_t *parts = json_array();
    status = list_algorithms(&wanted, algorithms);
    status = status == DCPS_OK ? list_parts(&wanted, parts) : status;
    status = status == DCPS_OK ? list_settings(&wanted, parts) : status;
    status = status == DCPS_OK ? list_chains(&wanted, parts) : status;
    json_t *made = json_pack("{s:s, s:o, s:o, s:o}", "schema", "dcps-algorithms/1", "symbols", symbols_json(),
                             "algorithms", algorithms, "parts", parts);
    if (status == DCPS_OK && made == NULL) {
        status = dcps_fail(DCPS_NO_MEMORY, "no memory for the list of algorithms");
    }
    if (status != DCPS_OK) {
        json_decref(made);
        return status;
    }
    *document = made;
    return DCPS_OK;
}
