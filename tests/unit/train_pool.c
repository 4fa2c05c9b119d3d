/* The trainer's threads: every part of every task runs once, whoever comes late. */
#include "runtime/train/pool.h"

#include <CUnit/CUnit.h>
#include <string.h>
#include <time.h>

enum { MOST = 9 };

typedef struct Task {
    int runs[MOST], parts, late;
} Task;

static void count(void *arg, int part, int parts) {
    Task *task = arg;
    if (part == task->late) nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL); /* longer than others look */
    task->parts = parts;
    __atomic_add_fetch(&task->runs[part], 1, __ATOMIC_RELAXED);
}

static void test_tasks(void) {
    for (int threads = 1; threads <= MOST; threads += 2) {
        rn_pool *pool = rn_pool_create(threads);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
        for (int turn = 0; turn < 3000; turn++) {
            Task task = {.late = turn % 300 ? -1 : turn / 300 % threads};
            rn_pool_run(pool, threads, count, &task);
            for (int part = 0; part < MOST; part++) CU_ASSERT_EQUAL_FATAL(task.runs[part], part < threads);
            CU_ASSERT_EQUAL_FATAL(task.parts, threads);
            if (turn % 500 == 0) nanosleep(&(struct timespec){.tv_nsec = 400000}, NULL); /* all are asleep now */
        }
        rn_pool_destroy(pool);
    }
    rn_pool *pool = rn_pool_create(2);
    Task task = {.late = -1};
    rn_pool_run(pool, 5, count, &task);
    for (int part = 0; part < 5; part++) CU_ASSERT_EQUAL(task.runs[part], 1);
    rn_pool_destroy(pool);
    rn_pool_destroy(NULL);
}

void suite_train_pool(void) {
    CU_pSuite suite = CU_add_suite("train_pool", NULL, NULL);
    CU_add_test(suite, "tasks", test_tasks);
}
