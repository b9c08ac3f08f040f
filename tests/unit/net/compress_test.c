/* Compression: what goes in comes out, and what is malformed, cut or too large is told apart and costs nothing. */
#include "collector/base/hash.h"
#include "collector/net/compress.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const enum coding all[] = { CODING_IDENTITY, CODING_GZIP, CODING_ZLIB, CODING_ZSTD, CODING_SNAPPY, CODING_SNAPPY_FRAMED,
    CODING_LZ4 };
enum { CODINGS = sizeof(all) / sizeof(all[0]) };

/* Text that compresses as telemetry does, never the same twice. */
static void fill(struct buffer *out, size_t size)
{
    unsigned i = 0;

    while (out->size < size)
        buffer_printf(out, "span %u of service.name checkout, http.method GET, id %016llx;", i++, (unsigned long long)random_next());
    out->size = size;
}

static void fill_random(struct buffer *out, size_t size)
{
    while (out->size < size) {
        uint64_t word = random_next();

        buffer_append(out, &word, sizeof(word));
    }
    out->size = size;
}

static struct buffer deflated(enum coding coding, int level, struct slice in)
{
    struct buffer out = { 0 };

    assert_true(deflate_parts(coding, level, &in, 1, &out));
    return out;
}

static enum inflate_result inflate(enum coding coding, struct slice in, size_t limit)
{
    struct payload *payload = NULL;
    enum inflate_result result = inflate_payload(coding, in, limit, NULL, &payload);

    assert_true((result == INFLATE_OK) == (payload != NULL));
    if (payload != NULL)
        assert_true(payload->size <= limit);
    payload_unref(payload);
    return result;
}

static void assert_inflates_to(enum coding coding, struct slice in, struct slice expected)
{
    struct payload *payload = NULL;

    assert_int_equal(inflate_payload(coding, in, expected.size, NULL, &payload), INFLATE_OK);
    assert_int_equal(payload->size, expected.size);
    if (expected.size > 0)
        assert_memory_equal(payload->data, expected.data, expected.size);
    payload_unref(payload);
}

static void assert_round_trip(enum coding coding, int level, const struct buffer *plain)
{
    struct slice whole = buffer_slice(plain);
    size_t third = whole.size / 3;
    struct slice parts[] = { { whole.data, third }, { whole.data, 0 }, { whole.data + third, third },
        { whole.data + 2 * third, whole.size - 2 * third } };
    struct buffer out = { 0 };

    buffer_append_string(&out, "before");
    assert_true(deflate_parts(coding, level, parts, 4, &out));
    assert_memory_equal(out.data, "before", 6);
    assert_inflates_to(coding, slice_of(out.data + 6, out.size - 6), whole);
    out.size = 6;
    assert_true(deflate_parts(coding, level, &whole, 1, &out));
    assert_inflates_to(coding, slice_of(out.data + 6, out.size - 6), whole);
    buffer_fini(&out);
}

static void names_are_known_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(coding_of_name(SLICE("GZip")), CODING_GZIP);
    assert_int_equal(coding_of_name(SLICE("x-gzip")), CODING_GZIP);
    assert_int_equal(coding_of_name(SLICE("deflate")), CODING_ZLIB);
    assert_int_equal(coding_of_name(SLICE("zlib")), CODING_ZLIB);
    assert_int_equal(coding_of_name(SLICE("")), CODING_IDENTITY);
    assert_int_equal(coding_of_name(SLICE("br")), CODING_UNKNOWN);
    for (size_t i = 0; i < CODINGS; i++)
        assert_int_equal(coding_of_name(slice_of_string(coding_name(all[i]))), all[i]);
}

static void round_trips(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 1 << 20 };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buffer text = { 0 }, noise = { 0 };

        fill(&text, sizes[i]);
        fill_random(&noise, sizes[i]);
        for (size_t j = 0; j < CODINGS; j++) {
            assert_round_trip(all[j], 0, &text);
            assert_round_trip(all[j], 0, &noise);
        }
        buffer_fini(&text);
        buffer_fini(&noise);
    }
}

static void levels_beyond_the_range_are_its_ends(void **state)
{
    static const int levels[] = { -5, 1, 3, 9, 12, 99 };
    struct buffer text = { 0 };

    (void)state;
    fill(&text, 20000);
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        for (size_t j = 0; j < CODINGS; j++)
            assert_round_trip(all[j], levels[i], &text);
    buffer_fini(&text);
}

static void a_cut_at_any_byte_is_corrupt(void **state)
{
    struct buffer text = { 0 };

    (void)state;
    fill(&text, 3000);
    for (size_t i = 1; i < CODINGS; i++) {
        struct buffer whole = deflated(all[i], 0, buffer_slice(&text));

        for (size_t size = 0; size < whole.size; size++) {
            uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a read beyond */

            memcpy(exact, whole.data, size);
            if (all[i] == CODING_SNAPPY_FRAMED && size == 10)
                assert_int_equal(inflate(all[i], slice_of(exact, size), 1 << 20), INFLATE_OK); /* a stream of nothing */
            else
                assert_int_equal(inflate(all[i], slice_of(exact, size), 1 << 20), INFLATE_CORRUPT);
            free(exact);
        }
        buffer_fini(&whole);
    }
    buffer_fini(&text);
}

static void a_changed_byte_never_reads_or_writes_beyond(void **state)
{
    struct buffer text = { 0 };

    (void)state;
    fill(&text, 700);
    for (size_t i = 0; i < CODINGS; i++) {
        struct buffer whole = deflated(all[i], 0, buffer_slice(&text));

        for (size_t at = 0; at < whole.size; at++)
            for (int bit = 0; bit < 8; bit++) {
                whole.data[at] ^= (uint8_t)(1 << bit);
                inflate(all[i], buffer_slice(&whole), 5000);
                whole.data[at] ^= (uint8_t)(1 << bit);
            }
        assert_inflates_to(all[i], buffer_slice(&whole), buffer_slice(&text));
        buffer_fini(&whole);
    }
    buffer_fini(&text);
}

static void checksums_are_checked(void **state)
{
    struct buffer noise = { 0 }, out = { 0 };
    struct slice plain;

    (void)state;
    fill_random(&noise, 1000);
    plain = buffer_slice(&noise);
    assert_true(deflate_parts(CODING_SNAPPY_FRAMED, 0, &plain, 1, &out));
    out.data[out.size - 1] ^= 1; /* within a chunk that holds plain bytes */
    assert_int_equal(inflate(CODING_SNAPPY_FRAMED, buffer_slice(&out), 5000), INFLATE_CORRUPT);
    buffer_clear(&out);
    assert_true(deflate_parts(CODING_GZIP, 0, &plain, 1, &out));
    out.data[out.size - 5] ^= 1;
    assert_int_equal(inflate(CODING_GZIP, buffer_slice(&out), 5000), INFLATE_CORRUPT);
    buffer_fini(&noise);
    buffer_fini(&out);
}

static void the_limit_is_exact(void **state)
{
    struct buffer text = { 0 };

    (void)state;
    fill(&text, 50000);
    for (size_t i = 0; i < CODINGS; i++) {
        struct buffer whole = deflated(all[i], 0, buffer_slice(&text));

        assert_int_equal(inflate(all[i], buffer_slice(&whole), 50000), INFLATE_OK);
        assert_int_equal(inflate(all[i], buffer_slice(&whole), 49999), INFLATE_TOO_LARGE);
        assert_int_equal(inflate(all[i], buffer_slice(&whole), 0), INFLATE_TOO_LARGE);
        buffer_fini(&whole);
    }
    buffer_fini(&text);
}

/* ---- admission ---- */

struct ledger {
    size_t held, allowed;
};

static bool admit(void *context, size_t bytes)
{
    struct ledger *ledger = context;

    if (ledger->held + bytes > ledger->allowed)
        return false;
    ledger->held += bytes;
    return true;
}

static void memory_is_asked_for_before_it_is_taken(void **state)
{
    struct buffer text = { 0 };

    (void)state;
    fill(&text, 50000);
    for (size_t i = 0; i < CODINGS; i++) {
        struct buffer whole = deflated(all[i], 0, buffer_slice(&text));
        struct ledger ledger = { 0, 49000 };
        struct admission admission = { admit, &ledger };
        struct payload *payload = NULL;
        size_t before = payload_bytes_in_flight();

        assert_int_equal(inflate_payload(all[i], buffer_slice(&whole), 1 << 20, &admission, &payload), INFLATE_NO_MEMORY);
        assert_null(payload);
        assert_int_equal(payload_bytes_in_flight(), before);
        ledger = (struct ledger){ 0, 1 << 20 };
        assert_int_equal(inflate_payload(all[i], buffer_slice(&whole), 1 << 20, &admission, &payload), INFLATE_OK);
        assert_true(ledger.held >= payload->capacity);
        assert_true(payload->capacity <= 50000 + 50000 / 8);
        payload_unref(payload);
        buffer_fini(&whole);
    }
    buffer_fini(&text);
}

/* ---- bombs: a gigabyte of zeros in about a megabyte ---- */

enum { BOMB_LIMIT = 20 << 20 };

static void assert_bomb_is_refused(enum coding coding, const struct buffer *bomb)
{
    struct ledger ledger = { 0, SIZE_MAX };
    struct admission admission = { admit, &ledger };
    struct payload *payload = NULL;

    assert_true(bomb->size < 6 << 20);
    assert_int_equal(inflate_payload(coding, buffer_slice(bomb), BOMB_LIMIT, &admission, &payload), INFLATE_TOO_LARGE);
    assert_null(payload);
    assert_true(ledger.held <= BOMB_LIMIT + 1);
}

/* Members or frames of 16 MiB each, one after the other. */
static void bombs_of_many_members_are_refused(void **state)
{
    static const enum coding codings[] = { CODING_GZIP, CODING_ZSTD, CODING_LZ4 };
    size_t piece = 16 << 20;
    uint8_t *zeros = calloc(1, piece);

    (void)state;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct buffer member = deflated(codings[i], 0, slice_of(zeros, piece)), bomb = { 0 };

        for (int j = 0; j < 64; j++)
            buffer_append_slice(&bomb, buffer_slice(&member));
        assert_bomb_is_refused(codings[i], &bomb);
        buffer_fini(&member);
        buffer_fini(&bomb);
    }
    free(zeros);
}

static void single_bombs_are_refused(void **state)
{
    static const enum coding codings[] = { CODING_GZIP, CODING_ZLIB, CODING_ZSTD, CODING_LZ4 };
    size_t gigabyte = (size_t)1 << 30;
    uint8_t *zeros = calloc(1, gigabyte); /* never touched, so never resident */
    struct slice plain = { zeros, gigabyte };

    (void)state;
    assert_non_null(zeros);
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct buffer bomb = { 0 };

        assert_true(deflate_parts(codings[i], 0, &plain, 1, &bomb));
        assert_bomb_is_refused(codings[i], &bomb);
        buffer_fini(&bomb);
    }
    free(zeros);
}

/* Inputs that only claim to be large must not make the reader allocate. */
static void lies_about_the_length_cost_nothing(void **state)
{
    struct buffer gzip = { 0 };
    struct slice text = SLICE("hello");
    static const uint8_t snappy[] = { 0xff, 0xff, 0xff, 0x07, 0x00, 'x' };
    struct ledger ledger = { 0, SIZE_MAX };
    struct admission admission = { admit, &ledger };
    struct payload *payload = NULL;

    (void)state;
    assert_true(deflate_parts(CODING_GZIP, 0, &text, 1, &gzip));
    memset(gzip.data + gzip.size - 4, 0x01, 4); /* 16 MiB */
    assert_int_equal(inflate_payload(CODING_GZIP, buffer_slice(&gzip), BOMB_LIMIT, &admission, &payload), INFLATE_CORRUPT);
    assert_int_equal(inflate_payload(CODING_SNAPPY, slice_of(snappy, sizeof(snappy)), BOMB_LIMIT, &admission, &payload), INFLATE_CORRUPT);
    assert_true(ledger.held < 100000);
    buffer_fini(&gzip);
}

/* ---- what each format has besides ---- */

static void gzip_of_several_members(void **state)
{
    struct slice parts[] = { SLICE("hello, "), SLICE(""), SLICE("world; and this member is longer than the others are") };
    struct buffer gzip = { 0 };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(deflate_parts(CODING_GZIP, 0, &parts[i], 1, &gzip));
    assert_inflates_to(CODING_GZIP, buffer_slice(&gzip), SLICE("hello, world; and this member is longer than the others are"));
    buffer_clear(&gzip);
    for (size_t i = 3; i-- > 0;) /* the length at the end is too small */
        assert_true(deflate_parts(CODING_GZIP, 0, &parts[i], 1, &gzip));
    assert_inflates_to(CODING_GZIP, buffer_slice(&gzip), SLICE("world; and this member is longer than the others arehello, "));
    buffer_append_string(&gzip, "rubbish behind");
    assert_int_equal(inflate(CODING_GZIP, buffer_slice(&gzip), 1000), INFLATE_CORRUPT);
    buffer_fini(&gzip);
}

static void bare_deflate_is_tolerated(void **state)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    struct buffer text = { 0 };
    uint8_t out[20000];
    size_t size;

    (void)state;
    fill(&text, 9000);
    size = libdeflate_deflate_compress(compressor, text.data, text.size, out, sizeof(out));
    assert_true(size > 0);
    assert_inflates_to(CODING_ZLIB, slice_of(out, size), buffer_slice(&text));
    libdeflate_free_compressor(compressor);
    buffer_fini(&text);
}

static void zstd_without_a_length_is_streamed(void **state)
{
    struct buffer text = { 0 };
    ZSTD_CCtx *writer = ZSTD_createCCtx();
    uint8_t *out = malloc(400000);
    size_t size;

    (void)state;
    fill(&text, 300000);
    ZSTD_CCtx_setParameter(writer, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(writer, ZSTD_c_checksumFlag, 1);
    size = ZSTD_compress2(writer, out, 400000, text.data, text.size);
    assert_false(ZSTD_isError(size));
    assert_inflates_to(CODING_ZSTD, slice_of(out, size), buffer_slice(&text));
    assert_int_equal(inflate(CODING_ZSTD, slice_of(out, size), text.size - 1), INFLATE_TOO_LARGE);
    for (size_t cut = 0; cut < size; cut += 97)
        assert_int_equal(inflate(CODING_ZSTD, slice_of(out, cut), 1 << 20), INFLATE_CORRUPT);
    ZSTD_freeCCtx(writer);
    free(out);
    buffer_fini(&text);
}

static void lz4_without_a_length_is_grown(void **state)
{
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    struct buffer text = { 0 };
    size_t room, size;
    uint8_t *out;

    (void)state;
    buffer_reserve(&text, 200000);
    fill(&text, 100);
    while (text.size < 200000)
        buffer_append(&text, text.data, 100);
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
    room = LZ4F_compressFrameBound(text.size, &preferences);
    out = malloc(room);
    size = LZ4F_compressFrame(out, room, text.data, text.size, &preferences);
    assert_false(LZ4F_isError(size));
    assert_inflates_to(CODING_LZ4, slice_of(out, size), buffer_slice(&text));
    assert_int_equal(inflate(CODING_LZ4, slice_of(out, size), text.size - 1), INFLATE_TOO_LARGE);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(inflate(CODING_LZ4, slice_of(out, cut), 1 << 20), INFLATE_CORRUPT);
    free(out);
    buffer_fini(&text);
}

static void framed_snappy_is_told_apart(void **state)
{
    /* "abc" plain, a padding chunk, a skippable chunk; the checksum is CRC32C("abc"), masked */
    static const uint8_t framed[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y', 0xfe, 2, 0, 0, 0, 0, 0x80, 1, 0, 0, 7, 0x01, 7, 0, 0,
        0x6e, 0x57, 0xf1, 0x21, 'a', 'b', 'c' };
    static const uint8_t reserved[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y', 0x02, 1, 0, 0, 0 };
    struct buffer block = deflated(CODING_SNAPPY, 0, SLICE("abcabcabcabc"));

    (void)state;
    assert_inflates_to(CODING_SNAPPY, buffer_slice(&block), SLICE("abcabcabcabc"));
    assert_int_equal(inflate(CODING_SNAPPY_FRAMED, buffer_slice(&block), 100), INFLATE_CORRUPT);
    assert_inflates_to(CODING_SNAPPY, slice_of(framed, sizeof(framed)), SLICE("abc"));
    assert_inflates_to(CODING_SNAPPY_FRAMED, slice_of(framed, sizeof(framed)), SLICE("abc"));
    assert_int_equal(inflate(CODING_SNAPPY, slice_of(reserved, sizeof(reserved)), 100), INFLATE_CORRUPT);
    buffer_fini(&block);
}

static void *work(void *context)
{
    struct buffer *text = context;

    for (int i = 0; i < 20; i++)
        for (size_t j = 0; j < CODINGS; j++)
            assert_round_trip(all[j], 0, text);
    return NULL;
}

/* Leaks of a thread's coders show under the address sanitizer, sharing under the thread sanitizer. */
static void threads_keep_coders_of_their_own(void **state)
{
    struct buffer text = { 0 };
    pthread_t threads[4];

    (void)state;
    fill(&text, 10000);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &text), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_in_any_case),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(levels_beyond_the_range_are_its_ends),
        cmocka_unit_test(a_cut_at_any_byte_is_corrupt),
        cmocka_unit_test(a_changed_byte_never_reads_or_writes_beyond),
        cmocka_unit_test(checksums_are_checked),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(memory_is_asked_for_before_it_is_taken),
        cmocka_unit_test(bombs_of_many_members_are_refused),
        cmocka_unit_test(single_bombs_are_refused),
        cmocka_unit_test(lies_about_the_length_cost_nothing),
        cmocka_unit_test(gzip_of_several_members),
        cmocka_unit_test(bare_deflate_is_tolerated),
        cmocka_unit_test(zstd_without_a_length_is_streamed),
        cmocka_unit_test(lz4_without_a_length_is_grown),
        cmocka_unit_test(framed_snappy_is_told_apart),
        cmocka_unit_test(threads_keep_coders_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
