/* Curves of training: the reader of logs, means, thinning, axes, and the figures. tests/golden/curves holds a figure of
 * two small logs; UPDATE=1 build/tests/unit =unit/curves writes it anew. */
#include <CUnit/CUnit.h>
#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/file.h"
#include "runtime/train/curves.h"
#include "runtime/train/curves_figure.h"

static char folder[] = "/tmp/curves-XXXXXX";

static int make_folder(void) {
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* ---- the reader ---- */
static rn_status parse(rn_curves_log *log, const char *text, char *error) {
    return rn_curves_log_parse(log, (const uint8_t *)text, strlen(text), "r/log.csv", error, RN_ERROR_SIZE);
}

static void test_reads(void) {
    rn_curves_log log;
    char error[RN_ERROR_SIZE];
    CU_ASSERT_EQUAL_FATAL(parse(&log,
                                "step,epoch,lr,loss,train error,test error,images/s\n"
                                "1,0,0.1,2.5,0.875,,100.5\n"
                                "20,0.5,0.1,nan,0,1,\n"
                                "1000000000000000,1,1e-3,-inf,1,0.25,1e3\n"
                                "1000000000000001,1,1e-3,1.5,0.",
                                error),
                          RN_OK); /* the last line is being written */
    CU_ASSERT_EQUAL_FATAL(log.rows, 3);
    CU_ASSERT(log.column[RN_CURVES_STEP][0] == 1 && log.column[RN_CURVES_STEP][2] == 1e15);
    CU_ASSERT(log.column[RN_CURVES_LOSS][0] == 2.5);
    CU_ASSERT(log.column[RN_CURVES_LOSS][1] == INFINITY && log.column[RN_CURVES_LOSS][2] == INFINITY);
    CU_ASSERT(log.column[RN_CURVES_TRAIN_ERROR][0] == 0.875 && log.column[RN_CURVES_TRAIN_ERROR][2] == 1);
    CU_ASSERT(isnan(log.column[RN_CURVES_TEST_ERROR][0]) && log.column[RN_CURVES_TEST_ERROR][2] == 0.25);
    CU_ASSERT(log.column[RN_CURVES_EPOCH][1] == 0.5);
    CU_ASSERT(log.column[RN_CURVES_RATE][0] == 100.5 && isnan(log.column[RN_CURVES_RATE][1]));
    rn_curves_log_free(&log);

    /* other orders, other columns, blanks, another system's ends of lines */
    CU_ASSERT_EQUAL_FATAL(parse(&log,
                                "\xef\xbb\xbfnote, loss ,test error,train error,step\r\n"
                                "x y, 1.5 ,,0.5,7\r\n",
                                error),
                          RN_OK);
    CU_ASSERT(log.rows == 1 && log.column[RN_CURVES_STEP][0] == 7 && log.column[RN_CURVES_LOSS][0] == 1.5);
    CU_ASSERT(isnan(log.column[RN_CURVES_EPOCH][0]));
    rn_curves_log_free(&log);

    CU_ASSERT_EQUAL_FATAL(parse(&log, "step,loss,train error,test error\n", error), RN_OK);
    CU_ASSERT(log.rows == 0 && log.column[RN_CURVES_STEP]);
    rn_curves_log_free(&log);
}

static void test_refuses(void) {
#define NAMES "step,loss,train error,test error\n"
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "r/log.csv:1: no line of names (step,loss,train error,test error,...)"},
        {"step,loss", "r/log.csv:1: no line of names (step,loss,train error,test error,...)"},
        {"step,loss,train error\n", "r/log.csv:1: no column is called 'test error'"},
        {"step,loss,loss,train error,test error\n", "r/log.csv:1: two columns are called 'loss'"},
        {NAMES "1,2,0.5\n", "r/log.csv:2: 3 fields where the first line names 4"},
        {NAMES "1,2,0.5,\n\n2,2,0.5,\n", "r/log.csv:3: 1 field where the first line names 4"},
        {NAMES "1,2,0.5,,\n", "r/log.csv:2: 5 fields where the first line names 4"},
        {NAMES "1,2,0.5,\n2,2x,0.5,\n", "r/log.csv:3: loss: '2x' is not a number"},
        {NAMES "1,0x10,0.5,\n", "r/log.csv:2: loss: '0x10' is not a number"},
        {NAMES "1,nan(1),0.5,\n", "r/log.csv:2: loss: 'nan(1)' is not a number"},
        {NAMES "1,\x1b[2J,0.5,\n", "r/log.csv:2: loss: '?[2J' is not a number"},
        {NAMES "1,2222222222222222222222222222222222222222222222222222222222222222,0.5,\n",
         "r/log.csv:2: loss: '2222222222222222222222222222222222222222' is not a number"},
        {NAMES ",2,0.5,\n", "r/log.csv:2: step: '' is not the number of a step"},
        {NAMES "1.5,2,0.5,\n", "r/log.csv:2: step: '1.5' is not the number of a step"},
        {NAMES "-1,2,0.5,\n", "r/log.csv:2: step: '-1' is not the number of a step"},
        {NAMES "inf,2,0.5,\n", "r/log.csv:2: step: 'inf' is not the number of a step"},
        {NAMES "1,2,7.9,\n", "r/log.csv:2: train error: 7.9; errors are fractions from 0 to 1"},
        {NAMES "1,2,0.5,-0.1\n", "r/log.csv:2: test error: -0.1; errors are fractions from 0 to 1"},
        {NAMES "30,2,0.5,\n12,2,0.5,\n", "r/log.csv:3: step 12 comes after step 30"},
        {NAMES "30,2,0.5,\n30,2,0.5,\n", "r/log.csv:3: step 30 comes after step 30"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rn_curves_log log;
        char error[RN_ERROR_SIZE] = "";
        CU_ASSERT_EQUAL(parse(&log, cases[i].text, error), RN_ERROR_FORMAT);
        CU_ASSERT_STRING_EQUAL(error, cases[i].error);
        if (strcmp(error, cases[i].error)) printf("%s\n", error);
        CU_ASSERT(!log.rows && !log.column[0]);
    }
    char many[200] = "step";
    for (int i = 0; i < 64; i++) strcat(many, ",x");
    strcat(many, "\n");
    rn_curves_log log;
    char error[RN_ERROR_SIZE] = "";
    CU_ASSERT_EQUAL(parse(&log, many, error), RN_ERROR_FORMAT);
    CU_ASSERT_STRING_EQUAL(error, "r/log.csv:1: more than 64 fields");
}

/* ---- means ---- */
enum { ROWS = 3000 };

typedef struct Series {
    double x[ROWS], y[ROWS], mean[ROWS];
    int kept[ROWS];
} Series;

static double draw(void) {
    static uint32_t state = 12345;
    state = state * 1664525u + 1013904223u;
    return (state >> 8) / (double)(1 << 24);
}

static void series_draw(Series *s, int rising) { /* some steps are left out, some have no value, some diverged */
    double step = 0;
    for (int i = 0; i < ROWS; i++) {
        s->x[i] = step += 1 + (draw() < 0.1 ? floor(draw() * 50) : 0);
        s->y[i] = draw() + rising * i * 0.01;
        if (draw() < 0.05) s->y[i] = NAN;
        if (draw() < 0.01) s->y[i] = INFINITY;
    }
}

/* By definition, in quadratic time. */
static double mean_by_definition(const Series *s, int i, rn_curves_smoothing smoothing, int n) {
    double sum = 0, weights = 0;
    for (int j = 0; j <= i; j++) {
        const double age = s->x[i] - s->x[j];
        const double weight = smoothing == RN_CURVES_WINDOW ? age < n : pow(1 - 2. / (n + 1), age);
        if (!isfinite(s->y[j])) continue;
        sum += weight * s->y[j];
        weights += weight;
    }
    return sum / weights;
}

static void test_smooths(void) {
    static Series s;
    series_draw(&s, 1);
    for (int smoothing = RN_CURVES_EXPONENTIAL; smoothing <= RN_CURVES_WINDOW; smoothing++)
        for (int n = 1; n <= 1000; n *= 10) {
            rn_curves_smooth(s.x, s.y, s.mean, ROWS, smoothing, n);
            double worst = 0;
            for (int i = 0; i < ROWS; i++) {
                if (!isfinite(s.y[i])) {
                    CU_ASSERT(isnan(s.y[i]) ? isnan(s.mean[i]) : isinf(s.mean[i]));
                    continue;
                }
                const double error = fabs(s.mean[i] - mean_by_definition(&s, i, smoothing, n));
                if (!(error <= worst)) worst = error;
                if (n == 1) CU_ASSERT_DOUBLE_EQUAL(s.mean[i], s.y[i], 1e-12);
            }
            CU_ASSERT(worst < 1e-11);
        }
    rn_curves_smooth(s.x, s.y, s.mean, ROWS, RN_CURVES_RAW, 100);
    CU_ASSERT_EQUAL(memcmp(s.mean, s.y, sizeof s.y), 0);

    /* a window forgets a loss that exploded */
    for (int i = 0; i < ROWS; i++) s.y[i] = i == 100 ? 1e30 : 0.1;
    rn_curves_smooth(s.x, s.y, s.mean, ROWS, RN_CURVES_WINDOW, 200);
    CU_ASSERT_DOUBLE_EQUAL(s.mean[ROWS - 1], 0.1, 1e-12);
}

/* ---- thinning ---- */
static void test_thins(void) {
    static Series s;
    const double column = 100;
    series_draw(&s, 0);
    s.y[1234] = 1e6; /* a spike of one step, each way */
    s.y[2345] = -1e6;
    const int kept = rn_curves_thin(s.x, s.y, ROWS, column, s.kept);
    const int columns = (int)(s.x[ROWS - 1] / column) + 1;
    int breaks = 0, spikes = 0, k = 0;
    for (int i = 0; i < ROWS; i++) breaks += isinf(s.y[i]);
    CU_ASSERT(kept <= 4 * (columns + breaks) + breaks && kept < ROWS / 2);
    for (int i = 0; i < kept; i++) {
        CU_ASSERT(!i || s.kept[i] > s.kept[i - 1]);
        CU_ASSERT(!isnan(s.y[s.kept[i]]));
        spikes += fabs(s.y[s.kept[i]]) == 1e6;
    }
    CU_ASSERT_EQUAL(spikes, 2);
    /* of each piece of each column: first, least, greatest, last are there, and every break */
    for (int begin = 0, end; begin < ROWS; begin = end) {
        double least = INFINITY, greatest = -INFINITY, kept_least = INFINITY, kept_greatest = -INFINITY;
        int first = -1, last = -1, kept_first = -1, kept_last = -1;
        for (end = begin; end < ROWS && (end == begin || !isinf(s.y[end])); end++) {
            if (end > begin && floor(s.x[end] / column) != floor(s.x[begin] / column)) break;
            if (isnan(s.y[end])) continue;
            if (isinf(s.y[end])) { /* a break is kept, and is a piece of its own */
                CU_ASSERT_FATAL(k < kept && s.kept[k] == end);
                k++;
                end++;
                break;
            }
            if (first < 0) first = end;
            last = end;
            least = fmin(least, s.y[end]);
            greatest = fmax(greatest, s.y[end]);
        }
        for (; k < kept && s.kept[k] < end; k++) {
            const int i = s.kept[k];
            if (kept_first < 0) kept_first = i;
            kept_last = i;
            kept_least = fmin(kept_least, s.y[i]);
            kept_greatest = fmax(kept_greatest, s.y[i]);
        }
        CU_ASSERT(first == kept_first && last == kept_last && least == kept_least && greatest == kept_greatest);
    }
    CU_ASSERT_EQUAL(k, kept);
    CU_ASSERT_EQUAL(rn_curves_thin(s.x, s.y, 0, column, s.kept), 0);
}

static void test_paths(void) {
    static const double step[] = {0, 1, 2, 3, 4, 5, 6}, value[] = {1, 0, NAN, 0.5, INFINITY, 0.25, 1e300};
    static const double alone[] = {NAN, INFINITY, 0.5, INFINITY, NAN, NAN, NAN}, negative[] = {-1, 0, 1, 1, 10, 10, 10};
    double x[7], y[7];
    int kept[7];
    const rn_curves_room room = {x, y, kept};
    static const struct {
        rn_curves_axes axes;
        const double *value;
        int points;
        const char *path;
    } cases[] = {
        {{6, 0, 1, 0}, value, 5, "M0 0l1000 3600 2000-1800M5000 2700l1000-35100"},
        {{6, 0, 1, 0}, alone, 1, "M2000 1800h0"}, /* a dot */
        {{6, 0.1, 10, 1}, negative, 5, "M2000 1800l1000 0 1000-1800 1000 0 1000 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        CU_ASSERT_EQUAL(rn_curves_path(out, &cases[i].axes, step, cases[i].value, 7, &room), cases[i].points);
        fclose(out);
        CU_ASSERT_STRING_EQUAL(text, cases[i].path);
        if (strcmp(text, cases[i].path)) printf("%s\n", text);
        free(text);
    }
}

static void test_axes(void) {
    static const struct {
        double low, high;
        int logarithmic;
        const char *ticks;
    } cases[] = {
        {0, 64000, 0, "0 10000 20000 30000 40000 50000 60000"},
        {0, 1, 0, "0 0.2 0.4 0.6 0.8 1"},
        {0, 0.22, 0, "0 0.05 0.1 0.15 0.2"},
        {0.02, 3, 1, "0.02 0.05 0.1 0.2 0.5 1 2"},
        {1e-7, 20, 1, "1e-07 1e-06 1e-05 0.0001 0.001 0.01 0.1 1 10"},
        {1e-200, 1e200, 1, NULL},
        {1.1, 1.9, 1, "1.2 1.4 1.6 1.8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double ticks[RN_CURVES_TICKS];
        char text[400] = "";
        const int count = rn_curves_ticks(cases[i].low, cases[i].high, cases[i].logarithmic, ticks);
        CU_ASSERT(count >= 2 && count <= RN_CURVES_TICKS);
        for (int k = 0; k < count; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%g", k ? " " : "", ticks[k]);
        if (cases[i].ticks) CU_ASSERT_STRING_EQUAL(text, cases[i].ticks);
        if (cases[i].ticks && strcmp(text, cases[i].ticks)) printf("%s\n", text);
    }
    static const double up[][2] = {{1, 1}, {1.1, 2}, {2, 2}, {3, 5}, {6, 10}, {0.03, 0.05}, {1280, 2000}, {1e-7, 1e-7}};
    for (size_t i = 0; i < sizeof up / sizeof *up; i++)
        CU_ASSERT_DOUBLE_EQUAL(rn_curves_round_up(up[i][0]), up[i][1], 1e-9 * up[i][1]);
}

/* ---- figures ---- */
/* Writes a log of `steps` steps as folder/NAME/log.csv; -> folder/NAME, static until the next but three. */
static const char *make_run(const char *name, int steps) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4], file[300];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    mkdir(path, 0777);
    snprintf(file, sizeof file, "%s/log.csv", path);
    FILE *log = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    fputs("step,epoch,lr,loss,train error,test error,images/s\n", log);
    for (int s = 1; s <= steps; s++) {
        fprintf(log, "%d,%g,0.1,%.5f,%.6f,", s, s / 100., 2 * draw() + 0.01, draw());
        fprintf(log, s % 100 ? ",1000\n" : "%.4f,1000\n", draw());
    }
    fclose(log);
    return path;
}

static char *read_text(const char *path, size_t *size) {
    uint8_t *bytes;
    CU_ASSERT_EQUAL_FATAL(rn_file_read(&bytes, size, path, 1 << 24, NULL, 0), RN_OK);
    char *text = realloc(bytes, *size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    text[*size] = 0;
    return text;
}

static void test_golden(void) {
    static const char *const runs[] = {"tests/golden/curves/plain", "tests/golden/curves/residual/log.csv"};
    static const char golden[] = "tests/golden/curves/figure.svg";
    char path[128], error[RN_ERROR_SIZE] = "";
    const rn_curves_options options = {.title = "plain & residual", .smooth_steps = 3};
    snprintf(path, sizeof path, "%s/figure.svg", folder);
    CU_ASSERT_EQUAL_FATAL(rn_curves_write(runs, 2, path, &options, error, sizeof error), RN_OK);
    if (getenv("UPDATE")) {
        CU_ASSERT_EQUAL(rn_curves_write(runs, 2, golden, &options, NULL, 0), RN_OK);
        return;
    }
    size_t size, golden_size;
    char *text = read_text(path, &size), *expected = read_text(golden, &golden_size);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
    free(expected);
}

/* folder/form-NUMBER.svg or .html */
static void numbered(char path[128], const char *form, int number, int html) {
    snprintf(path, 128, "%s/%s-%d.%s", folder, form, number, html ? "html" : "svg");
}

/* Whether a parser that is not ours reads folder/form-*; HTML's elements are closed, its data is JSON, nothing is
 * loaded. */
static int are_well_formed(const char *form) {
    static const char script[] =
        "import sys, json, re, html.parser, xml.etree.ElementTree as E\n"
        "def check(path, text):\n"
        "  if path.endswith('.svg'):\n"
        "    root = E.fromstring(text)\n"
        "    assert root.tag == '{http://www.w3.org/2000/svg}svg', root.tag\n"
        "    for path in root.iter('{http://www.w3.org/2000/svg}path'):\n"
        "        assert re.fullmatch(r'(M[-0-9. ]+([hlv][-0-9. ]+)*)*', path.get('d')), path.get('d')\n"
        "  else:\n"
        "    class P(html.parser.HTMLParser):\n"
        "        open = []\n"
        "        def handle_starttag(self, tag, attrs):\n"
        "            assert not any(k in ('src', 'href') for k, v in attrs), attrs\n"
        "            if tag not in ('meta', 'input'): self.open.append(tag)\n"
        "        def handle_startendtag(self, tag, attrs): pass\n"
        "        def handle_endtag(self, tag): assert self.open.pop() == tag, tag\n"
        "    p = P(); p.feed(text); p.close()\n"
        "    assert not p.open, p.open\n"
        "    data = json.loads(re.search(r'id=\"data\">(.*?)</script>', text, re.S).group(1))\n"
        "    for run in data['runs']:\n"
        "        assert len(run['step']) == len(run['loss']) == len(run['train']) <= 400\n"
        "        assert len(run['testStep']) == len(run['test'])\n"
        "    assert text.count('http') == text.count('http://www.w3.org/2000/svg') == 1\n"
        "for path in sys.argv[1:]: check(path, open(path, encoding='utf-8').read())\n";
    char command[4096];
    const char *python = getenv("PYTHON");
    snprintf(command, sizeof command, "'%s' -c \"$SCRIPT\" %s/%s-*", python ? python : "python3", folder, form);
    setenv("SCRIPT", script, 1);
    const int status = system(command);
    unsetenv("SCRIPT");
    return status == 0;
}

static void test_figures(void) {
    const char *const runs[] = {make_run("a <&> \"b\" \x01\xff\xef\xbf\xbf '", 300), make_run("none", 0),
                                make_run("one", 1), make_run("long", 64000)};
    static const rn_curves_options options[] = {
        {0}, {.title = "</script><&\x02", .smoothing = RN_CURVES_WINDOW, .log_loss = 1}, {.smoothing = RN_CURVES_RAW}};
    int written = 0;
    for (int count = 1; count <= 4; count++)
        for (int k = 0; k < 3; k++)
            for (int html = 0; html < 2; html++) {
                char path[128], error[RN_ERROR_SIZE] = "";
                numbered(path, "figure", written++, html);
                CU_ASSERT_EQUAL(rn_curves_write(runs, count, path, &options[k], error, sizeof error), RN_OK);
                struct stat info;
                CU_ASSERT(stat(path, &info) == 0 && info.st_size < 150000);
            }
    /* runs without a step alone, and many runs */
    const char *many[64];
    for (int i = 0; i < 64; i++) many[i] = runs[1 + i % 2];
    for (int count = 1; count <= 64; count *= 64) {
        char path[128];
        numbered(path, "figure", written++, count == 1);
        CU_ASSERT_EQUAL(rn_curves_write(many, count, path, NULL, NULL, 0), RN_OK);
    }
    CU_ASSERT(are_well_formed("figure"));
}

/* Values at their ends: no axis without ticks, no number that SVG does not know. */
static void test_extremes(void) {
    static const char *const rows[] = {"0,0,0,0\n",
                                       "1,1e308,0,\n2,1e308,0,\n3,1e308,0,\n",
                                       "1,5e-324,1,1\n2,0,1,1\n",
                                       "1,-5,0,\n2,-7,0,\n",
                                       "999999999999999,1,0.5,0.5\n",
                                       "1,nan,,\n",
                                       "7,,,\n"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int html = 0; html < 2; html++) {
            char file[128], path[128], error[RN_ERROR_SIZE] = "";
            snprintf(file, sizeof file, "%s/x.csv", folder);
            numbered(path, "extreme", (int)i, html);
            FILE *log = fopen(file, "w");
            fprintf(log, "step,loss,train error,test error\n%s", rows[i]);
            fclose(log);
            CU_ASSERT_EQUAL(rn_curves_write(&(const char *){file}, 1, path, &(rn_curves_options){.log_loss = !html},
                                            error, sizeof error),
                            RN_OK);
            size_t size;
            char *text = read_text(path, &size);
            CU_ASSERT_PTR_NULL(strstr(text, "nan\""));
            CU_ASSERT_PTR_NULL(strstr(text, ">inf"));
            CU_ASSERT_PTR_NULL(strstr(text, "-0<"));
            free(text);
        }
    CU_ASSERT(are_well_formed("extreme"));
}

static int has_text(const char *path, const char *text) {
    size_t size;
    char *all = read_text(path, &size);
    const int found = strstr(all, text) != NULL;
    free(all);
    return found;
}

static void test_names(void) {
    char path[128], a[300], b[300];
    snprintf(path, sizeof path, "%s/names.svg", folder);
    mkdir(make_run("x", 1), 0777);
    make_run("x/same", 3);
    make_run("same", 3);
    snprintf(a, sizeof a, "%s/same//", folder);
    snprintf(b, sizeof b, "%s/x/same/log.csv", folder);
    const char *const alike[] = {a, b};
    CU_ASSERT_EQUAL(rn_curves_write(alike, 1, path, NULL, NULL, 0), RN_OK);
    CU_ASSERT(has_text(path, ">same<title>"));
    CU_ASSERT_EQUAL(rn_curves_write(alike, 2, path, NULL, NULL, 0), RN_OK);
    CU_ASSERT(!has_text(path, ">same<title>"));
    CU_ASSERT(has_text(path, "/x/same/log.csv<title>"));
}

/* Seeds: one colour, one line with the mean and its spread. */
static void test_seeds(void) {
    static const char *const rows[] = {"1,1,0.5,0.1\n", "1,2,0.6,0.2\n", "1,4,0.5,\n"};
    const char *runs[4];
    char files[4][128], path[128], error[RN_ERROR_SIZE];
    for (int i = 0; i < 4; i++) {
        snprintf(files[i], sizeof files[i], "%s/seed-%d.csv", folder, i);
        FILE *log = fopen(files[i], "w");
        fprintf(log, "step,loss,train error,test error\n%s", rows[i % 3]);
        fclose(log);
        runs[i] = files[i];
    }
    numbered(path, "seeds", 0, 0);
    CU_ASSERT_EQUAL(rn_curves_write(runs, 4, path, &(rn_curves_options){.seeds = 2}, NULL, 0), RN_OK);
    CU_ASSERT(has_text(path, ">seed-0 to seed-1<title>"));
    CU_ASSERT(has_text(path, ">seed-2 to seed-3<title>"));
    CU_ASSERT(has_text(path, ">55.00 % (50.00\xe2\x80\x93"
                             "60.00)<"));
    CU_ASSERT(has_text(path, ">15.00 % (10.00\xe2\x80\x93"
                             "20.00)<"));
    CU_ASSERT(has_text(path, ">10.00 %<")); /* one of the two has a test */
    CU_ASSERT(has_text(path, ">1.5000<"));
    CU_ASSERT(has_text(path, "#d55e00") && !has_text(path, "#009e73"));
    numbered(path, "seeds", 1, 1);
    CU_ASSERT_EQUAL(rn_curves_write(runs, 4, path, &(rn_curves_options){.seeds = 2}, NULL, 0), RN_OK);
    CU_ASSERT(has_text(path, ".r1,.s1{--c:var(--k0)") && has_text(path, ".r2,.s2{--c:var(--k1)"));
    CU_ASSERT(are_well_formed("seeds"));
    CU_ASSERT_EQUAL(rn_curves_write(runs, 3, path, &(rn_curves_options){.seeds = 2}, error, sizeof error),
                    RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error, "3 runs are no multiple of 2 seeds");
    CU_ASSERT_EQUAL(rn_curves_write(runs, 3, path, &(rn_curves_options){.seeds = -1}, NULL, 0), RN_ERROR_ARGUMENT);
}

/* A figure is written whole or not at all; what was there before stays. */
static void test_errors(void) {
    char path[128], broken[128], none[128], error[RN_ERROR_SIZE], expected[RN_ERROR_SIZE];
    snprintf(path, sizeof path, "%s/kept.svg", folder);
    snprintf(broken, sizeof broken, "%s/broken.csv", folder);
    snprintf(none, sizeof none, "%s/missing", folder);
    const char *good = make_run("good", 10), *runs[65];
    for (int i = 0; i < 65; i++) runs[i] = good;
    CU_ASSERT_EQUAL_FATAL(rn_curves_write(runs, 1, path, NULL, NULL, 0), RN_OK);
    size_t size, after;
    char *before = read_text(path, &size);

    FILE *log = fopen(broken, "w");
    fputs("step,loss,train error,test error\n1,1,1,1\n2,x,1,1\n", log);
    fclose(log);
    runs[1] = broken;
    CU_ASSERT_EQUAL(rn_curves_write(runs, 2, path, NULL, error, sizeof error), RN_ERROR_FORMAT);
    snprintf(expected, sizeof expected, "%s:3: loss: 'x' is not a number", broken);
    CU_ASSERT_STRING_EQUAL(error, expected);
    runs[1] = none;
    CU_ASSERT_EQUAL(rn_curves_write(runs, 2, path, NULL, error, sizeof error), RN_ERROR_FILE);
    snprintf(expected, sizeof expected, "%s: cannot open: No such file or directory", none);
    CU_ASSERT_STRING_EQUAL(error, expected);
    runs[1] = folder;
    CU_ASSERT_EQUAL(rn_curves_write(runs, 2, path, NULL, error, sizeof error), RN_ERROR_FILE);
    snprintf(expected, sizeof expected, "%s/log.csv: cannot open: No such file or directory", folder);
    CU_ASSERT_STRING_EQUAL(error, expected);
    runs[1] = good;
    CU_ASSERT_EQUAL(rn_curves_write(runs, 65, path, NULL, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_curves_write(runs, 0, path, NULL, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_curves_write(runs, 1, path, &(rn_curves_options){.error_limit = 20}, error, sizeof error),
                    RN_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(rn_curves_write(runs, 1, "x.png", NULL, error, sizeof error), RN_ERROR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(error, "x.png: curves are written as .svg or .html, which its name does not end in");
    CU_ASSERT_EQUAL(rn_curves_write(runs, 1, "/nowhere/x.svg", NULL, error, sizeof error), RN_ERROR_FILE);

    char *text = read_text(path, &after);
    CU_ASSERT(size == after && !memcmp(text, before, size));
    free(text);
    free(before);
    int left = 0; /* no temporary file */
    DIR *listing = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(listing));) left += strstr(entry->d_name, ".svg.") != NULL;
    closedir(listing);
    CU_ASSERT_EQUAL(left, 0);
}

/* An application's language does not change a figure's numbers. */
static void test_locale(void) {
    char a[128], b[128];
    snprintf(a, sizeof a, "%s/a.svg", folder);
    snprintf(b, sizeof b, "%s/b.svg", folder);
    const char *run = make_run("l", 200);
    CU_ASSERT_EQUAL(rn_curves_write(&run, 1, a, NULL, NULL, 0), RN_OK);
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) return; /* not installed here */
    CU_ASSERT_EQUAL(rn_curves_write(&run, 1, b, NULL, NULL, 0), RN_OK);
    setlocale(LC_NUMERIC, "C");
    size_t size, other;
    char *text = read_text(a, &size), *same = read_text(b, &other);
    CU_ASSERT_STRING_EQUAL(text, same);
    free(text);
    free(same);
}

void suite_curves(void) {
    CU_pSuite s = CU_add_suite("unit/curves", make_folder, remove_folder);
    CU_add_test(s, "logs", test_reads);
    CU_add_test(s, "broken logs", test_refuses);
    CU_add_test(s, "means", test_smooths);
    CU_add_test(s, "thinning keeps extremes", test_thins);
    CU_add_test(s, "paths", test_paths);
    CU_add_test(s, "axes", test_axes);
    CU_add_test(s, "a small figure", test_golden);
    CU_add_test(s, "figures are well-formed", test_figures);
    CU_add_test(s, "values at their ends", test_extremes);
    CU_add_test(s, "names", test_names);
    CU_add_test(s, "seeds", test_seeds);
    CU_add_test(s, "errors", test_errors);
    CU_add_test(s, "any language", test_locale);
}
