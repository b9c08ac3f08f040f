/* Paths of group_by: the value of an attribute, which anybody may have chosen, in the place of the `*`. */
#include <stdio.h>

#include "exporters/file/grouping.h"

struct path {
    char text[GROUP_PATH_SIZE];
    size_t size;
    size_t floor; /* ".." goes no further up than this */
    bool failed;
};

static void append(struct path *path, const char *text, size_t size)
{
    if (path->size + size >= sizeof(path->text)) {
        path->failed = true;
        return;
    }
    memcpy(path->text + path->size, text, size);
    path->size += size;
    path->text[path->size] = '\0';
}

/* The last folder and its slash, if it is above the floor. */
static void go_up(struct path *path)
{
    size_t size = path->size;

    if (size > path->floor && path->text[size - 1] == '/')
        size--;
    while (size > path->floor && path->text[size - 1] != '/')
        size--;
    path->size = size;
    path->text[size] = '\0';
}

/* "a/./b/../c" lexically, component by component, onto a path that ends in a slash or is empty. */
static void append_clean(struct path *path, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "/");
        bool last = text[length] == '\0';

        if (length == 2 && text[0] == '.' && text[1] == '.')
            go_up(path);
        else if (length > 0 && !(length == 1 && text[0] == '.')) {
            append(path, text, length);
            if (!last)
                append(path, "/", 1);
        }
        text += length + (last ? 0 : 1);
    }
}

/* Bytes that would end or garble a path become underscores. */
static void append_segment(struct path *path, struct slice segment, bool flat)
{
    for (size_t i = 0; i < segment.size; i++) {
        char byte = (char)segment.data[i];

        if (segment.data[i] < 0x20 || segment.data[i] == 0x7f || (flat && byte == '/'))
            byte = '_';
        append(path, &byte, 1);
    }
}

/* The folder before the star is the user's and stays as it is; what follows it is cleaned and can't leave it. */
static void fill_in(struct path *path, const char *pattern, struct slice segment, bool flat)
{
    const char *star = strchr(pattern, '*'), *slash = star;
    struct path variable = { 0 };

    *path = (struct path){ 0 };
    while (slash > pattern && slash[-1] != '/')
        slash--;
    append(path, pattern, (size_t)(slash - pattern));
    path->floor = path->size;
    append(&variable, slash, (size_t)(star - slash));
    append_segment(&variable, segment, flat);
    append(&variable, star + 1, strlen(star + 1));
    append_clean(path, variable.text);
    path->failed |= variable.failed;
}

bool group_path(const char *pattern, struct slice segment, char out[GROUP_PATH_SIZE])
{
    struct path path;

    fill_in(&path, pattern, segment, false);
    if (strncmp(path.text, pattern, strcspn(pattern, "*")) != 0)
        fill_in(&path, pattern, segment, true); /* it went up past what stands before the star */
    if (path.failed || path.size == path.floor || path.text[path.size - 1] == '/')
        return false;
    memcpy(out, path.text, path.size + 1);
    return true;
}
