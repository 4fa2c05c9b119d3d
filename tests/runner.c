/* Runs the CUnit suites of one folder: tests/unit/NAME.c exports suite_NAME(), and SUITES is the generated list of
 * names.
 *
 *     build/tests/unit [TEXT]     only suites whose "unit/NAME" contains TEXT; =TEXT: is TEXT
 *     build/tests/unit --list
 *
 * Each failure is printed with its place; the last line is "N tests, M failed".
 */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <string.h>

#define SUITE(name) void suite_##name(void);
#include SUITES
#undef SUITE

static const struct {
    const char *id;
    void (*add)(void);
} suites[] = {
#define SUITE(name) {PART "/" #name, suite_##name},
#include SUITES
#undef SUITE
};

static void print_failures(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure) {
    for (CU_pFailureRecord f = failure; f; f = f->pNext)
        printf("FAIL %s: %s: %s:%u: %s\n", suite->pName, test->pName, f->strFileName, f->uiLineNumber, f->strCondition);
    fflush(stdout);
}

static void print_suite_failure(const CU_pSuite suite) {
    printf("FAIL %s: its set-up or tear-down failed\n", suite->pName);
}

static int list(void) {
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) puts(suites[i].id);
    return 0;
}

static int is_wanted(const char *id, const char *wanted) {
    return *wanted == '=' ? !strcmp(id, wanted + 1) : strstr(id, wanted) != NULL;
}

int main(int argc, char **argv) {
    const char *wanted = argc > 1 ? argv[1] : "";
    if (!strcmp(wanted, "--list")) return list();
    if (CU_initialize_registry()) return 1;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (is_wanted(suites[i].id, wanted)) suites[i].add();
    if (CU_get_error()) {
        printf("FAIL " PART ": %s\n", CU_get_error_msg());
        return 1;
    }
    CU_set_test_complete_handler(print_failures);
    CU_set_suite_init_failure_handler(print_suite_failure);
    CU_set_suite_cleanup_failure_handler(print_suite_failure);
    CU_set_fail_on_inactive(CU_FALSE);
    CU_run_all_tests();
    unsigned tests = CU_get_number_of_tests_run(),
             failed = CU_get_number_of_tests_failed() + CU_get_number_of_suites_failed();
    printf("%u tests, %u failed\n", tests, failed);
    CU_cleanup_registry();
    return failed != 0;
}
