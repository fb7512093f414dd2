#include "support/client_fixture.h"

#include <check.h>
#include <string.h>

#include "base/alloc.h"

void client_fixture_vectors(client_fixture *self)
{
    *self = (client_fixture){.client = NULL};
    self->weights = dcps_alloc_aligned(FIXTURE_PARAMS, sizeof(float));
    self->gradient = dcps_alloc_aligned(FIXTURE_PARAMS, sizeof(float));
    ck_assert_ptr_nonnull(self->weights);
    ck_assert_ptr_nonnull(self->gradient);
    for (uint32_t i = 0; i < FIXTURE_PARAMS; i++) {
        self->weights[i] = (float)(i + 1);
    }
    ck_assert_int_eq(dcps_layout_create(&self->layout), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(self->layout, "a", DCPS_INIT_ZERO, 2, (size_t[]){20, 16}, NULL), DCPS_OK);
    ck_assert_int_eq(dcps_layout_add(self->layout, "b", DCPS_INIT_ZERO, 1, (size_t[]){5}, NULL), DCPS_OK);
    ck_assert_uint_eq(dcps_layout_total_params(self->layout), FIXTURE_PARAMS);
}

void client_fixture_connect(client_fixture *self, const char *servers, bool observer, uint32_t timeout_ms)
{
    client_fixture_vectors(self);
    dcps_client_config config = {.servers = servers, .name = "test", .observer = observer, .timeout_ms = timeout_ms};
    ck_assert_msg(dcps_client_connect(&config, &self->client) == DCPS_OK, "%s", dcps_error_message());
}

void client_fixture_declare(client_fixture *self, uint64_t samples_per_epoch)
{
    dcps_status status =
        dcps_client_declare(self->client, self->layout, samples_per_epoch, self->weights, self->gradient, &self->work);
    ck_assert_msg(status == DCPS_OK, "%s", dcps_error_message());
}

void client_fixture_step(client_fixture *self, float value)
{
    for (uint32_t i = 0; i < FIXTURE_PARAMS; i++) {
        self->gradient[i] = value;
    }
    ck_assert_msg(dcps_client_push(self->client, 0, FIXTURE_PARAMS, 1, 0.25f) == DCPS_OK, "%s", dcps_error_message());
    ck_assert_msg(dcps_client_wait(self->client, &self->work) == DCPS_OK, "%s", dcps_error_message());
}

void client_fixture_close(client_fixture *self)
{
    dcps_client_destroy(&self->client);
    dcps_layout_destroy(&self->layout);
    dcps_free(self->weights);
    dcps_free(self->gradient);
}

void client_fixture_says(const char *words)
{
    ck_assert_msg(strstr(dcps_error_message(), words) != NULL, "no \"%s\" in: %s", words, dcps_error_message());
}
