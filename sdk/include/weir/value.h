/* Strings and attributes: views of the caller's memory, borrowed for the call they are passed to. */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#include <initializer_list>
#define WEIR_LITERAL_(type_, ...) (type_{ __VA_ARGS__ })
extern "C" {
#else
#define WEIR_LITERAL_(type_, ...) ((type_){ __VA_ARGS__ })
#endif

#define WEIR_API __attribute__((visibility("default")))

/* A run of bytes, not NUL-terminated. {NULL, 0} means "none" where none is possible, "" elsewhere. */
typedef struct weir_str {
    const char *p;
    size_t n;
} weir_str;

/* A string literal; its length is known at compile time. */
#define WEIR_S(literal_) WEIR_LITERAL_(weir_str, "" literal_, sizeof(literal_) - 1)

/* A NUL-terminated string; NULL gives {NULL, 0}. */
static inline weir_str weir_z(const char *text)
{
    weir_str s = { text, text != NULL ? strlen(text) : 0 };
    return s;
}

static inline weir_str weir_sn(const char *text, size_t size)
{
    weir_str s = { text, text != NULL ? size : 0 };
    return s;
}

/*
 * The kinds of attribute values (OpenTelemetry specification, common: "attribute", "any value").
 * Arrays of one type are views of plain C arrays; WEIR_LIST and WEIR_MAP hold values of any kind, nested
 * to a depth of 8 (deeper ones are dropped).
 */
typedef enum weir_type {
    WEIR_NONE = 0,
    WEIR_STR = 1,
    WEIR_BOOL = 2,
    WEIR_INT = 3,
    WEIR_DOUBLE = 4,
    WEIR_BYTES = 5,
    WEIR_STRS = 6,    /* v.strs, n elements */
    WEIR_BOOLS = 7,   /* v.bools */
    WEIR_INTS = 8,    /* v.ints */
    WEIR_DOUBLES = 9, /* v.doubles */
    WEIR_LIST = 10,   /* v.items, keys ignored */
    WEIR_MAP = 11     /* v.items */
} weir_type;

typedef struct weir_attr {
    weir_str key; /* an attribute with an empty key is dropped */
    uint32_t type;
    uint32_t n; /* elements of an array, list or map */
    union {
        weir_str str; /* WEIR_STR, WEIR_BYTES */
        int64_t i64;  /* WEIR_INT, WEIR_BOOL */
        double f64;
        const weir_str *strs;
        const bool *bools;
        const int64_t *ints;
        const double *doubles;
        const struct weir_attr *items;
    } v;
} weir_attr;

typedef struct weir_attrs {
    const weir_attr *data;
    size_t count;
} weir_attrs;

static inline weir_attr weir_attr_(weir_str key, weir_type type, size_t n)
{
    weir_attr attr;
    attr.key = key;
    attr.type = (uint32_t)type;
    attr.n = (uint32_t)n;
    attr.v.str.p = NULL;
    attr.v.str.n = 0;
    return attr;
}

static inline weir_attr weir_kv_str(weir_str key, weir_str value)
{
    weir_attr attr = weir_attr_(key, WEIR_STR, 0);
    attr.v.str = value;
    return attr;
}

static inline weir_attr weir_kv_z(weir_str key, const char *value)
{
    return weir_kv_str(key, weir_z(value));
}

static inline weir_attr weir_kv_bytes(weir_str key, const void *data, size_t size)
{
    weir_attr attr = weir_attr_(key, WEIR_BYTES, 0);
    attr.v.str.p = (const char *)data;
    attr.v.str.n = size;
    return attr;
}

static inline weir_attr weir_kv_int(weir_str key, int64_t value)
{
    weir_attr attr = weir_attr_(key, WEIR_INT, 0);
    attr.v.i64 = value;
    return attr;
}

/* Values above INT64_MAX, which OTLP cannot carry, become INT64_MAX. */
static inline weir_attr weir_kv_uint(weir_str key, uint64_t value)
{
    return weir_kv_int(key, value > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)value);
}

static inline weir_attr weir_kv_double(weir_str key, double value)
{
    weir_attr attr = weir_attr_(key, WEIR_DOUBLE, 0);
    attr.v.f64 = value;
    return attr;
}

static inline weir_attr weir_kv_bool(weir_str key, bool value)
{
    weir_attr attr = weir_attr_(key, WEIR_BOOL, 0);
    attr.v.i64 = value;
    return attr;
}

static inline weir_attr weir_kv_strs(weir_str key, const weir_str *values, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_STRS, count);
    attr.v.strs = values;
    return attr;
}

static inline weir_attr weir_kv_bools(weir_str key, const bool *values, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_BOOLS, count);
    attr.v.bools = values;
    return attr;
}

static inline weir_attr weir_kv_ints(weir_str key, const int64_t *values, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_INTS, count);
    attr.v.ints = values;
    return attr;
}

static inline weir_attr weir_kv_doubles(weir_str key, const double *values, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_DOUBLES, count);
    attr.v.doubles = values;
    return attr;
}

static inline weir_attr weir_kv_list(weir_str key, const weir_attr *items, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_LIST, count);
    attr.v.items = items;
    return attr;
}

static inline weir_attr weir_kv_map(weir_str key, const weir_attr *items, size_t count)
{
    weir_attr attr = weir_attr_(key, WEIR_MAP, count);
    attr.v.items = items;
    return attr;
}

static inline weir_attrs weir_attrs_of(const weir_attr *data, size_t count)
{
    weir_attrs attrs = { data, count };
    return attrs;
}

#define WEIR_NO_ATTRS weir_attrs_of(NULL, 0)

#ifdef __cplusplus
} /* extern "C" */

static inline weir_attr weir_kv_(weir_str key, const char *value)
{
    return weir_kv_z(key, value);
}
static inline weir_attr weir_kv_(weir_str key, weir_str value)
{
    return weir_kv_str(key, value);
}
static inline weir_attr weir_kv_(weir_str key, bool value)
{
    return weir_kv_bool(key, value);
}
static inline weir_attr weir_kv_(weir_str key, double value)
{
    return weir_kv_double(key, value);
}
static inline weir_attr weir_kv_(weir_str key, unsigned long value)
{
    return weir_kv_uint(key, value);
}
static inline weir_attr weir_kv_(weir_str key, unsigned long long value)
{
    return weir_kv_uint(key, value);
}
template <class Integer> static inline weir_attr weir_kv_(weir_str key, Integer value)
{
    return weir_kv_int(key, static_cast<int64_t>(value));
}
/* The list lives until the end of the full expression, as a C compound literal would at least. */
static inline weir_attrs weir_attrs_(std::initializer_list<weir_attr> list)
{
    return weir_attrs_of(list.begin(), list.size());
}
#define WEIR_KV(key_, value_) weir_kv_(WEIR_S(key_), value_)
#define WEIR_ATTRS(...) weir_attrs_({ __VA_ARGS__ })
#else
/* WEIR_KV("http.response.status_code", 200): key is a literal, the value a string, bool, integer or floating point number. */
#define WEIR_KV(key_, value_)                                                                                                              \
    _Generic((value_),                                                                                                                     \
        char *: weir_kv_z,                                                                                                                 \
        const char *: weir_kv_z,                                                                                                           \
        weir_str: weir_kv_str,                                                                                                             \
        bool: weir_kv_bool,                                                                                                                \
        float: weir_kv_double,                                                                                                             \
        double: weir_kv_double,                                                                                                            \
        unsigned long: weir_kv_uint,                                                                                                       \
        unsigned long long: weir_kv_uint,                                                                                                  \
        default: weir_kv_int)(WEIR_S(key_), value_)
/* WEIR_ATTRS(WEIR_KV("a", 1), WEIR_KV("b", "x")); for an empty set say WEIR_NO_ATTRS. */
#define WEIR_ATTRS(...) weir_attrs_of((const weir_attr[]){ __VA_ARGS__ }, sizeof((const weir_attr[]){ __VA_ARGS__ }) / sizeof(weir_attr))
#endif

#endif
