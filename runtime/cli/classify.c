/* classify IMAGE...: the likeliest classes of each picture, with their probabilities. A network that ends in logits
 * gets its softmax here; a file that cannot be read is reported and the others go on. */
#include "cli.h"
#include "image/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rn_shape result_shape(const rn_model *model) {
    return model->outputs[model->output_count - 1].shape;
}

typedef struct Ranked {
    int index;
    double probability;
} Ranked;

static int ranked_compare(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool rank(Ranked *ranked, const float *output, int classes, bool probabilities) {
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < classes; i++) {
        if (!isfinite(output[i])) return false;
        if (output[i] > largest) largest = output[i];
    }
    for (int i = 0; i < classes; i++) {
        ranked[i].index = i;
        ranked[i].probability = probabilities ? output[i] : exp(output[i] - largest);
        sum += ranked[i].probability;
    }
    for (int i = 0; i < classes && !probabilities; i++) ranked[i].probability /= sum;
    qsort(ranked, (size_t)classes, sizeof *ranked, ranked_compare);
    return true;
}

static void report_text(const char *file, const Ranked *ranked, int top, const Labels *labels) {
    printf("%s\n", file);
    for (int i = 0; i < top; i++) {
        const int index = ranked[i].index;
        printf("  %6.2f %%  %4d%s%s\n", 100 * ranked[i].probability, index, labels->name ? "  " : "",
               labels->name ? labels->name[index] : "");
    }
}

static cJSON *report_json(const char *file, const Ranked *ranked, int top, const Labels *labels) {
    cJSON *picture = cJSON_CreateObject(), *list = cJSON_CreateArray();
    cJSON_AddStringToObject(picture, "file", file);
    cJSON_AddItemToObject(picture, "top", list);
    for (int i = 0; i < top; i++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddNumberToObject(row, "class", ranked[i].index);
        if (labels->name) cJSON_AddStringToObject(row, "label", labels->name[ranked[i].index]);
        cJSON_AddNumberToObject(row, "probability", ranked[i].probability);
        cJSON_AddItemToArray(list, row);
    }
    return picture;
}

/* One picture through the network, its classes sorted; false: said why. */
static bool classify_one(const Cli *cli, Net *net, const char *file, float *output, Ranked *ranked) {
    const rn_model *m = cli->model;
    char error[RN_ERROR_SIZE];
    rn_image image;
    if (rn_image_read(&image, file, error, sizeof error)) {
        cli_fail(cli, "%s", error);
        return false;
    }
    const uint8_t *rgb[1] = {image.rgb};
    rn_status status = m->run_rgb(net->net, 1, rgb, &image.height, &image.width, output);
    rn_image_free(&image);
    if (status) {
        cli_fail(cli, "%s: %s", file, m->message(net->net));
        return false;
    }
    const int classes = result_shape(m).c; /* which come last */
    if (!rank(ranked, output + m->output_size - (size_t)classes, classes, m->probabilities)) {
        cli_fail(cli, "%s: the network's output is not finite", file);
        return false;
    }
    return true;
}

/* rnc --random-weights made these numbers: their classes mean nothing, and a reader must be told */
static bool weights_are_random(const Cli *cli) {
    return !cli->weights && cli->model->command && strstr(cli->model->command, "--random-weights");
}

static int classify_all(const Cli *cli, Net *net, const Labels *labels, float *output, Ranked *ranked) {
    const int classes = result_shape(cli->model).c, top = cli->top < classes ? cli->top : classes;
    cJSON *pictures = cli->json ? cJSON_CreateArray() : NULL;
    int status = CLI_OK;
    for (int i = 0; i < cli->file_count; i++) {
        if (!classify_one(cli, net, cli->files[i], output, ranked))
            status = CLI_FAILED;
        else if (cli->json)
            cJSON_AddItemToArray(pictures, report_json(cli->files[i], ranked, top, labels));
        else
            report_text(cli->files[i], ranked, top, labels);
    }
    if (cli->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "network", cli->model->name);
        if (weights_are_random(cli)) cJSON_AddTrueToObject(json, "random_weights");
        cJSON_AddItemToObject(json, "pictures", pictures);
        int printed = cli_print_json(cli, json);
        if (!status) status = printed;
    } else if (weights_are_random(cli)) {
        printf("note: random weights (rnc --random-weights): these classes mean nothing\n");
    }
    return status;
}

int cli_classify(const Cli *cli) {
    const rn_model *m = cli->model;
    const rn_shape shape = result_shape(m);
    if (shape.h != 1 || shape.w != 1)
        return cli_fail(cli, "%s gives %d x %d x %d numbers, not one per class: use 'run'", m->name, shape.c, shape.h,
                        shape.w);
    Labels labels;
    Net net = {0};
    int status = labels_read(&labels, cli, shape.c);
    float *output = cli_allocate(m->output_size, sizeof *output);
    Ranked *ranked = cli_allocate((size_t)shape.c, sizeof *ranked);
    if (!status && (!output || !ranked)) status = cli_fail(cli, "out of memory");
    if (!status && !net_open(&net, cli, NULL, NULL)) status = CLI_FAILED;
    if (!status) status = classify_all(cli, &net, &labels, output, ranked);
    net_close(&net, cli);
    free(output);
    free(ranked);
    labels_free(&labels);
    return status;
}
