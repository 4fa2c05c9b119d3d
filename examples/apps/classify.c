/* Image classification with a network that rnc compiled, in C.
 *
 *     rnc -o resnet50.c --weights resnet50.safetensors resnet50.rn
 *     cc -DNET=resnet50 classify.c resnet50.c $(pkg-config --cflags --libs rn) -o classify
 *     ./classify resnet50.rnw labels.txt cat.jpg dog.png        ("-" for labels.txt: numbers only)
 *
 * An application of one network would write resnet50_create and so on; NET only lets this file serve any of them.
 */
#ifndef NET
#error "compile with -DNET=NAME, the network's name"
#endif
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#include TEXT(NET.h)

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5, LABEL = 128 };

static int fail(const char *text) {
    fprintf(stderr, "classify: %s\n", text);
    return 1;
}

/* The line of the class in the labels file; "" where there is none */
static const char *label_of(FILE *labels, int class, char *line) {
    *line = 0;
    if (!labels) return line;
    rewind(labels);
    for (int i = 0; i <= class; i++)
        if (!fgets(line, LABEL, labels)) return "";
    line[strcspn(line, "\r\n")] = 0;
    return strncmp(line, "\xef\xbb\xbf", 3) ? line : line + 3; /* without a byte order mark */
}

static void print_top(const float *output, int classes, int probabilities, FILE *labels) {
    double largest = output[0], sum = 0;
    for (int i = 1; i < classes; i++)
        if (output[i] > largest) largest = output[i];
    for (int i = 0; i < classes; i++) sum += exp(output[i] - largest);
    float bound = INFINITY;
    for (int rank = 0, last = -1; rank < TOP && rank < classes; rank++) {
        int best = -1; /* the next below `bound`; equal ones by their index */
        for (int i = 0; i < classes; i++)
            if ((output[i] < bound || (output[i] == bound && i > last)) && (best < 0 || output[i] > output[best]))
                best = i;
        if (best < 0) break; /* NaN */
        char line[LABEL];
        const double probability = probabilities ? output[best] : exp(output[best] - largest) / sum;
        printf("  %6.2f %%  %4d  %s\n", 100 * probability, best, label_of(labels, best, line));
        bound = output[best];
        last = best;
    }
}

int main(int argc, char **argv) {
    char error[RN_ERROR_SIZE];
    if (argc < 4) {
        fprintf(stderr, "usage: classify WEIGHTS LABELS|- IMAGE...\n");
        return 2;
    }
    const rn_model *model = JOIN(NET, model)();
    FILE *labels = strcmp(argv[2], "-") ? fopen(argv[2], "r") : NULL;
    if (!labels && strcmp(argv[2], "-")) return fail("cannot open the labels");

    rn_weights *weights;
    if (rn_weights_open(&weights, model, argv[1], error, sizeof error)) return fail(error);
    NET *net;
    const rn_options options = {.threads = 1, .error = error, .error_size = sizeof error};
    if (JOIN(NET, create)(&net, NULL, 0, weights, &options)) {
        rn_weights_close(weights);
        return fail(error);
    }
    float *output = malloc(model->output_size * sizeof *output);
    int status = output ? 0 : fail("out of memory");
    for (int i = 3; i < argc && output; i++) {
        rn_image image;
        if (rn_image_read(&image, argv[i], error, sizeof error)) {
            status = fail(error);
            continue;
        }
        const uint8_t *rgb[1] = {image.rgb};
        if (JOIN(NET, run_rgb)(net, 1, rgb, &image.height, &image.width, output)) {
            status = fail(JOIN(NET, message)(net));
        } else {
            printf("%s\n", argv[i]);
            const int classes = model->outputs[model->output_count - 1].shape.c; /* of several outputs, the last */
            print_top(output + model->output_size - classes, classes, model->probabilities, labels);
        }
        rn_image_free(&image);
    }
    free(output);
    JOIN(NET, destroy)(net);
    rn_weights_close(weights);
    if (labels) fclose(labels);
    return status;
}
