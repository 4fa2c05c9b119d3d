/* What eval says: text, JSON, a page. */
#include "eval.h"
#include "core/file.h"
#include "eval/page.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(const Eval *eval, int32_t class) {
    return eval->names && class >= 0 ? eval->names[class] : NULL;
}

/* ---- JSON ---- */

static void add_share(cJSON *json, const char *name, int64_t hits, int64_t n) {
    char interval[64];
    const rn_interval i = rn_wilson(hits, n);
    cJSON_AddNumberToObject(json, name, (double)hits / (double)n);
    snprintf(interval, sizeof interval, "%s_interval", name);
    cJSON *list = cJSON_AddArrayToObject(json, interval);
    cJSON_AddItemToArray(list, cJSON_CreateNumber(i.low));
    cJSON_AddItemToArray(list, cJSON_CreateNumber(i.high));
}

static void add_class(cJSON *json, const Eval *eval, const char *number, const char *name, int32_t class) {
    cJSON_AddNumberToObject(json, number, class);
    if (name_of(eval, class)) cJSON_AddStringToObject(json, name, name_of(eval, class));
}

static int report_json(const Eval *eval) {
    enum { CONFUSIONS = 100 };
    const rn_tally *t = &eval->tally;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "network", eval->cli->model->name);
    cJSON_AddStringToObject(json, "data", eval->cli->data);
    cJSON_AddStringToObject(json, "protocol", eval->protocol);
    cJSON_AddNumberToObject(json, "pictures", (double)t->pictures);
    cJSON_AddNumberToObject(json, "left_out", (double)(t->count - t->pictures));
    cJSON_AddNumberToObject(json, "averaged", eval->member_count);
    add_share(json, "top1_error", t->pictures - t->right, t->pictures);
    add_share(json, "top5_error", t->pictures - t->right5, t->pictures);
    cJSON_AddNumberToObject(json, "loss", t->loss / (double)t->pictures);
    cJSON *classes = cJSON_AddArrayToObject(json, "classes");
    for (int k = 0; k < t->classes; k++) {
        cJSON *row = cJSON_CreateObject();
        add_class(row, eval, "class", "label", k);
        cJSON_AddNumberToObject(row, "pictures", (double)t->class[k].pictures);
        cJSON_AddNumberToObject(row, "right", (double)t->class[k].right);
        cJSON_AddNumberToObject(row, "right5", (double)t->class[k].right5);
        cJSON_AddNumberToObject(row, "predicted", (double)t->class[k].predicted);
        cJSON_AddItemToArray(classes, row);
    }
    cJSON *confusions = cJSON_AddArrayToObject(json, "confusions");
    for (size_t i = 0; i < t->confusion_count && i < CONFUSIONS; i++) {
        cJSON *row = cJSON_CreateObject();
        add_class(row, eval, "class", "label", t->confusions[i].label);
        add_class(row, eval, "predicted", "predicted_label", t->confusions[i].predicted);
        cJSON_AddNumberToObject(row, "pictures", (double)t->confusions[i].pictures);
        cJSON_AddItemToArray(confusions, row);
    }
    return cli_print_json(eval->cli, json);
}

/* ---- text ---- */

static void print_share(const char *what, int64_t right, int64_t n) {
    const rn_interval i = rn_wilson(right, n);
    printf("  %s: %.2f %% right (%.2f to %.2f %% with 95 %% confidence)\n", what, 100 * (double)right / (double)n,
           100 * i.low, 100 * i.high);
}

static void print_classes(const Eval *eval) {
    const rn_tally *t = &eval->tally;
    printf("  class  pictures   top-1   95 %% confidence     top-5  taken for it  name\n");
    for (int k = 0; k < t->classes; k++) {
        const rn_tally_class *c = &t->class[k];
        const double n = (double)c->pictures;
        const char *name = name_of(eval, k) ? name_of(eval, k) : "";
        if (!c->pictures) {
            printf("  %5d %9d %48lld  %s\n", k, 0, (long long)c->predicted, name);
            continue;
        }
        const rn_interval i = rn_wilson(c->right, c->pictures);
        printf("  %5d %9lld %6.2f %%  %5.1f to %5.1f %% %7.2f %% %13lld  %s\n", k, (long long)c->pictures,
               100 * (double)c->right / n, 100 * i.low, 100 * i.high, 100 * (double)c->right5 / n,
               (long long)c->predicted, name);
    }
}

static void report_text(const Eval *eval) {
    const rn_tally *t = &eval->tally;
    const double n = (double)t->pictures;
    printf("%s: %lld pictures: top-1 error %.2f %%, top-5 error %.2f %%, loss %.4f\n", eval->cli->data,
           (long long)t->pictures, 100 * (double)(t->pictures - t->right) / n,
           100 * (double)(t->pictures - t->right5) / n, t->loss / n);
    print_share("top-1", t->right, t->pictures);
    print_share("top-5", t->right5, t->pictures);
    printf("  pictures: %s\n", eval->protocol);
    if (t->count > t->pictures) printf("  left out: %lld\n", (long long)t->count - (long long)t->pictures);
    if (eval->member_count > 1) printf("  the mean of %d\n", eval->member_count);
    if (eval->cli->eval.per_class) print_classes(eval);
}

int eval_check_files(const Eval *eval) {
    char error[RN_ERROR_SIZE];
    const Cli *cli = eval->cli;
    const char *html = cli->eval.html, *probabilities = cli->eval.probabilities;
    if (html && probabilities && !strcmp(html, probabilities))
        return cli_usage(cli, "--html and --probabilities are one file, '%s'", html);
    if ((html && rn_file_check(html, error, sizeof error)) ||
        (probabilities && rn_file_check(probabilities, error, sizeof error)))
        return cli_fail(cli, "%s", error);
    return CLI_OK;
}

/* The files that were asked for; one that cannot be written does not keep the other from being. */
static int write_files(const Eval *eval) {
    char error[RN_ERROR_SIZE];
    const Cli *cli = eval->cli;
    const rn_eval_page page = {.network = cli->model->name,
                               .protocol = eval->protocol,
                               .data = eval->data,
                               .tally = &eval->tally,
                               .names = eval->names};
    const size_t dim[] = {eval->tally.count, (size_t)eval->classes};
    int status = CLI_OK;
    if (cli->eval.probabilities &&
        rn_npy_write(cli->eval.probabilities, eval->probabilities, 2, dim, error, sizeof error))
        status = cli_fail(cli, "%s", error);
    if (cli->eval.html && rn_eval_page_write(&page, cli->eval.html, error, sizeof error))
        status = cli_fail(cli, "%s", error);
    return status;
}

int eval_report(const Eval *eval) {
    int status = CLI_OK;
    if (eval->cli->json)
        status = report_json(eval);
    else
        report_text(eval);
    fflush(stdout); /* what may have taken hours is said, whatever becomes of files */
    const int written = write_files(eval);
    return status ? status : written;
}
