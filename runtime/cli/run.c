/* run IN.npy OUT.npy...: any number of images, in batches as large as the network takes. */
#include "cli.h"
#include "image/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An image's dimensions as an array has them. */
static void image_dims(rn_shape s, rn_layout layout, size_t dim[3]) {
    const int last = layout == RN_NHWC;
    dim[0] = (size_t)(last ? s.h : s.c), dim[1] = (size_t)(last ? s.w : s.h), dim[2] = (size_t)(last ? s.c : s.w);
}

/* N x C x H x W, or C x H x W for one image, or the same channels last; 0: none of them */
static size_t input_images(const rn_npy *in, const rn_model *model) {
    size_t tail[3];
    image_dims(model->input, model->input_layout, tail);
    if (in->ndim < 3 || in->ndim > 4 || memcmp(in->dim + in->ndim - 3, tail, sizeof tail)) return 0;
    return in->ndim == 4 ? in->dim[0] : 1;
}

static int wrong_shape(const Cli *cli, const rn_npy *in) {
    char shape[8 * 24] = "";
    for (int i = 0; i < in->ndim; i++) {
        const size_t n = strlen(shape);
        snprintf(shape + n, sizeof shape - n, "%s%zu", i ? " x " : "", in->dim[i]);
    }
    size_t want[3];
    image_dims(cli->model->input, cli->model->input_layout, want);
    return cli_fail(cli, "%s: shape %s; %s takes N x %zu x %zu x %zu, N at least 1", cli->files[0],
                    in->ndim ? shape : "()", cli->model->name, want[0], want[1], want[2]);
}

static size_t shape_size(rn_shape s) {
    return (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static int run_batches(const Cli *cli, Net *net, const rn_npy *in, size_t images, float *out) {
    const rn_model *m = cli->model;
    const size_t one = shape_size(m->input);
    for (size_t at = 0; at < images; at += (size_t)m->batch) {
        const size_t left = images - at;
        const int batch = left < (size_t)m->batch ? (int)left : m->batch;
        if (m->run(net->net, batch, in->data + at * one, out + at * m->output_size))
            return cli_fail(cli, "%s", m->message(net->net));
    }
    return CLI_OK;
}

/* N x C, or N x C x H x W or N x H x W x C where it has pixels: how many, to `dim` */
static int output_dims(const rn_output *o, size_t images, size_t dim[4]) {
    const int flat = o->shape.h == 1 && o->shape.w == 1;
    dim[0] = images;
    image_dims(o->shape, flat ? RN_NCHW : o->layout, dim + 1);
    return flat ? 2 : 4;
}

/* One output of all images, gathered, to its file */
static int write_output(const Cli *cli, int index, size_t offset, const float *all, size_t images, float *gathered) {
    const rn_output *o = &cli->model->outputs[index];
    const size_t size = shape_size(o->shape);
    for (size_t i = 0; i < images; i++)
        memcpy(gathered + i * size, all + i * cli->model->output_size + offset, size * sizeof *all);
    size_t dim[4];
    char error[RN_ERROR_SIZE];
    const int dims = output_dims(o, images, dim);
    if (rn_npy_write(cli->files[1 + index], gathered, dims, dim, error, sizeof error))
        return cli_fail(cli, "%s", error);
    return CLI_OK;
}

static int write_outputs(const Cli *cli, const float *all, size_t images, double seconds) {
    const rn_model *m = cli->model;
    float *gathered = cli_allocate(images * m->output_size, sizeof *gathered);
    if (!gathered) return cli_fail(cli, "out of memory");
    cJSON *outputs = cJSON_CreateArray();
    int status = CLI_OK;
    size_t offset = 0;
    for (int i = 0; i < m->output_count && !status; i++) {
        size_t dim[4];
        status = write_output(cli, i, offset, all, images, gathered);
        offset += shape_size(m->outputs[i].shape);
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", m->outputs[i].name);
        cJSON_AddStringToObject(row, "file", cli->files[1 + i]);
        const int dims = output_dims(&m->outputs[i], images, dim);
        cJSON_AddItemToObject(row, "shape", cli_json_shape(dim, dims));
        cJSON_AddItemToArray(outputs, row);
    }
    free(gathered);
    if (status || !cli->json) {
        cJSON_Delete(outputs);
        return status;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "network", m->name);
    cJSON_AddNumberToObject(json, "images", (double)images);
    cJSON_AddNumberToObject(json, "ms", seconds * 1e3);
    cJSON_AddItemToObject(json, "outputs", outputs);
    return cli_print_json(cli, json);
}

static int is_same_file(const char *path, const char *other) {
    struct stat a, b;
    if (stat(path, &a) || stat(other, &b)) return !strcmp(path, other);
    return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Writing over the input, the weights or the program, or one output over another, would lose what is there. */
static int check_files(const Cli *cli) {
    char *weights;
    const char *lost = NULL;
    if (!cli_weights_path(cli, &weights, &(bool){false})) return CLI_FAILED;
    for (int i = 1; i <= cli->model->output_count && !lost; i++) {
        if (weights && is_same_file(cli->files[i], weights)) lost = "the weights";
        if (is_same_file(cli->files[i], "/proc/self/exe")) lost = "this program";
        if (lost) cli_fail(cli, "%s would overwrite %s", cli->files[i], lost);
    }
    free(weights);
    if (lost) return CLI_FAILED;
    for (int i = 1; i <= cli->model->output_count; i++) {
        for (int j = 0; j < i; j++) {
            if (is_same_file(cli->files[i], cli->files[j]))
                return cli_fail(cli, "%s would overwrite %s", cli->files[i], j ? "another output" : "the input");
        }
    }
    return CLI_OK;
}

int cli_run(const Cli *cli) {
    char error[RN_ERROR_SIZE];
    rn_npy in;
    if (check_files(cli)) return CLI_FAILED;
    if (rn_npy_read(&in, cli->files[0], error, sizeof error)) return cli_fail(cli, "%s", error);
    const size_t images = input_images(&in, cli->model);
    int status = images ? CLI_OK : wrong_shape(cli, &in);
    float *out = NULL;
    Net net = {0};
    if (!status) {
        out = cli_allocate(images * cli->model->output_size, sizeof *out);
        if (!out) status = cli_fail(cli, "no memory for the outputs of %zu images", images);
    }
    if (!status && !net_open(&net, cli, NULL, NULL)) status = CLI_FAILED;
    if (!status) {
        const double start = time_now();
        status = run_batches(cli, &net, &in, images, out);
        const double seconds = time_now() - start;
        if (!status) status = write_outputs(cli, out, images, seconds);
    }
    net_close(&net, cli);
    free(out);
    rn_npy_free(&in);
    return status;
}
