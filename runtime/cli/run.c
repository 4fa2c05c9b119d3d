/* run IN.npy OUT.npy...: any number of images, in batches as large as the network takes. */
#include "cli.h"
#include "image/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* N x C x H x W, or C x H x W for one image; 0: neither */
static size_t input_images(const rn_npy *in, rn_shape want) {
    const size_t tail[3] = {(size_t)want.c, (size_t)want.h, (size_t)want.w};
    if (in->ndim < 3 || in->ndim > 4 || memcmp(in->dim + in->ndim - 3, tail, sizeof tail)) return 0;
    return in->ndim == 4 ? in->dim[0] : 1;
}

static int wrong_shape(const Cli *cli, const rn_npy *in) {
    char shape[8 * 24] = "";
    for (int i = 0; i < in->ndim; i++) {
        const size_t n = strlen(shape);
        snprintf(shape + n, sizeof shape - n, "%s%zu", i ? " x " : "", in->dim[i]);
    }
    const rn_shape s = cli->model->input;
    return cli_fail(cli, "%s: shape %s; %s takes N x %d x %d x %d, N at least 1", cli->files[0],
                    in->ndim ? shape : "()", cli->model->name, s.c, s.h, s.w);
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

static int output_dims(rn_shape s) {
    return s.h == 1 && s.w == 1 ? 2 : 4;
}

/* One output of all images, gathered, to its file: N x C, or N x C x H x W where it has pixels */
static int write_output(const Cli *cli, int index, size_t offset, const float *all, size_t images, float *gathered) {
    const rn_output *o = &cli->model->outputs[index];
    const size_t size = shape_size(o->shape);
    for (size_t i = 0; i < images; i++)
        memcpy(gathered + i * size, all + i * cli->model->output_size + offset, size * sizeof *all);
    const size_t dim[4] = {images, (size_t)o->shape.c, (size_t)o->shape.h, (size_t)o->shape.w};
    char error[RN_ERROR_SIZE];
    if (rn_npy_write(cli->files[1 + index], gathered, output_dims(o->shape), dim, error, sizeof error))
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
        const rn_shape s = m->outputs[i].shape;
        status = write_output(cli, i, offset, all, images, gathered);
        offset += shape_size(s);
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", m->outputs[i].name);
        cJSON_AddStringToObject(row, "file", cli->files[1 + i]);
        const size_t dim[4] = {images, (size_t)s.c, (size_t)s.h, (size_t)s.w};
        cJSON_AddItemToObject(row, "shape", cli_json_shape(dim, output_dims(s)));
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
    char *weights = cli_weights_path(cli, &(bool){false});
    const char *lost = NULL;
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
    const size_t images = input_images(&in, cli->model->input);
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
