/* Which model is trained: the first declaration fixes it, later ones must agree; and the control engine as an image. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "support/check_main.h"
#include "support/control_harness.h"

static control_room room;

/* Two tensors of 32 and 16 parameters. */
static dcps_layout_tensor tensors[2];

static void reset_tensors(void)
{
    tensors[0] = (dcps_layout_tensor){
        .name = "fc.weight", .dims = {4, 8}, .dim_count = 2, .init = DCPS_INIT_HE_NORMAL, .count_params = 32};
    tensors[1] = (dcps_layout_tensor){
        .name = "fc.bias", .dims = {8}, .dim_count = 1, .init = DCPS_INIT_ZERO, .offset_params = 32, .count_params = 8};
}

static void declare(const dcps_session *session, uint64_t nonce, uint64_t samples, uint32_t count)
{
    dcps_message message = {.type = DCPS_MESSAGE_LAYOUT,
                            .body.layout = {.session = *session,
                                            .nonce = nonce,
                                            .samples_per_epoch = samples,
                                            .tensor_count = count,
                                            .tensors = tensors}};
    control_deliver(&room, &message);
}

static dcps_session open_with_worker(void)
{
    reset_tensors();
    control_open(&room, 0, 1);
    return control_join(&room, 9).session;
}

static void expect_partition(const dcps_partition *partition)
{
    ck_assert_uint_eq(partition->total_params, 48); /* 32 and 8, padded to 16 */
    ck_assert_uint_eq(partition->block_params, 16);
    ck_assert_uint_eq(partition->block_count, 3);
    ck_assert_uint_eq(partition->server_count, 1);
    ck_assert_uint_eq(partition->shards_per_server, 2);
}

static void expect_accepted(uint64_t nonce)
{
    control_expect(&room, DCPS_MESSAGE_LAYOUT_REPLY);
    ck_assert_uint_eq(room.answer.body.layout_reply.nonce, nonce);
    expect_partition(&room.answer.body.layout_reply.partition);
}

START_TEST(test_first_declaration)
{
    dcps_session session = open_with_worker();
    ck_assert_ptr_null(dcps_control_layout(room.control));
    ck_assert_ptr_null(dcps_control_partition(room.control));
    declare(&session, 9, 600, 2);
    ck_assert_uint_lt(room.events[0].order, room.answered_order); /* the shards know first */
    expect_accepted(9);
    dcps_control_event event = control_event(&room, DCPS_CONTROL_LAYOUT);
    expect_partition(&event.partition);
    ck_assert_uint_eq(event.samples_per_epoch, 600);
    control_expect_quiet(&room);
    ck_assert_uint_eq(dcps_layout_tensor_count(dcps_control_layout(room.control)), 2);
    expect_partition(dcps_control_partition(room.control));
    ck_assert_uint_eq(dcps_control_samples_per_epoch(room.control), 600);
    control_close(&room);
}
END_TEST

START_TEST(test_equal_declarations)
{
    dcps_session session = open_with_worker();
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    (void)control_event(&room, DCPS_CONTROL_LAYOUT);
    dcps_session other = control_join(&room, 10).session;
    for (uint32_t k = 0; k < 2; k++) {
        declare(&other, 10, 600, 2);
        expect_accepted(10);
    }
    const dcps_session observer = {0};
    declare(&observer, 11, 600, 2);
    expect_accepted(11);
    control_expect_quiet(&room); /* fixed once, told once */
    control_close(&room);
}
END_TEST

static void expect_mismatch(const dcps_session *session, const char *difference)
{
    control_expect_error(&room, DCPS_MISMATCH);
    ck_assert_msg(strstr(room.error_text, difference) != NULL, "\"%s\" does not name %s", room.error_text, difference);
    control_expect_quiet(&room);
    reset_tensors();
    declare(session, 9, 600, 2); /* nothing changed */
    expect_accepted(9);
}

START_TEST(test_different_declarations)
{
    dcps_session session = open_with_worker();
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    (void)control_event(&room, DCPS_CONTROL_LAYOUT);
    tensors[1].name = "fc.other";
    declare(&session, 9, 600, 2);
    expect_mismatch(&session, "fc.other");
    tensors[0].dims[0] = 8;
    declare(&session, 9, 600, 2);
    expect_mismatch(&session, "fc.weight");
    tensors[1].init = DCPS_INIT_ONE;
    declare(&session, 9, 600, 2);
    expect_mismatch(&session, "fc.bias");
    declare(&session, 9, 600, 1);
    expect_mismatch(&session, "");
    declare(&session, 9, 601, 2);
    expect_mismatch(&session, "601");
    const dcps_session observer = {0};
    declare(&observer, 11, 599, 2);
    expect_mismatch(&session, "599");
    control_close(&room);
}
END_TEST

START_TEST(test_observer_before_any_worker)
{
    dcps_session session = open_with_worker();
    const dcps_session observer = {0};
    declare(&observer, 11, 600, 2);
    control_expect_error(&room, DCPS_AGAIN); /* it fixes nothing */
    ck_assert_ptr_null(dcps_control_layout(room.control));
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    control_close(&room);
}
END_TEST

/* An observer trains on nothing, so it has no number of samples to name; its tensors must agree all the same. */
START_TEST(test_observer_without_samples)
{
    dcps_session session = open_with_worker();
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    (void)control_event(&room, DCPS_CONTROL_LAYOUT);
    const dcps_session observer = {0};
    declare(&observer, 11, 0, 2);
    expect_accepted(11);
    tensors[1].name = "fc.other";
    declare(&observer, 11, 0, 2);
    expect_mismatch(&session, "fc.other");
    ck_assert_uint_eq(dcps_control_samples_per_epoch(room.control), 600);
    control_close(&room);
}
END_TEST

/* Two epochs with a snapshot a sample: 65,536 are the most. */
START_TEST(test_too_many_snapshots)
{
    reset_tensors();
    control_open(&room, 0, 1);
    control_close(&room);
    room.config.snapshot_every_samples = 1;
    room.config.epochs = 2;
    ck_assert_int_eq(dcps_control_create(&room.config, &room.control), DCPS_OK);
    dcps_session session = control_join(&room, 9).session;
    declare(&session, 9, 32769, 2);
    control_expect_error(&room, DCPS_LIMIT);
    static const char *const words[] = {"every 1 samples", "65538", "65536", "keep fewer"};
    for (uint32_t k = 0; k < 4; k++) {
        ck_assert_msg(strstr(room.error_text, words[k]) != NULL, "\"%s\" does not say %s", room.error_text, words[k]);
    }
    control_expect_quiet(&room); /* the shards never hear of it */
    ck_assert_ptr_null(dcps_control_layout(room.control));
    declare(&session, 9, 32768, 2);
    expect_accepted(9);
    ck_assert_uint_eq(control_event(&room, DCPS_CONTROL_LAYOUT).samples_per_epoch, 32768);
    control_close(&room);
}
END_TEST

START_TEST(test_strangers_declare_nothing)
{
    dcps_session session = open_with_worker();
    dcps_session wrong = session;
    wrong.token++;
    declare(&wrong, 9, 600, 2);
    control_expect_error(&room, DCPS_SESSION);
    ck_assert_uint_eq(room.answer.body.error.token, wrong.token);
    wrong = session;
    wrong.worker = UINT32_MAX;
    declare(&wrong, 9, 600, 2);
    control_expect_error(&room, DCPS_SESSION);
    control_finish(&room, &session, true);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    declare(&session, 9, 600, 2);
    control_expect_error(&room, DCPS_SESSION);
    ck_assert_ptr_null(dcps_control_layout(room.control));
    control_expect_quiet(&room);
    control_close(&room);
}
END_TEST

START_TEST(test_nonsense_declarations)
{
    dcps_session session = open_with_worker();
    declare(&session, 9, 0, 2); /* no samples */
    control_expect_error(&room, DCPS_INVALID);
    declare(&session, 9, 600, 0); /* no tensors */
    control_expect_error(&room, DCPS_INVALID);
    tensors[0].name = "";
    declare(&session, 9, 600, 2);
    control_expect_error(&room, DCPS_INVALID);
    tensors[0].name = tensors[1].name;
    declare(&session, 9, 600, 2);
    control_expect_error(&room, DCPS_INVALID);
    reset_tensors();
    tensors[0].dims[1] = 0;
    declare(&session, 9, 600, 2);
    control_expect_error(&room, DCPS_INVALID);
    reset_tensors();
    tensors[0].dims[0] = SIZE_MAX / 2;
    declare(&session, 9, 600, 2);
    control_expect_error(&room, DCPS_LIMIT);
    control_expect_quiet(&room);
    ck_assert_ptr_null(dcps_control_layout(room.control));
    reset_tensors();
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    control_close(&room);
}
END_TEST

/* ---- images ---- */

START_TEST(test_nothing_to_export)
{
    (void)open_with_worker();
    dcps_control_image image;
    ck_assert_int_eq(dcps_control_export(room.control, &image), DCPS_AGAIN);
    control_close(&room);
}
END_TEST

/* Workers 0 and 1 of nonces 9 and 10, and id 1 already in its second hand. */
static dcps_control_image export_room(void)
{
    dcps_control_image image;
    dcps_session session = open_with_worker();
    declare(&session, 9, 600, 2);
    expect_accepted(9);
    (void)control_event(&room, DCPS_CONTROL_LAYOUT);
    dcps_session gone = control_join(&room, 8).session;
    control_finish(&room, &gone, true);
    (void)control_event(&room, DCPS_CONTROL_LEAVE);
    (void)control_join(&room, 10);
    ck_assert_int_eq(dcps_control_export(room.control, &image), DCPS_OK);
    control_close(&room);
    return image;
}

START_TEST(test_image_contents)
{
    dcps_control_image image = export_room();
    ck_assert_uint_eq(image.samples_per_epoch, 600);
    ck_assert_uint_eq(image.block_params, 16);
    ck_assert_uint_eq(dcps_layout_tensor_count(image.layout), 2);
    ck_assert_uint_eq(image.worker_count, 2);
    const dcps_image_worker expected[] = {{.worker = 0, .incarnation = 1, .nonce = 9},
                                          {.worker = 1, .incarnation = 2, .nonce = 10}};
    for (uint32_t k = 0; k < 2; k++) {
        ck_assert_uint_eq(image.workers[k].worker, expected[k].worker);
        ck_assert_uint_eq(image.workers[k].incarnation, expected[k].incarnation);
        ck_assert_uint_eq(image.workers[k].nonce, expected[k].nonce);
    }
    dcps_control_image_fini(&image);
    dcps_control_image_fini(&image);
}
END_TEST

START_TEST(test_restart_from_an_image)
{
    dcps_control_image image = export_room();
    control_open(&room, 0, 1);
    ck_assert_int_eq(dcps_control_import(room.control, &image), DCPS_OK);
    dcps_control_event event = control_event(&room, DCPS_CONTROL_LAYOUT);
    expect_partition(&event.partition);
    ck_assert_uint_eq(event.samples_per_epoch, 600);
    control_expect_quiet(&room);
    ck_assert_uint_eq(control_stats(&room).workers_live, 0);
    const dcps_session dead = {.worker = 0, .incarnation = 1, .token = 0}; /* no session, whatever the token */
    control_heartbeat(&room, &dead);
    control_expect_error(&room, DCPS_SESSION);

    dcps_hello hello = control_hello_of(&room, 10); /* the same process: the same identity */
    hello.has_identity = true;
    hello.worker = 1;
    hello.incarnation = 2;
    dcps_session session = control_say_hello(&room, &hello).session;
    ck_assert_uint_eq(session.worker, 1);
    ck_assert_uint_eq(session.incarnation, 2);
    (void)control_event(&room, DCPS_CONTROL_JOIN);
    declare(&session, 10, 600, 2);
    expect_accepted(10);
    dcps_session new = control_join(&room, 77).session; /* a new process gets a free id, and its next incarnation */
    ck_assert_uint_eq(new.worker, 0);
    ck_assert_uint_eq(new.incarnation, 2);
    hello = control_hello_of(&room, 9); /* the one that held it before comes back too late */
    hello.has_identity = true;
    hello.worker = 0;
    hello.incarnation = 1;
    ck_assert_uint_eq(control_say_hello(&room, &hello).session.worker, 2);
    dcps_control_image_fini(&image);
    control_close(&room);
}
END_TEST

static void expect_import(const dcps_control_image *image, dcps_status expected)
{
    control_open(&room, 0, 1);
    dcps_status status = dcps_control_import(room.control, image);
    ck_assert_msg(status == expected, "import: %s (%s)", dcps_status_name(status), dcps_error_message());
    if (status != DCPS_OK) {
        ck_assert_ptr_null(dcps_control_layout(room.control));
        ck_assert_uint_eq(room.event_count, 0);
    }
    control_close(&room);
}

START_TEST(test_nonsense_images)
{
    dcps_control_image image = export_room();
    dcps_control_image bad = image;
    expect_import(&bad, DCPS_OK);
    bad.samples_per_epoch = 0;
    expect_import(&bad, DCPS_INVALID);
    bad = image;
    bad.block_params = 17;
    expect_import(&bad, DCPS_INVALID);
    bad.block_params = DCPS_MAX_BLOCK_PARAMS + 16;
    expect_import(&bad, DCPS_LIMIT);
    bad = image;
    dcps_image_worker saved = image.workers[1];
    image.workers[1].worker = DCPS_MAX_WORKERS;
    expect_import(&bad, DCPS_CORRUPT);
    image.workers[1] = saved;
    image.workers[1].incarnation = 0;
    expect_import(&bad, DCPS_CORRUPT);
    dcps_control_image_fini(&image);
}
END_TEST

/* ---- memory ---- */

START_TEST(test_create_without_memory)
{
    dcps_control_config config = control_config(0, 1);
    dcps_status status = DCPS_NO_MEMORY;
    uint64_t n = 0;
    for (; status != DCPS_OK; n++) {
        dcps_control *made = NULL;
        dcps_alloc_fail_after(n);
        status = dcps_control_create(&config, &made);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && made == NULL));
        dcps_control_destroy(&made);
    }
    ck_assert_uint_gt(n, 5); /* the engine, the name, the list and each endpoint */
}
END_TEST

START_TEST(test_declaration_without_memory)
{
    dcps_session session = open_with_worker();
    uint64_t n = 0;
    for (bool accepted = false; !accepted; n++) {
        dcps_alloc_fail_after(n);
        declare(&session, 9, 600, 2);
        dcps_alloc_fail_after(UINT64_MAX);
        accepted = room.answer.type == DCPS_MESSAGE_LAYOUT_REPLY;
        if (accepted) {
            expect_accepted(9);
        } else {
            control_expect_error(&room, DCPS_NO_MEMORY);
            ck_assert_ptr_null(dcps_control_layout(room.control));
            control_expect_quiet(&room);
        }
    }
    ck_assert_uint_gt(n, 2);
    control_close(&room);
}
END_TEST

START_TEST(test_images_without_memory)
{
    dcps_control_image image = export_room();
    dcps_control_image copy;
    dcps_status status = DCPS_NO_MEMORY;
    control_open(&room, 0, 1);
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        control_close(&room);
        control_open(&room, 0, 1);
        dcps_alloc_fail_after(n);
        status = dcps_control_import(room.control, &image);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || (status == DCPS_NO_MEMORY && room.event_count == 0));
    }
    status = DCPS_NO_MEMORY;
    for (uint64_t n = 0; status != DCPS_OK; n++) {
        dcps_alloc_fail_after(n);
        status = dcps_control_export(room.control, &copy);
        dcps_alloc_fail_after(UINT64_MAX);
        ck_assert(status == DCPS_OK || status == DCPS_NO_MEMORY);
    }
    ck_assert_uint_eq(copy.worker_count, image.worker_count);
    dcps_control_image_fini(&copy);
    dcps_control_image_fini(&image);
    control_close(&room);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_first_declaration,         test_equal_declarations,
                                  test_different_declarations,    test_observer_before_any_worker,
                                  test_observer_without_samples,  test_too_many_snapshots,
                                  test_strangers_declare_nothing, test_nonsense_declarations,
                                  test_nothing_to_export,         test_image_contents,
                                  test_restart_from_an_image,     test_nonsense_images,
                                  test_create_without_memory,     test_declaration_without_memory,
                                  test_images_without_memory};
    return CHECK_MAIN("control layout", tests);
}
