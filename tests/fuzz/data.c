/* Data sets: a folder of any files, opened as a kind that the first line names (a list's is val.txt).
 *
 * An input is that line and, for each file, its path, the size of its content in two bytes, little-endian, and the
 * content: "idx\nclasses.txt\n" 3 0 "a\nb". A path has no "..", and begins with a letter or digit.
 */
#include "data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const uint8_t *at = bytes, *end = bytes + size, *content;
    char kind[FOLDER_PATH], name[FOLDER_PATH];
    size_t count;
    folder_make();
    if (!size || !folder_take_line(&at, end, kind)) return 0;
    for (int files = 0; files < FOLDER_FILES && folder_take_line(&at, end, name) &&
                        (content = folder_take_content(&at, end, &count)) != NULL;
         files++)
        if (folder_is_path(name)) folder_write(name, content, count);
    data_check(kind, strcmp(kind, "list") ? "" : "/val.txt");
    return 0;
}
