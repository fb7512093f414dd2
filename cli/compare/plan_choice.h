/* Which of its settings an entry of the plan is trained with in the end. Of the plan alone. */
#ifndef DCPS_CLI_PLAN_CHOICE_H
#define DCPS_CLI_PLAN_CHOICE_H

#include "cli/compare/plan.h"

/* Looks at all trials of an entry, which are over: sets its point and .chosen, or .refusal. The best has the smallest mean error; of equal ones that with the smaller learning
 * rate, else the first. */
void dcps_plan_choose(const dcps_plan *plan, dcps_plan_entry *entry);

#endif
