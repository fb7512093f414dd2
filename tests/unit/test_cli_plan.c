/* What a comparison runs, in which order, and what its trials choose. Trials get results here that were made up. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/options.h"
#include "cli/compare/plan.h"
#include "cli/compare/plan_clock.h"
#include "cli/settings/run_options.h"
#include "support/check_main.h"

#define MOST_ARGUMENTS 32

/* `line`: words with single blanks between them. */
static dcps_options *parse(const char *line)
{
    static char text[1024];
    static char *argv[MOST_ARGUMENTS];
    const dcps_program program = {.name = "test", .summary = "s", .options = dcps_compare_options};
    dcps_options *options = NULL;
    int argc = 0;
    int positional = 0;
    dcps_parse_outcome outcome;
    (void)snprintf(text, sizeof(text), "compare %s", line);
    for (char *word = strtok(text, " "); word != NULL && argc < MOST_ARGUMENTS; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    ck_assert_msg(dcps_options_parse(&program, argc, argv, &options, &positional, &outcome) == DCPS_OK, "%s",
                  dcps_error_message());
    return options;
}

static dcps_plan *plan_of(dcps_options *options)
{
    dcps_plan *plan = NULL;
    ck_assert_msg(dcps_plan_create(options, &plan) == DCPS_OK, "%s", dcps_error_message());
    return plan;
}

static const dcps_model_facts holding = {.train_samples = 60000, .holds_out = true};

/* A result with this validation error and training loss. */
static json_t *result_of(double error, double loss)
{
    json_t *metrics = json_pack("{s:f}", "validation_error", error);
    json_t *point = json_pack("{s:f, s:f, s:o, s:O}", "epoch", 1.0, "seconds", 1.0, "train_loss",
                              isfinite(loss) ? json_real(loss) : json_null(), "metrics", metrics);
    json_t *result = json_pack("{s:s, s:i, s:i, s:i, s:i, s:o, s:O, s:{}, s:[o]}", "algorithm", "asgd", "workers", 2,
                               "seed", 1, "epochs", 1, "samples", 600, "train_loss", json_real(1.0), "metrics", metrics,
                               "staleness", "curve", point);
    json_decref(metrics);
    ck_assert_ptr_nonnull(result);
    return result;
}

static void check_titles(const dcps_plan *plan, const char *const *titles, uint32_t count)
{
    char title[256];
    ck_assert_uint_eq(plan->run_count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_str_eq(dcps_plan_title(plan, i, title, sizeof(title)), titles[i]);
    }
}

/* Seed by seed, so that an interrupted comparison has pairs. */
START_TEST(test_runs_without_a_sweep)
{
    static const char *const titles[] = {"sgd@1 seed 7", "asgd@2 seed 7", "sgd@1 seed 8", "asgd@2 seed 8"};
    dcps_options *options = parse("--runs sgd@1,asgd@2 --seeds 2 --seed 7");
    dcps_plan *plan = plan_of(options);
    check_titles(plan, titles, 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(dcps_plan_next(plan), i);
        dcps_plan_start(plan, i, 1);
    }
    ck_assert_uint_eq(dcps_plan_next(plan), plan->run_count);
    dcps_plan_finish(plan, 2, result_of(0.1, 1.0));
    dcps_plan_fail(plan, 3, NULL);
    dcps_plan_stop(plan); /* what runs will have to run again */
    ck_assert_uint_eq(dcps_plan_count(plan, DCPS_PLAN_READY), 2);
    ck_assert_uint_eq(dcps_plan_ended(plan), 2);
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_trials_choose)
{
    static const char *const titles[] = {"asgd@2 learning-rate=0.2", "asgd@2 learning-rate=0.1",
                                         "asgd@2 learning-rate=0.4", "asgd@2 seed 1", "asgd@2 seed 2"};
    dcps_options *options = parse("--runs asgd@2 --seeds 2 --sweep learning-rate=0.2:0.1:0.4,lambda=1:2 --epochs 9 "
                                  "--decay-epochs 6,8 --tune-epochs 4 --tune-decay-epochs 2,3.5 --validation 100");
    dcps_plan *plan = plan_of(options);
    dcps_run_spec spec;
    check_titles(plan, titles, 5);
    ck_assert_int_eq(dcps_plan_hold_out(plan, &holding), DCPS_OK);
    ck_assert_uint_eq(plan->runs[0].seed, 1000001);
    ck_assert_double_eq(plan->runs[0].epochs, 4.0);
    ck_assert_double_eq(plan->runs[3].epochs, 9.0);
    ck_assert_int_eq(dcps_plan_spec(plan, 2, &spec), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "learning-rate")->value, "0.4");
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "epochs")->value, "4");
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "decay-epochs")->value, "2,3.5");
    ck_assert(spec.validation);
    ck_assert_uint_eq(spec.hold_out, 100);
    /* Equal errors: the smaller learning rate. */
    dcps_plan_finish(plan, 0, result_of(0.25, 1.0));
    dcps_plan_finish(plan, 1, result_of(0.25, 1.0));
    ck_assert_int_eq(plan->runs[3].state, DCPS_PLAN_BLOCKED);
    dcps_plan_finish(plan, 2, result_of(0.125, (double)NAN)); /* the best error, of a run that diverged */
    ck_assert_int_eq(plan->runs[3].state, DCPS_PLAN_READY);
    ck_assert_int_eq(dcps_plan_spec(plan, 3, &spec), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "learning-rate")->value, "0.1");
    ck_assert_ptr_null(dcps_overrides_find(&spec.overrides, "epochs"));
    ck_assert_ptr_null(dcps_overrides_find(&spec.overrides, "decay-epochs"));
    ck_assert(!spec.validation);
    ck_assert_uint_eq(spec.hold_out, 0);
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

/* By the mean over seeds, not by the luckiest of them. */
START_TEST(test_choice_by_mean)
{
    static const double errors[] = {0.1, 0.4, 0.2, 0.2};
    dcps_options *options = parse("--runs asgd@2 --sweep learning-rate=0.1:0.2 --tune-seeds 2 --validation 100");
    dcps_plan *plan = plan_of(options);
    dcps_trial_score score;
    ck_assert_int_eq(dcps_plan_score(plan, &plan->entries[0], 0, &score), DCPS_NOT_FOUND);
    for (uint32_t i = 0; i < 4; i++) {
        dcps_plan_finish(plan, i, result_of(errors[i], 1.0));
    }
    ck_assert_uint_eq(plan->entries[0].point, 1);
    ck_assert_int_eq(dcps_plan_score(plan, &plan->entries[0], 0, &score), DCPS_OK);
    ck_assert_str_eq(score.metric, "validation_error");
    ck_assert_double_eq_tol(score.error.mean, 0.25, 1e-12);
    ck_assert_double_eq_tol(score.error.standard_error, 0.15, 1e-12);
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_nothing_to_choose_from)
{
    dcps_options *options = parse("--runs asgd@2,ssgd@2 --sweep learning-rate=0.1:0.2 --validation 100");
    dcps_plan *plan = plan_of(options);
    dcps_plan_finish(plan, 0, result_of(0.1, 1.0));
    dcps_plan_fail(plan, 1, NULL);
    dcps_plan_finish(plan, 2, result_of(0.1, (double)NAN));
    dcps_plan_finish(plan, 3, result_of(0.1, (double)NAN));
    ck_assert_uint_eq(dcps_plan_count(plan, DCPS_PLAN_SKIPPED), 2);
    ck_assert_ptr_nonnull(strstr(plan->entries[0].refusal, "1 of its 2 trials failed"));
    ck_assert_ptr_nonnull(strstr(plan->entries[1].refusal, "diverged"));
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

/* One value for each option: nothing to try. Options that a rule does not know are not its. */
START_TEST(test_what_fits_a_rule)
{
    dcps_options *options = parse("--runs sgd@1,dc-asgd-a@2,asgd+optimizer=momentum@2 --sweep "
                                  "lambda=3,momentum=0.5:0.6 --mean-square-decay 0.5 --validation 100");
    dcps_plan *plan = plan_of(options);
    dcps_run_spec spec;
    ck_assert_uint_eq(plan->entries[0].sweep.count, 0);
    ck_assert_uint_eq(plan->entries[1].sweep.count, 1);
    ck_assert(!plan->entries[1].tuned);
    ck_assert_uint_eq(plan->entries[1].trials, 0);
    ck_assert_uint_eq(plan->entries[2].trials, 2);
    ck_assert_str_eq(plan->entries[2].sweep.parameters[0].name, "momentum");
    ck_assert_int_eq(dcps_plan_spec(plan, 2, &spec), DCPS_OK); /* of two trials and three final runs */
    ck_assert(dcps_overrides_find(&spec.overrides, "mean-square-decay")->left_out);
    ck_assert_int_eq(dcps_plan_spec(plan, 3, &spec), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "lambda")->value, "3");
    ck_assert_ptr_null(dcps_overrides_find(&spec.overrides, "mean-square-decay"));
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

static bool is_left_out(const dcps_plan *plan, uint32_t index, const char *name)
{
    dcps_run_spec spec;
    ck_assert_msg(dcps_plan_spec(plan, index, &spec) == DCPS_OK, "%s", dcps_error_message());
    const dcps_override *own = dcps_overrides_find(&spec.overrides, name);
    return own != NULL && own->left_out;
}

/* Where a sweep exchanges parts of the rule, what has an effect differs from point to point; points that differ in nothing else are one. */
START_TEST(test_sweep_of_parts)
{
    static const char *const titles[] = {"asgd@2 compensation=none", "asgd@2 compensation=dc-c lambda=1",
                                         "asgd@2 compensation=dc-c lambda=2", "sgd@1", "asgd@2"};
    dcps_options *options = parse("--runs sgd@1,asgd@2 --lambda 5 --sweep asgd:compensation=none:dc-c,lambda=1:2");
    dcps_plan *plan = plan_of(options);
    dcps_run_spec spec;
    check_titles(plan, titles, 5);
    ck_assert(is_left_out(plan, 0, "lambda"));
    ck_assert_int_eq(dcps_plan_spec(plan, 2, &spec), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "lambda")->value, "2");
    dcps_plan_finish(plan, 0, result_of(0.3, 1.0));
    dcps_plan_finish(plan, 1, result_of(0.2, 1.0));
    dcps_plan_finish(plan, 2, result_of(0.1, 1.0));
    ck_assert_int_eq(dcps_plan_spec(plan, 4, &spec), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&spec.overrides, "lambda")->value, "2");
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

/* Nor need an option of the command line have an effect everywhere, be it that its part is swept or that another rule has the use for it. */
START_TEST(test_options_beside_a_sweep_of_parts)
{
    static const char *const titles[] = {"asgd@2 optimizer=sgd",
                                         "asgd@2 optimizer=momentum",
                                         "dc-asgd-c@2 optimizer=sgd",
                                         "dc-asgd-c@2 optimizer=momentum",
                                         "asgd@2",
                                         "dc-asgd-c@2"};
    dcps_options *options = parse("--runs asgd@2,dc-asgd-c@2 --lambda 1 --momentum 0.5 --sweep optimizer=sgd:momentum");
    dcps_plan *plan = plan_of(options);
    check_titles(plan, titles, 6);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(is_left_out(plan, i, "lambda"), i < 2);
        ck_assert_int_eq(is_left_out(plan, i, "momentum"), i % 2 == 0);
    }
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

/* One that has no effect at any point of any run is a mistake all the same. */
START_TEST(test_options_without_any_effect)
{
    static const struct {
        const char *line;
        const char *said;
    } cases[] = {{"--runs asgd@2 --lambda 1 --sweep optimizer=sgd:momentum", "--lambda has no effect on any of --runs"},
                 {"--runs asgd@2,sgd@1 --sweep lambda=1:2", "none of these options has an effect"},
                 {"--runs asgd+lambda=1@2 --sweep compensation=none:dc-c", "--lambda has no effect"},
                 {"--runs asgd@2 --sweep compensation=dc-z:dc-c", "dc-z"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dcps_options *options = parse(cases[i].line);
        dcps_plan *plan = NULL;
        ck_assert_int_eq(dcps_plan_create(options, &plan), DCPS_INVALID);
        ck_assert_msg(strstr(dcps_error_message(), cases[i].said) != NULL, "%s", dcps_error_message());
        dcps_options_destroy(&options);
    }
}
END_TEST

/* As asked for; unasked a tenth of what there is, and no more than is usual; nothing that a model cannot hold out or has been told to. */
START_TEST(test_what_is_held_out)
{
    static const struct {
        const char *more;
        dcps_model_facts facts;
        uint32_t held_out;
    } cases[] = {{"--validation 70000", {.train_samples = 60000, .holds_out = true}, 70000},
                 {"", {.train_samples = 60000, .holds_out = true}, 5000},
                 {"", {.train_samples = 50000, .holds_out = true}, 5000},
                 {"", {.train_samples = 49999, .holds_out = true}, 4999},
                 {"", {.train_samples = 1000, .holds_out = true}, 100},
                 {"", {.train_samples = 9, .holds_out = true}, 1},
                 {"", {.train_samples = 60000, .holds_out = false}, 0},
                 {"--model-opt validation=7", {.train_samples = 59993, .holds_out = true}, 0},
                 {"--model-opt validations=7", {.train_samples = 60000, .holds_out = true}, 5000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[200];
        dcps_run_spec spec;
        (void)snprintf(line, sizeof(line), "--runs asgd@2 --split validation %s", cases[i].more);
        dcps_options *options = parse(line);
        dcps_plan *plan = plan_of(options);
        ck_assert_int_eq(dcps_plan_hold_out(plan, &cases[i].facts), DCPS_OK);
        ck_assert_int_eq(dcps_plan_spec(plan, 0, &spec), DCPS_OK);
        ck_assert_uint_eq(spec.hold_out, cases[i].held_out);
        dcps_plan_destroy(&plan);
        dcps_options_destroy(&options);
    }
    const dcps_model_facts unable = {.train_samples = 60000};
    dcps_options *options = parse("--runs asgd@2 --split validation --validation 10");
    dcps_plan *plan = plan_of(options);
    ck_assert_int_eq(dcps_plan_hold_out(plan, &unable), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "has no option validation"));
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

START_TEST(test_labels)
{
    dcps_options *options = parse("--runs asgd+optimizer=momentum@2 --sweep learning-rate=0.1:0.2 --validation 100");
    dcps_plan *plan = plan_of(options);
    char label[256];
    ck_assert_str_eq(dcps_plan_label(plan, 0, label, sizeof(label)), "asgd+optimizer=momentum@2-seed1000001-trial");
    ck_assert_str_eq(dcps_plan_label(plan, 2, label, sizeof(label)), "asgd+optimizer=momentum@2-seed1");
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

/* What a run took belongs to the epochs that it came to. */
START_TEST(test_epochs_done)
{
    static const struct {
        const char *result;
        double epochs;
    } cases[] = {{"{\"curve\":[{\"epoch\":1.0},{\"epoch\":1.5}]}", 1.5},
                 {"{\"curve\":[{\"epoch\":0.4}]}", 0.4},
                 {"{\"curve\":[{\"epoch\":1},{\"epoch\":4}]}", 4.0},
                 {"{\"curve\":[{\"epoch\":1e300}]}", 4.0},
                 {"{\"curve\":[{\"epoch\":-1}]}", 4.0},
                 {"{\"curve\":[{\"epoch\":\"2\"}]}", 4.0},
                 {"{\"curve\":[{}]}", 4.0},
                 {"{\"curve\":[]}", 4.0},
                 {"{}", 4.0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *result = json_loads(cases[i].result, 0, NULL);
        ck_assert_ptr_nonnull(result);
        ck_assert_msg(dcps_plan_epochs_done(result, 4.0) == cases[i].epochs, "%s", cases[i].result);
        json_decref(result);
    }
    ck_assert_double_eq(dcps_plan_epochs_done(NULL, 4.0), 4.0);
}
END_TEST

START_TEST(test_time_left)
{
    dcps_options *options = parse("--runs asgd@2,asgd@4,asgd@8 --seeds 2 --epochs 10");
    dcps_plan *plan = plan_of(options);
    dcps_plan_clock clock = {.count = 0};
    const uint64_t now_ns = 1000 * DCPS_NS_PER_S;
    ck_assert(isnan(dcps_plan_clock_left(&clock, plan, 1, now_ns)));
    /* Two workers: 2 s an epoch. Half of a run with four took 10 s, so 2 s an epoch as well, and 10 s are left of it. */
    dcps_plan_clock_note(&clock, 2, 10.0, 20.0);
    dcps_plan_finish(plan, 0, NULL);
    dcps_plan_start(plan, 1, now_ns - 10 * DCPS_NS_PER_S);
    plan->runs[1].share = 0.5;
    ck_assert_double_eq_tol(dcps_plan_clock_left(&clock, plan, 1, now_ns), 10.0 + 4 * 20.0, 1e-9);
    ck_assert_double_eq_tol(dcps_plan_clock_left(&clock, plan, 2, now_ns), 45.0, 1e-9);
    ck_assert_double_eq_tol(dcps_plan_clock_left(&clock, plan, 100, now_ns), 20.0, 1e-9); /* the longest */
    char bar[9];
    ck_assert_str_eq(dcps_plan_bar(plan, bar, sizeof(bar)), "##------"); /* one and a half of six */
    /* Eight workers turn out to be slower. */
    dcps_plan_clock_note(&clock, 8, 1.0, 6.0);
    ck_assert_double_eq_tol(dcps_plan_clock_left(&clock, plan, 1, now_ns), 10.0 + 2 * 20.0 + 2 * 60.0, 1e-9);
    /* One with two diverged early: its pace stays 2 s an epoch. */
    json_t *early = json_loads("{\"curve\":[{\"epoch\":0.4}]}", 0, NULL);
    dcps_plan_clock_note(&clock, 2, dcps_plan_epochs_done(early, 10.0), 0.8);
    json_decref(early);
    ck_assert_double_eq_tol(dcps_plan_clock_left(&clock, plan, 1, now_ns), 10.0 + 2 * 20.0 + 2 * 60.0, 1e-9);
    dcps_plan_destroy(&plan);
    dcps_options_destroy(&options);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_runs_without_a_sweep,
                                  test_trials_choose,
                                  test_choice_by_mean,
                                  test_nothing_to_choose_from,
                                  test_what_fits_a_rule,
                                  test_sweep_of_parts,
                                  test_options_beside_a_sweep_of_parts,
                                  test_options_without_any_effect,
                                  test_what_is_held_out,
                                  test_labels,
                                  test_epochs_done,
                                  test_time_left};
    return CHECK_MAIN("cli plan", tests);
}
