/* The live line of training, with a clock of the test's own: into a file, and on a pseudoterminal of any width. */
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/train/progress.h"

static double fake_now(void *clock) {
    return *(double *)clock;
}

/* ---- into a file ---- */
typedef struct Lines {
    FILE *file;
    char *text;
    size_t size;
    double clock;
    rn_progress progress;
} Lines;

static void lines_begin(Lines *l, int64_t first, int64_t stop) {
    memset(l, 0, sizeof *l);
    l->clock = 1000;
    l->file = tmpfile(); /* fileno of a memory stream is -1 */
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->file);
    rn_progress_begin(&l->progress, l->file,
                      &(rn_progress_options){.first = first, .stop = stop, .now = fake_now, .clock = &l->clock});
}

static const char *lines_text(Lines *l) {
    l->size = (size_t)ftell(l->file);
    free(l->text);
    l->text = calloc(l->size + 1, 1);
    rewind(l->file);
    CU_ASSERT_FATAL(l->text && fread(l->text, 1, l->size, l->file) == l->size);
    fseek(l->file, 0, SEEK_END);
    return l->text;
}

static void lines_end(Lines *l) {
    free(l->text);
    fclose(l->file);
}

static int count_lines(const char *text) {
    int count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static void test_plain(void) {
    Lines l;
    lines_begin(&l, 0, 64000);
    for (int step = 1; step <= 100; step++) { /* half a second each */
        l.clock += 0.5;
        rn_progress_step(&l.progress, step, step / 390., 2, 0.75, 128);
    }
    rn_progress_doing(&l.progress, "testing");
    l.clock += 25;
    rn_progress_test(&l.progress, 0.5);
    l.clock += 0.5;
    rn_progress_step(&l.progress, 101, 101 / 390., 2, 0.75, 128);
    rn_progress_say(&l.progress, "saved %s", "step-101.safetensors");
    rn_progress_end(&l.progress);
    /* the time left has the test's 25 seconds in it, images/s has not */
    const char *expected =
        "step 1/64,000 (0 %)  epoch 0.00  loss 2.0000  train error 75.00 %  256 images/s  8 h 53 min left\n"
        "step 21/64,000 (0 %)  epoch 0.05  loss 2.0000  train error 75.00 %  256 images/s  8 h 53 min left\n"
        "step 41/64,000 (0 %)  epoch 0.11  loss 2.0000  train error 75.00 %  256 images/s  8 h 53 min left\n"
        "step 61/64,000 (0 %)  epoch 0.16  loss 2.0000  train error 75.00 %  256 images/s  8 h 52 min left\n"
        "step 81/64,000 (0 %)  epoch 0.21  loss 2.0000  train error 75.00 %  256 images/s  8 h 52 min left\n"
        "step 100/64,000 (0 %)  epoch 0.26  loss 2.0000  train error 75.00 %  test error 50.00 %  256 images/s  "
        "13 h 18 min left\n"
        "saved step-101.safetensors\n"
        "step 101/64,000 (0 %)  epoch 0.26  loss 2.0000  train error 75.00 %  test error 50.00 %  256 images/s  "
        "in 1 min 16 s\n";
    CU_ASSERT_STRING_EQUAL(lines_text(&l), expected);
    if (strcmp(l.text, expected)) printf("%s", l.text);
    lines_end(&l);
}

/* A test alone: what is counted, the error of all so far; where it is short, nothing is said. */
static void test_tested(void) {
    for (int seconds = 1; seconds < 20; seconds += 12) {
        Lines l;
        lines_begin(&l, 0, 0);
        rn_progress_begin(
            &l.progress, l.file,
            &(rn_progress_options){.stop = 500, .now = fake_now, .clock = &l.clock, .unit = "picture", .patient = 1});
        for (int done = 100; done <= 500; done += 100) {
            l.clock += seconds / 5.;
            rn_progress_tested(&l.progress, done, 0.5 - done / 2000., 100);
        }
        rn_progress_end(&l.progress);
        const char *expected = "picture 400/500 (80 %)  test error 30.00 %  38.5 images/s  3 s left\n"
                               "picture 500/500 (100 %)  test error 25.00 %  38.5 images/s  in 13 s\n";
        CU_ASSERT_STRING_EQUAL(lines_text(&l), seconds < 10 ? "" : expected);
        if (seconds > 10 && strcmp(l.text, expected)) printf("%s", l.text);
        lines_end(&l);
    }
}

static void test_intervals(void) {
    Lines l;
    lines_begin(&l, 0, 10 * 3600);
    for (int step = 1; step <= 10 * 3600; step++) { /* ten hours of a step a second */
        l.clock++;
        rn_progress_step(&l.progress, step, 0, 1, 0, 1);
        if (step % 60 == 0) rn_progress_test(&l.progress, 0.25);
    }
    CU_ASSERT(count_lines(lines_text(&l)) < 600 + 200); /* a line a test, and a few in between */
    lines_end(&l);

    lines_begin(&l, 0, 10 * 3600);
    for (int step = 1; step <= 10 * 3600; step++) {
        l.clock++;
        rn_progress_step(&l.progress, step, 0, 1, 0, 1);
    }
    const int lines = count_lines(lines_text(&l));
    CU_ASSERT(lines > 100 && lines < 250);
    lines_end(&l);

    lines_begin(&l, 0, 1000); /* tests that take no time: a line a second all the same */
    for (int step = 1; step <= 1000; step++) {
        l.clock += 0.01;
        rn_progress_step(&l.progress, step, 0, 1, 0, 1);
        rn_progress_test(&l.progress, 0.25);
    }
    CU_ASSERT_EQUAL(count_lines(lines_text(&l)), 10);
    lines_end(&l);
}

/* A resumed run: only what this one did counts for the time left. */
static void test_resumed(void) {
    Lines l;
    lines_begin(&l, 900, 1000);
    for (int step = 901; step <= 910; step++) {
        l.clock += 2;
        rn_progress_step(&l.progress, step, 9, 0.5, 0.125, 10);
    }
    rn_progress_test(&l.progress, 0.25);
    rn_progress_end(&l.progress);
    lines_text(&l);
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "step 901/1,000 (90 %)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "3 min 18 s left"));
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "5.0 images/s"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(l.text, "test error 25.00 %  5.0 images/s  3 min 00 s left\nstep 910/1,000 (91 %)  in 20 s\n"));
    lines_end(&l);

    lines_begin(&l, 1000, 1000); /* nothing to do: nothing to say */
    rn_progress_end(&l.progress);
    CU_ASSERT_STRING_EQUAL(lines_text(&l), "");
    lines_end(&l);
}

/* What is done besides steps ends with the next step, and is no part of images/s. */
static void test_doing(void) {
    Lines l;
    lines_begin(&l, 0, 1000);
    rn_progress_doing(&l.progress, "saving");
    l.clock += 60;
    for (int step = 1; step <= 20; step++) {
        l.clock += 1;
        rn_progress_step(&l.progress, step, 0, 1, 0.5, 10);
    }
    lines_text(&l);
    CU_ASSERT_PTR_NULL(strstr(l.text, "saving"));
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "  10.0 images/s  "));
    lines_end(&l);
}

/* Numbers at their ends: no field overflows, NaN stays one. */
static void test_extremes(void) {
    Lines l;
    lines_begin(&l, 0, INT64_MAX);
    rn_progress_step(&l.progress, 1, 0, 1e300, 1, 1);
    l.clock += 1e9;
    rn_progress_step(&l.progress, 2, 1e18, NAN, 1, INT32_MAX);
    l.clock += 1e9;
    rn_progress_step(&l.progress, INT64_MAX - 1, INFINITY, 1, 0, 0);
    rn_progress_end(&l.progress);
    lines_text(&l);
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "loss nan"));
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "1000 d 00 h left"));
    CU_ASSERT_PTR_NOT_NULL(strstr(l.text, "step 9,223,372,036,854,775,806/9,223,372,036,854,775,807"));
    lines_end(&l);

    lines_begin(&l, 0, 0); /* no end is known */
    l.clock += 1;
    rn_progress_step(&l.progress, 1234567, 3.25, 0.5, 0, 2000);
    CU_ASSERT_STRING_EQUAL(lines_text(&l),
                           "step 1,234,567  epoch 3.25  loss 0.5000  train error 0.00 %  2,000 images/s\n");
    lines_end(&l);
}

/* ---- on a terminal ---- */
typedef struct Terminal {
    int master;
    FILE *file;
    double clock;
    rn_progress progress;
    char text[8192]; /* all that came */
    size_t size;
} Terminal;

static void terminal_width(Terminal *t, int columns) {
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    CU_ASSERT_EQUAL_FATAL(ioctl(t->master, TIOCSWINSZ, &size), 0);
}

static void terminal_begin(Terminal *t, int columns) {
    memset(t, 0, sizeof *t);
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    CU_ASSERT_FATAL(t->master >= 0 && !grantpt(t->master) && !unlockpt(t->master));
    const int slave = open(ptsname(t->master), O_RDWR | O_NOCTTY);
    CU_ASSERT_FATAL(slave >= 0);
    t->file = fdopen(slave, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->file);
    terminal_width(t, columns);
    rn_progress_begin(&t->progress, t->file, &(rn_progress_options){.stop = 2000, .now = fake_now, .clock = &t->clock});
}

/* What came since the last call: the kernel hands it on a little later, and not always at once. */
static const char *terminal_read(Terminal *t) {
    size_t size = 0;
    struct pollfd ready = {.fd = t->master, .events = POLLIN};
    while (size + 1 < sizeof t->text && poll(&ready, 1, size ? 10 : 50) > 0) {
        const ssize_t n = read(t->master, t->text + size, sizeof t->text - 1 - size);
        if (n <= 0) break;
        size += (size_t)n;
    }
    t->text[size] = 0;
    return t->text;
}

static void terminal_end(Terminal *t) {
    fclose(t->file);
    close(t->master);
}

static void test_terminal(void) {
    Terminal t;
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    terminal_begin(&t, 200);
    for (int step = 1; step <= 100; step++) { /* 25 steps a second: of ten drawings a second each has two or three */
        t.clock += 0.04;
        rn_progress_step(&t.progress, step, 0.5, 1.25, 0.5, 10);
    }
    terminal_read(&t);
    int drawn = 0;
    for (const char *at = t.text; (at = strstr(at, "\r\033[K")); at++) drawn++;
    CU_ASSERT(drawn >= 30 && drawn <= 40);
    CU_ASSERT_PTR_NULL(strchr(t.text, '\n'));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "\r\033[Kstep 4/2,000 (0 %)  epoch 0.50  loss 1.2500  train error 50.00 %  "
                                          "250 images/s  1 min 20 s left\r"));
    rn_progress_doing(&t.progress, "testing");
    CU_ASSERT_PTR_NOT_NULL(strstr(terminal_read(&t), "train error 50.00 %  testing  1 min 16 s left"));
    t.clock += 4;
    rn_progress_test(&t.progress, 0.125);
    CU_ASSERT_PTR_NOT_NULL(strstr(terminal_read(&t), "test error 12.50 %  250 images/s  2 min"));
    rn_progress_say(&t.progress, "saved");
    CU_ASSERT_EQUAL(strncmp(terminal_read(&t), "\r\033[Ksaved\r\n\r\033[Kstep 100", 21), 0);
    rn_progress_end(&t.progress);
    terminal_read(&t);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.text, "in 8 s\r\n"));
    terminal_end(&t);
}

/* Whatever the width, a line keeps within it and the step stays; fields go by rank. */
static void test_widths(void) {
    Terminal t;
    setenv("NO_COLOR", "1", 1);
    terminal_begin(&t, 80);
    t.clock += 0.5;
    rn_progress_step(&t.progress, 1, 0.5, 1.25, 0.5, 10);
    t.clock += 1;
    rn_progress_test(&t.progress, 0.25);
    CU_ASSERT_PTR_NOT_NULL(strstr(terminal_read(&t), "1/2,000  loss 1.2500  train 50.00%  test 25.00%  20.0/s  "
                                                     "49 min 59 s left"));
    int last = 0;
    for (int width = 1; width <= 140; width++) {
        terminal_width(&t, width);
        t.clock += 1;
        rn_progress_test(&t.progress, 0.25);
        const char *line = terminal_read(&t);
        CU_ASSERT_EQUAL_FATAL(strncmp(line, "\r\033[K", 4), 0);
        const int length = (int)strlen(line) - 4;
        CU_ASSERT(length < width || (width == 1 && length == 0));
        CU_ASSERT(width < 10 || !strncmp(line + 4, "1/2,000", 7) || !strncmp(line + 4, "step 1/2,000", 12));
        if (width == 40) CU_ASSERT_STRING_EQUAL(line + 4, "1/2,000  loss 1.2500  train 50.00%");
        last = length;
    }
    CU_ASSERT(last > 100); /* the long words where there is room */
    terminal_end(&t);
}

static void test_colours(void) {
    Terminal t;
    for (int coloured = 0; coloured < 2; coloured++) {
        coloured ? unsetenv("NO_COLOR") : setenv("NO_COLOR", "1", 1);
        terminal_begin(&t, 200);
        t.clock += 1;
        rn_progress_step(&t.progress, 1, 0.5, NAN, 0.5, 10);
        terminal_read(&t);
        CU_ASSERT_EQUAL(strstr(t.text, "\033[1;31mloss nan\033[0m") != NULL, coloured);
        CU_ASSERT_EQUAL(strstr(t.text, "\033[0m") != NULL, coloured);
        terminal_end(&t);
    }
    setenv("TERM", "dumb", 1); /* whole lines, as in a file */
    terminal_begin(&t, 20);
    t.clock += 1;
    rn_progress_step(&t.progress, 1, 0.5, 1, 0.5, 10);
    CU_ASSERT_EQUAL(strncmp(terminal_read(&t), "step 1/2,000 (0 %)  epoch", 25), 0);
    CU_ASSERT_PTR_NULL(strchr(t.text, '\033'));
    terminal_end(&t);
}

void suite_progress(void) {
    CU_pSuite s = CU_add_suite("unit/progress", NULL, NULL);
    CU_add_test(s, "plain lines", test_plain);
    CU_add_test(s, "a test alone", test_tested);
    CU_add_test(s, "intervals grow", test_intervals);
    CU_add_test(s, "a resumed run", test_resumed);
    CU_add_test(s, "besides steps", test_doing);
    CU_add_test(s, "numbers at their ends", test_extremes);
    CU_add_test(s, "in place on a terminal", test_terminal);
    CU_add_test(s, "any width", test_widths);
    CU_add_test(s, "colours and NO_COLOR", test_colours);
}
