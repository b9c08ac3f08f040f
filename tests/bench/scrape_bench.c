/*
 * What reading a scraped page costs: the first time, again when only values have changed, and with the OTLP that comes of it. Best of several
 * rounds, in processor time.
 *
 * usage: scrape_bench FILE...: one line of JSON each. A page that ends with "# EOF" is OpenMetrics.
 */
#include <stdio.h>
#include <stdlib.h>

#include "collector/base/clock.h"
#include "receivers/prometheus/page.h"

enum { ROUNDS = 7 };
#define ROUND_NS (NANOS_PER_SECOND / 4)

static const struct label target[] = { { SLICE_INIT("instance"), SLICE_INIT("host:9100") }, { SLICE_INIT("job"), SLICE_INIT("bench") } };
static const struct layout_settings settings = {
    .target_labels = target, .target_label_count = 2, .scheme = "http", .honor_timestamps = true
};

struct bench {
    struct slice page;
    enum page_format format;
    struct layout layout;
    struct page_reader reader;
    struct buffer out;
    size_t points;
};

static void begin(struct bench *bench)
{
    layout_init(&bench->layout, &settings);
    bench->reader.layout = &bench->layout;
}

static void read_once(struct bench *bench, bool write)
{
    struct layout_report report = { .up = true };
    struct error err = { "" };

    layout_begin(&bench->layout, (int64_t)(clock_wall_nanos() / 1000000));
    if (!page_read(&bench->reader, bench->format, bench->page, &err)) {
        fprintf(stderr, "scrape_bench: %s\n", err.message);
        exit(1);
    }
    if (!write)
        return;
    buffer_clear(&bench->out);
    bench->points = layout_write(&bench->layout, &report, &bench->out);
}

static void read_first(struct bench *bench)
{
    layout_fini(&bench->layout);
    begin(bench);
    read_once(bench, false);
}

static void read_again(struct bench *bench)
{
    read_once(bench, false);
}

static void read_and_write(struct bench *bench)
{
    read_once(bench, true);
}

/* Nanoseconds of one run. */
static double measure(struct bench *bench, void (*run)(struct bench *bench))
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_cpu_nanos(), now = start;
        int runs = 0;

        for (; now - start < ROUND_NS; now = clock_cpu_nanos(), runs++)
            run(bench);
        if ((double)(now - start) / runs < best)
            best = (double)(now - start) / runs;
    }
    return best;
}

static struct slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buffer text = { .data = NULL };
    char block[65536];
    size_t got;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(&text, block, got);
    fclose(file);
    return buffer_slice(&text);
}

static double megabytes(const struct bench *bench, double nanoseconds)
{
    return (double)bench->page.size * 1000 / nanoseconds;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct bench bench = { .page = read_file(argv[i]) };
        double first, again, whole;

        bench.format =
            bench.page.size > 6 && memcmp(bench.page.data + bench.page.size - 6, "# EOF\n", 6) == 0 ? PAGE_OPENMETRICS : PAGE_TEXT;
        begin(&bench);
        first = measure(&bench, read_first);
        again = measure(&bench, read_again);
        whole = measure(&bench, read_and_write);
        printf("{\"page\": \"%s\", \"bytes\": %zu, \"series\": %zu, \"first_mb_s\": %.0f, \"again_mb_s\": %.0f, \"written_mb_s\": %.0f, "
               "\"ns_per_series\": %.1f, "
               "\"state_bytes_per_series\": %.0f}\n",
            argv[i], bench.page.size, bench.layout.live, megabytes(&bench, first), megabytes(&bench, again), megabytes(&bench, whole),
            whole / (double)bench.layout.live, (double)layout_bytes(&bench.layout) / (double)bench.layout.live);
        page_reader_fini(&bench.reader);
        layout_fini(&bench.layout);
        buffer_fini(&bench.out);
        free((void *)(uintptr_t)bench.page.data);
    }
    return 0;
}
