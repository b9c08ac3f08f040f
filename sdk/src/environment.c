/* Environment variables as carriers: "traceparent" is TRACEPARENT, "x-b3-traceid" X_B3_TRACEID. Threads: any, as far as environ allows. */
#include <errno.h>
#include <unistd.h>

#include "sdk/include/weir/context.h"

enum { NAME_MAX_SIZE = 64 };

/* False when the name is too long to be one that propagators use. */
static bool variable_name(weir_str name, char out[NAME_MAX_SIZE])
{
    if (name.p == NULL || name.n == 0 || name.n >= NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && i > 0)))
            c = '_';
        out[i] = c;
    }
    out[name.n] = '\0';
    return true;
}

static char **find(char *const *vars, const char *name, size_t size)
{
    for (; vars != NULL && *vars != NULL; vars++) {
        if (strncmp(*vars, name, size) == 0 && (*vars)[size] == '=')
            return (char **)(uintptr_t)vars;
    }
    return NULL;
}

weir_str weir_env_get(const void *carrier, weir_str name, size_t nth)
{
    char variable[NAME_MAX_SIZE];

    if (nth > 0 || !variable_name(name, variable))
        return weir_sn(NULL, 0);
    char **entry = find(carrier != NULL ? (char *const *)carrier : environ, variable, name.n);
    return entry != NULL ? weir_z(*entry + name.n + 1) : weir_sn(NULL, 0);
}

int weir_env_set(void *carrier, weir_str name, weir_str value)
{
    weir_env *env = carrier;
    char variable[NAME_MAX_SIZE];
    size_t count = 0;

    if (env == NULL || env->vars == NULL || !variable_name(name, variable))
        return -EINVAL;
    if (value.p == NULL)
        value.n = 0;
    size_t size = name.n + 1 + value.n + 1;
    if (env->text == NULL || env->text_size - env->text_used < size)
        return -ENOBUFS;
    char **place = find(env->vars, variable, name.n);
    if (place == NULL) {
        while (count < env->space && env->vars[count] != NULL)
            count++;
        if (count + 1 >= env->space)
            return -ENOBUFS;
        env->vars[count + 1] = NULL;
        place = &env->vars[count];
    }
    char *text = env->text + env->text_used;
    env->text_used += size;
    memcpy(text, variable, name.n);
    text[name.n] = '=';
    if (value.n != 0)
        memcpy(text + name.n + 1, value.p, value.n);
    text[size - 1] = '\0';
    *place = text;
    return 0;
}
