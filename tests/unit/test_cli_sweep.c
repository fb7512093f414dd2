/* Grids of training options, good and hostile. */
#include <string.h>

#include "cli/compare/sweep.h"
#include "support/check_main.h"

/* The runs that lines may be for. */
static size_t read_specs(dcps_run_spec *specs)
{
    size_t count = 0;
    ck_assert_int_eq(dcps_run_specs_parse("sgd@1,asgd@4,asgd@8,asgd+momentum=0.9@8,dc-asgd-a@8", specs, 8, &count),
                     DCPS_OK);
    return count;
}

static void find(const char *lines, size_t run, dcps_sweep *sweep)
{
    dcps_run_spec specs[8];
    size_t count = read_specs(specs);
    ck_assert_msg(dcps_sweeps_check(lines, specs, count) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_msg(dcps_sweep_find(lines, specs, count, &specs[run], sweep) == DCPS_OK, "%s", dcps_error_message());
}

/* Where everything has an effect. */
static dcps_sweep_point at(uint32_t number)
{
    return (dcps_sweep_point){.number = number};
}

START_TEST(test_grid)
{
    static const char *const points[] = {"learning-rate=0.1 lambda=1", "learning-rate=0.1 lambda=2",
                                         "learning-rate=0.1 lambda=4", "learning-rate=0.2 lambda=1",
                                         "learning-rate=0.2 lambda=2", "learning-rate=0.2 lambda=4"};
    dcps_sweep sweep;
    char text[64];
    find("learning-rate=0.1:0.2,lambda=1:2:4", 0, &sweep);
    ck_assert_uint_eq(dcps_sweep_points(&sweep), 6);
    for (uint32_t p = 0; p < 6; p++) {
        ck_assert_str_eq(dcps_sweep_describe(&sweep, at(p), text, sizeof(text)), points[p]);
    }
    dcps_overrides overrides = {.count = 0};
    ck_assert_int_eq(dcps_sweep_apply(&sweep, at(5), &overrides), DCPS_OK);
    ck_assert_str_eq(dcps_overrides_find(&overrides, "lambda")->value, "4");
    dcps_sweep_drop(&sweep, "lambda");
    ck_assert_uint_eq(dcps_sweep_points(&sweep), 2);
    ck_assert_str_eq(dcps_sweep_describe(&sweep, at(1), text, sizeof(text)), "learning-rate=0.2");
}
END_TEST

/* What has no effect at a point is neither set nor named, and makes no difference. */
START_TEST(test_parameters_without_effect)
{
    const dcps_sweep_point points[] = {{.number = 2, .unused = 1u << 1}, {.number = 0, .unused = 1u << 1}};
    const dcps_sweep_point other = {.number = 3, .unused = 1u << 1};
    dcps_sweep sweep;
    dcps_overrides overrides = {.count = 0};
    char text[64];
    find("learning-rate=0.1:0.2,lambda=1:2:4", 0, &sweep);
    ck_assert_str_eq(dcps_sweep_describe(&sweep, points[0], text, sizeof(text)), "learning-rate=0.1");
    ck_assert_ptr_null(dcps_sweep_value(&sweep, points[0], 1));
    ck_assert_int_eq(dcps_sweep_apply(&sweep, points[0], &overrides), DCPS_OK);
    ck_assert_uint_eq(overrides.count, 1);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(2), 1), 1);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, points[0], 1), 0);
    ck_assert(dcps_sweep_same(&sweep, points[0], points[1]));
    ck_assert(!dcps_sweep_same(&sweep, points[0], other)); /* another learning rate */
    ck_assert(!dcps_sweep_same(&sweep, points[0], at(2)));
    ck_assert(!dcps_sweep_same(&sweep, at(0), at(1)));
}
END_TEST

START_TEST(test_commas_in_values)
{
    dcps_sweep sweep;
    char text[96];
    find("decay-epochs=7,9:5,8,10,learning-rate=0.1,compensation=dc-b,gap-aware:dc-a", 0, &sweep);
    ck_assert_uint_eq(sweep.count, 3);
    ck_assert_uint_eq(dcps_sweep_points(&sweep), 4);
    ck_assert_str_eq(dcps_sweep_describe(&sweep, at(2), text, sizeof(text)),
                     "decay-epochs=5,8,10 learning-rate=0.1 compensation=dc-b,gap-aware");
    find("decay-epochs=,learning-rate=0.1:0.2", 0, &sweep);
    ck_assert_str_eq(dcps_sweep_describe(&sweep, at(1), text, sizeof(text)), "decay-epochs= learning-rate=0.2");
}
END_TEST

/* The closest line holds, wherever it stands. */
START_TEST(test_lines_for_some_runs)
{
    static const char lines[] = "asgd:learning-rate=2:3\nlearning-rate=1\nasgd@8:learning-rate=4:5:6:7\nasgd+momentum="
                                "0.9:momentum=0.8:0.9:0.95";
    static const uint32_t points[] = {1, 2, 4, 3, 1};
    dcps_sweep sweep;
    for (size_t run = 0; run < 5; run++) {
        find(lines, run, &sweep);
        ck_assert_uint_eq(dcps_sweep_points(&sweep), points[run]);
    }
    find(lines, 3, &sweep);
    ck_assert_str_eq(sweep.parameters[0].name, "momentum");
    find("dc-asgd-a:lambda=1:2", 0, &sweep);
    ck_assert_uint_eq(sweep.count, 0);
    ck_assert_uint_eq(dcps_sweep_points(&sweep), 1);
    find(NULL, 0, &sweep);
    ck_assert_uint_eq(sweep.count, 0);
}
END_TEST

START_TEST(test_edges)
{
    dcps_sweep sweep;
    find("learning-rate=0.2:0.1:0.4,lambda=0:1,optimizer=sgd:momentum,epochs=3", 0, &sweep);
    /* Points count like digits: learning rate, lambda, optimizer. */
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(0), 0), 0);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(4), 0), -1);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(8), 0), 1);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(0), 1), 0); /* nothing is below zero */
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(2), 1), 1);
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(1), 2), 0); /* no numbers */
    ck_assert_int_eq(dcps_sweep_edge(&sweep, at(0), 3), 0); /* nothing to choose */
}
END_TEST

START_TEST(test_hostile)
{
    static const struct {
        const char *lines;
        dcps_status status;
        const char *named; /* in the message */
    } cases[] = {{"", DCPS_INVALID, "empty"},
                 {"x", DCPS_INVALID, "'='"},
                 {"=", DCPS_INVALID, "'' is no training option"},
                 {"=1", DCPS_INVALID, "'' is no training option"},
                 {"seed=1:2", DCPS_INVALID, "'seed'"},
                 {"learning-rate", DCPS_INVALID, "'='"},
                 {"learning-rate=1:", DCPS_INVALID, "a value is empty"},
                 {"learning-rate=:1", DCPS_INVALID, "a value is empty"},
                 {"learning-rate=1:1", DCPS_INVALID, "twice"},
                 {"learning-rate=1,learning-rate=2", DCPS_INVALID, "twice"},
                 {"asgd:", DCPS_INVALID, "no option"},
                 {"asgd@4:", DCPS_INVALID, "no option"},
                 {"asgd@5:learning-rate=1", DCPS_INVALID, "'asgd@5'"},
                 {":learning-rate=1", DCPS_INVALID, "no run ''"},
                 {"a-name-of-an-option-that-is-longer-than-any=1", DCPS_INVALID, "no training option"},
                 {"epochs=1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24:25:26:27:28:29:30:31:32:33",
                  DCPS_LIMIT, "32"},
                 {"epochs=1,batch-size=1,learning-rate=1,warmup-epochs=1,decay-epochs=1,decay-factor=1,lambda=1,"
                  "momentum=1,weight-decay=1",
                  DCPS_INVALID, "too many"},
                 {"epochs=1:2:3:4:5:6:7:8:9:10:11,batch-size=1:2:3:4:5:6:7:8:9:10,ssp-bound=1:2:3:4:5:6:7:8:9:10",
                  DCPS_LIMIT, "1100"}};
    dcps_run_spec specs[8];
    size_t count = read_specs(specs);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(dcps_sweeps_check(cases[i].lines, specs, count) == cases[i].status, "'%s': %s", cases[i].lines,
                      dcps_error_message());
        ck_assert_msg(strstr(dcps_error_message(), cases[i].named) != NULL, "'%s': %s", cases[i].lines,
                      dcps_error_message());
    }
    dcps_sweep sweep;
    ck_assert_int_eq(dcps_sweep_find("asgd:lambda=1\nasgd:lambda=2", specs, count, &specs[1], &sweep), DCPS_INVALID);
    ck_assert_ptr_nonnull(strstr(dcps_error_message(), "same runs"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_grid,   test_parameters_without_effect, test_commas_in_values, test_lines_for_some_runs, test_edges,
        test_hostile};
    return CHECK_MAIN("cli sweep", tests);
}
