/* An open data set, for the readers that fill it; see data.h. */
#ifndef RN_DATA_SET_H
#define RN_DATA_SET_H

#include "core/pages.h"
#include "data/data.h"

enum { RN_DATA_BLOCKS = 5, RN_DATA_FILES = 8, RN_DATA_PATH = 4096, RN_DATA_MAX_CLASSES = 1 << 20 };

typedef struct rn_data_file { /* a file in memory */
    char *path;
    rn_pages pages;    /* mapped, or */
    uint8_t *inflated; /* decompressed */
    const uint8_t *bytes;
    size_t size;
} rn_data_file;

typedef struct rn_data_block { /* pictures that lie in memory one after another, planar C x H x W */
    const uint8_t *bytes;      /* of the first; of floats, aligned as they must be */
    size_t stride;             /* bytes from one to the next */
    uint32_t first, count;     /* their numbers in the split */
    const rn_data_file *file;
} rn_data_block;

typedef struct rn_data_part { /* a split */
    uint32_t count;
    int32_t *labels;                      /* count */
    rn_data_block blocks[RN_DATA_BLOCKS]; /* pictures in memory */
    int block_count;
    size_t *names; /* of files: where in rn_data.text each picture's begins: its path, */
    char *folder;  /* or where this is not NULL, its file's name in the class's folder of this one */
} rn_data_part;

typedef struct rn_data_kind {
    const char *word; /* of SPEC */
    const char *what; /* what comes behind it: DIR or FILE */
    int only_tests;   /* 1: it has no training pictures */
    /* Fills all of the set but spec, folder and hash. */
    rn_status (*open)(rn_data *data);
} rn_data_kind;

struct rn_data {
    rn_data_info info;
    const rn_data_kind *kind;
    char *spec;
    const char *folder; /* the end of spec */
    int tests;          /* 1: the test set alone is opened */
    rn_data_part part[RN_SPLITS];
    int floats; /* 1: elements of blocks are floats, 0: bytes */
    rn_data_file files[RN_DATA_FILES];
    int file_count;
    const char **class_names; /* into text or a file's copy; info has it */
    char *text;               /* names of classes and files, each ended by 0 */
    size_t text_size, text_capacity;
    char *error; /* of the call that is under way: open alone */
    size_t error_size;
};

rn_status rn_data_open_cifar10(rn_data *data);
rn_status rn_data_open_cifar100(rn_data *data);
rn_status rn_data_open_idx(rn_data *data);
rn_status rn_data_open_list(rn_data *data);
rn_status rn_data_open_folder(rn_data *data);
rn_status rn_data_open_npy(rn_data *data);

/* Words the error of the call under way. */
rn_status rn_data_fail(rn_data *data, rn_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
rn_status rn_data_no_memory(rn_data *data);

/* path = FOLDER/name, or an error where it is too long. */
rn_status rn_data_path(rn_data *data, char path[RN_DATA_PATH], const char *name);
/* Has FOLDER/name in memory until the set is closed. */
rn_status rn_data_file_map(rn_data *data, const rn_data_file **file, const char *name);
/* The same for FOLDER/name, or decompressed FOLDER/name.gz where there is no such file. */
rn_status rn_data_file_inflate(rn_data *data, const rn_data_file **file, const char *name);

typedef struct rn_data_names { /* grows to a part's names and labels */
    rn_data_part *part;
    size_t capacity;
} rn_data_names;
/* Adds a picture's file. */
rn_status rn_data_names_add(rn_data *data, rn_data_names *names, const char *name, int label);
/* Whether a file's name ends as those of pictures do: .png, .jpg, .jpeg. */
int rn_data_is_picture(const char *name);
/* The next line of text, what is empty behind it cut off and its end made a 0; NULL at the end. */
char *rn_data_next_line(char **at);
/* Appends a string to data->text; *at is where it begins. */
rn_status rn_data_text_add(rn_data *data, const char *string, size_t *at);
/* info.class_names from the lines of FOLDER/name, one for each of info.classes; none where there is no such file. */
rn_status rn_data_read_class_names(rn_data *data, const char *name);

/* Checks info.picture: sides and their product are what a picture may have. */
rn_status rn_data_check_shape(rn_data *data, const char *path, size_t offset, size_t c, size_t h, size_t w);
/* part->labels for part->count pictures. */
rn_status rn_data_allocate_labels(rn_data *data, rn_data_part *part);
/* Where the labels of a split lie in its file: from byte `at`, `each` bytes a label */
typedef struct rn_data_labels {
    const rn_data_file *file;
    size_t at, each;
} rn_data_labels;
/* info.classes from the labels for training, at least 0 all; the test's must be among them. */
rn_status rn_data_count_classes(rn_data *data, const rn_data_labels where[RN_SPLITS]);

#endif
