/* Emitted lines within 120 columns. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "emit/wrap.h"

void suite_wrap(void);

static void check(const char *from, const char *expected) {
    Text text = {0}, wrapped = {0};
    text_puts(&text, from);
    wrap_lines(&text, &wrapped);
    if (strcmp(wrapped.s, expected)) printf("\n%s", wrapped.s);
    CU_ASSERT_STRING_EQUAL(wrapped.s, expected);
    text_free(&text);
    text_free(&wrapped);
}

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static void test_short(void) {
    static const char short_text[] =
        "int a; /* a comment\n * of two lines */\n\n#define LONG " FIFTY FIFTY FIFTY " \\\n    " FIFTY FIFTY FIFTY "\n"
        "" FIFTY FIFTY TEN TEN "\n";
    check(short_text, short_text);
}

static void test_code(void) {
    /* outside of as many brackets as can be, where two lines are enough */
    check("    f(a" FIFTY ", g(b" FIFTY ", c), d, e" TEN ");\n",
          "    f(a" FIFTY ", g(b" FIFTY ", c), d,\n      e" TEN ");\n");
    /* else as much as goes into a line, aligned with what is open from lines before */
    check("    int x[5] = {a" FIFTY ", b" TEN TEN ", c" FIFTY ", d" TEN TEN ", e" FIFTY "};\n",
          "    int x[5] = {a" FIFTY ", b" TEN TEN ",\n"
          "                c" FIFTY ", d" TEN TEN ",\n"
          "                e" FIFTY "};\n");
    /* too far to the right to align with */
    check("    const int x" FIFTY " = f(a" TEN TEN TEN ", b" TEN TEN ");\n",
          "    const int x" FIFTY " = f(a" TEN TEN TEN ",\n        b" TEN TEN ");\n");
    check("    x = y ? a" FIFTY " + " FIFTY " : b" TEN ";\n",
          "    x = y ? a" FIFTY " + " FIFTY "\n        : b" TEN ";\n");
    check("    f(" FIFTY FIFTY ", a); /* what " TEN " */\n",
          "    f(" FIFTY FIFTY ", a);\n        /* what " TEN " */\n");
    /* brackets and commas in strings and characters are none */
    check("    x = ',' + \"a, (b\" + f(" FIFTY FIFTY ", b);\n",
          "    x = ',' + \"a, (b\"\n        + f(" FIFTY FIFTY ", b);\n");
}

static void test_comments_and_strings(void) {
    check("    /* " FIFTY " " FIFTY " " TEN " */\n", "    /* " FIFTY " " FIFTY "\n     * " TEN " */\n");
    check("/* a\n * " FIFTY " " FIFTY " " TEN " bcd */\nf(a, b);\n",
          "/* a\n * " FIFTY " " FIFTY " " TEN "\n * bcd */\nf(a, b);\n");
    /* a line that only ends a comment */
    check("/* a\n */\nint f(a" FIFTY ", b" FIFTY ", c" FIFTY ");\n",
          "/* a\n */\nint f(a" FIFTY ", b" FIFTY ",\n      c" FIFTY ");\n");
    check("    .command = \"" FIFTY " \\\" " FIFTY " " TEN "\",\n",
          "    .command = \"" FIFTY " \\\" \"\n        \"" FIFTY " " TEN "\",\n");
}

/* What cannot be broken is left as it is. */
static void test_no_place(void) {
    check("    " FIFTY FIFTY FIFTY "\n", "    " FIFTY FIFTY FIFTY "\n");
    check("\"" FIFTY FIFTY FIFTY "\" a\n", "\"" FIFTY FIFTY FIFTY "\" a\n");
}

void suite_wrap(void) {
    CU_pSuite suite = CU_add_suite("wrap", NULL, NULL);
    CU_add_test(suite, "what stays", test_short);
    CU_add_test(suite, "code", test_code);
    CU_add_test(suite, "comments and strings", test_comments_and_strings);
    CU_add_test(suite, "no place to break", test_no_place);
}
