/* Paths by patterns. Cost: one readdir of each folder that a pattern leads to. Limits: DEPTH_MAX folders below one another, and the walk's count. */
#include "receivers/file_log/glob.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 40, BRACES_MAX = 8 };

static bool is_folder(const char *path, const struct dirent *entry)
{
    struct stat status;

    if (entry != NULL && entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool has_pattern(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr("*?[\\", text[i]) != NULL)
            return true;
    }
    return false;
}

static void walk_into(struct glob_walk *walk, const char *folder, const char *rest, unsigned depth);

static bool join(char out[PATH_MAX], const char *folder, const char *name, size_t size)
{
    const char *slash = *folder == '\0' || folder[strlen(folder) - 1] == '/' ? "" : "/";

    return snprintf(out, PATH_MAX, "%s%s%.*s", folder, slash, (int)size, name) < PATH_MAX;
}

/* One name that fits the pattern's first part; `rest` is behind it, or NULL. */
static void visit(struct glob_walk *walk, const char *path, const struct dirent *entry, const char *rest, unsigned depth)
{
    if (rest != NULL) {
        if (is_folder(path, entry))
            walk_into(walk, path, rest, depth + 1);
    } else if (!is_folder(path, entry)) {
        walk->file(walk->context, path);
    }
}

/* "**": no folder at all, or any below this one. */
static void visit_any(struct glob_walk *walk, const char *folder, const char *pattern, const char *rest, unsigned depth)
{
    DIR *directory = opendir(*folder != '\0' ? folder : ".");
    char path[PATH_MAX];

    if (rest != NULL)
        walk_into(walk, folder, rest, depth + 1);
    for (struct dirent *entry; directory != NULL && walk->left > 0 && (entry = readdir(directory)) != NULL;) {
        walk->left--;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !join(path, folder, entry->d_name, strlen(entry->d_name)))
            continue;
        if (entry->d_type != DT_LNK && is_folder(path, entry))
            walk_into(walk, path, pattern, depth + 1);
        else if (rest == NULL)
            visit(walk, path, entry, NULL, depth);
    }
    if (directory != NULL)
        closedir(directory);
}

static void visit_matching(struct glob_walk *walk, const char *folder, const char *part, const char *rest, unsigned depth)
{
    DIR *directory = opendir(*folder != '\0' ? folder : ".");
    char path[PATH_MAX];

    for (struct dirent *entry; directory != NULL && walk->left > 0 && (entry = readdir(directory)) != NULL;) {
        walk->left--;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || fnmatch(part, entry->d_name, 0) != 0 ||
            !join(path, folder, entry->d_name, strlen(entry->d_name)))
            continue;
        visit(walk, path, entry, rest, depth);
    }
    if (directory != NULL)
        closedir(directory);
}

static void walk_into(struct glob_walk *walk, const char *folder, const char *pattern, unsigned depth)
{
    size_t size = strcspn(pattern, "/");
    const char *rest = pattern[size] == '/' ? pattern + size + 1 : NULL;
    char part[NAME_MAX + 1], path[PATH_MAX];

    if (depth > DEPTH_MAX || size > NAME_MAX)
        return;
    while (rest != NULL && *rest == '/')
        rest++;
    snprintf(part, sizeof(part), "%.*s", (int)size, pattern);
    if (strcmp(part, "**") == 0) {
        walk->folder(walk->context, *folder != '\0' ? folder : ".");
        visit_any(walk, folder, pattern, rest, depth);
    } else if (has_pattern(part, size)) {
        walk->folder(walk->context, *folder != '\0' ? folder : ".");
        visit_matching(walk, folder, part, rest, depth);
    } else if (join(path, folder, part, size)) {
        struct stat status;
        if (rest == NULL || stat(path, &status) != 0)
            walk->folder(walk->context, *folder != '\0' ? folder : ".");
        if (stat(path, &status) == 0)
            visit(walk, path, NULL, rest, depth);
    }
}

/* The first {a,b,...} taken apart: calls `each` for every pattern without one. */
static void expand(const char *pattern, unsigned level, void (*each)(void *context, const char *pattern), void *context)
{
    const char *open = strchr(pattern, '{'), *close = open != NULL ? strchr(open, '}') : NULL;
    char text[PATH_MAX];

    if (close == NULL || level == BRACES_MAX) {
        each(context, pattern);
        return;
    }
    for (const char *at = open + 1; at <= close; at++) {
        size_t size = strcspn(at, ",}");
        if (snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(open - pattern), pattern, (int)size, at, close + 1) < (int)sizeof(text))
            expand(text, level + 1, each, context);
        at += size;
    }
}

static void walk_one(void *context, const char *pattern)
{
    if (pattern[0] == '/') {
        while (pattern[1] == '/')
            pattern++;
        walk_into(context, "/", pattern + 1, 0);
    } else {
        walk_into(context, "", pattern, 0);
    }
}

void glob_walk(struct glob_walk *walk, const char *pattern)
{
    expand(pattern, 0, walk_one, walk);
}

/* ---- fitting ---- */

struct fit {
    const char *path;
    bool fits;
};

static bool fits_parts(const char *pattern, const char *path, unsigned depth)
{
    size_t size = strcspn(pattern, "/"), path_size = strcspn(path, "/");
    char part[NAME_MAX + 1], name[NAME_MAX + 1];

    if (depth > DEPTH_MAX || size > NAME_MAX || path_size > NAME_MAX)
        return false;
    snprintf(part, sizeof(part), "%.*s", (int)size, pattern);
    snprintf(name, sizeof(name), "%.*s", (int)path_size, path);
    if (strcmp(part, "**") == 0) {
        if (pattern[size] == '\0')
            return true;
        return fits_parts(pattern + size + 1, path, depth + 1) ||
               (path[path_size] == '/' && fits_parts(pattern, path + path_size + 1, depth + 1));
    }
    if (fnmatch(part, name, 0) != 0)
        return false;
    if (pattern[size] == '\0' || path[path_size] == '\0')
        return pattern[size] == path[path_size];
    return fits_parts(pattern + size + 1, path + path_size + 1, depth + 1);
}

static void fit_one(void *context, const char *pattern)
{
    struct fit *fit = context;

    fit->fits = fit->fits || fits_parts(pattern, fit->path, 0);
}

bool glob_fits(const char *pattern, const char *path)
{
    struct fit fit = { path, false };

    expand(pattern, 0, fit_one, &fit);
    return fit.fits;
}
