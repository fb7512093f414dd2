/* Compares messages field by field. */
#ifndef DCPS_TESTS_SUPPORT_WIRE_COMPARE_H
#define DCPS_TESTS_SUPPORT_WIRE_COMPARE_H

#include "proto/message.h"

/* Fails the running Check test where two messages differ. */
void wire_assert_same(const dcps_message *a, const dcps_message *b);

#endif
