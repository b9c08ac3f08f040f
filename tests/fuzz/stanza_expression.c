/* Expressions: the first line is one, the second a JSON body that it is run over. */
#include "collector/stanza/expression.h"

#include "collector/ottl/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    struct arena arena = { 0 };
    struct stanza_memory memory = { 0 };
    struct stanza_record record = { .memory = &memory };
    struct stanza_evaluation evaluation = { &record, ottl_matcher_create(), NULL };
    struct stanza_expression *expression;
    struct stanza_value value;
    struct error err = { "" };
    const char *problem;

    expression = stanza_expression_create(&arena, arena_string(&arena, slice_of(data, length)), &err);
    if (end == NULL || !stanza_read_json(&memory, slice_of(end + 1, size - length - 1), true, &record.body, &problem))
        record.body = stanza_string(slice_of(data, length));
    if (expression != NULL && stanza_evaluate(expression, &evaluation, &value)) {
        struct buffer out = { 0 };
        stanza_put_any(&out, &value);
        buffer_fini(&out);
    }
    stanza_expression_destroy(expression);
    ottl_matcher_destroy(evaluation.matcher);
    stanza_memory_fini(&memory);
    arena_fini(&arena);
    return 0;
}
