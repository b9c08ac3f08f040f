#!/bin/sh
# Installs the SDK and its contrib libraries into an empty folder and uses them as a stranger would: headers alone with every
# language standard and all warnings, the exported names, programs by pkg-config, shared and static, one by CMake.
# usage: install_test.sh BUILD_FOLDER SOURCE_FOLDER
# BUILD_FOLDER is configured and built when it is not there yet.
set -eu

build=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix

if [ ! -f "$build/build.ninja" ]; then
    cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DWEIR_TESTS=OFF -DWEIR_BENCH=OFF >"$folder/configure.log"
fi
cmake --build "$build" --target weir_sdk_shared weir_sdk_static weir_contribs >"$folder/build.log" || {
    tail -n 40 "$folder/build.log"
    exit 1
}
for component in sdk sdk-contrib; do
    DESTDIR='' cmake --install "$build" --prefix "$prefix" --component "$component" >"$folder/install.log"
done
library=$(find "$prefix" -name 'libweir.so')
lib=$(dirname "$library")

echo "headers"
for header in "$prefix"/include/weir/*.h "$prefix"/include/weir/contrib/*.h; do
    echo "#include <weir/${header#"$prefix/include/weir/"}>" >"$folder/one.c"
    for compiler in "gcc -std=c11" "clang-14 -std=c11" "g++ -std=c++11 -xc++" "g++ -std=c++20 -xc++" "clang++-14 -std=c++20 -xc++"; do
        command -v "${compiler%% *}" >/dev/null || continue
        # shellcheck disable=SC2086 # words
        $compiler -Wall -Wextra -pedantic -Wconversion -Wsign-conversion -Wshadow -Werror -I"$prefix/include" -c "$folder/one.c" -o "$folder/one.o"
    done
done

echo "macros in C and C++"
cat >"$folder/use.c" <<'END'
#include <weir/weir.h>
WEIR_SCOPE(scope, "a", "b");
WEIR_INSTRUMENT(counter, WEIR_COUNTER, scope, "c", "1");
void use(const char *text, size_t size, unsigned char small);
void use(const char *text, size_t size, unsigned char small)
{
    WEIR_SPAN(span, scope, "x", WEIR_SERVER, NULL);
    WEIR_SET(&span, "a", text);
    WEIR_SET(&span, "b", size);
    WEIR_SET(&span, "c", small);
    WEIR_SET(&span, "d", 1.5f);
    WEIR_SET(&span, "e", -5);
    WEIR_SET(&span, "f", true);
    WEIR_SET(&span, "g", WEIR_S("text"));
    weir_span_event(&span, WEIR_S("e"), WEIR_ATTRS(WEIR_KV("a", 1), WEIR_KV("b", "x")), 0);
    weir_log(&scope, WEIR_INFO, WEIR_S("body"), WEIR_NO_ATTRS);
    weir_add_attrs(&counter, 1, WEIR_ATTRS(WEIR_KV("k", 1u)));
}
END
cat >"$folder/use.cpp" <<'END'
#include <weir/weir.hpp>
WEIR_SCOPE(scope, "a", "b");
struct farewell {
    ~farewell() /* a static destructor, behind the last shutdown: recorded nowhere, harmless */
    {
        weir::span span(scope, WEIR_S("farewell"));
        span.set(WEIR_KV("late", true));
        weir_log(&scope, WEIR_INFO, WEIR_S("farewell"), WEIR_NO_ATTRS);
    }
} last;
weir::span make() { return weir::span(scope, WEIR_S("made"), WEIR_CLIENT); }
int main()
{
    weir_config config = weir_config_default();
    config.no_environment = true;
    config.no_thread = true;
    weir::sdk sdk(&config, 0);
    weir::span span = make();
    weir::attached attached(span.context());
    span.set(WEIR_KV("a", 1));
    span.set({ WEIR_KV("b", "x"), WEIR_KV("c", 1.5) });
    span.event(WEIR_S("e"), { WEIR_KV("k", 5UL) });
    span.status(WEIR_ERROR, WEIR_S("why"));
    weir::span other(scope, WEIR_S("other"));
    other = std::move(span);
    return sdk.result() == 0 && other.recording() && !span.recording() ? 0 : 1;
}
END
sed -i 's|#include <weir/weir.hpp>|#include <utility>\n&|' "$folder/use.cpp"
strict="-Wall -Wextra -pedantic -Wconversion -Wshadow -Werror -I$prefix/include"
for compiler in "gcc -std=c11" "clang-14 -std=c11" "g++ -std=c++11 -xc++" "clang++-14 -std=c++20 -xc++"; do
    command -v "${compiler%% *}" >/dev/null || continue
    # shellcheck disable=SC2086
    $compiler $strict -c "$folder/use.c" -o "$folder/use.o"
done
for compiler in "g++ -std=c++11" "g++ -std=c++20" "clang++-14 -std=c++17"; do
    command -v "${compiler%% *}" >/dev/null || continue
    # shellcheck disable=SC2086
    $compiler $strict "$folder/use.cpp" -L"$lib" -lweir -o "$folder/use"
    LD_LIBRARY_PATH=$lib "$folder/use"
done

echo "exported names"
nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | grep -v '^WEIR_1$' | sort >"$folder/names"
diff "$source/sdk/exported-symbols.txt" "$folder/names"
nm "$lib/libweir.a" | awk '$2 ~ /^[TDBR]$/ { print $3 }' | grep -v '^weir_' && {
    echo "the static library shows names that are not weir_*"
    exit 1
}

echo "needs at run time"
objdump -p "$library" | awk '/NEEDED/ { print $2 }' | grep -Ev '^(libc|libm|libz|libssl|libcrypto|ld-linux[-a-z0-9_]*)\.so' && exit 1
objdump -p "$library" | grep -q 'SONAME *libweir.so.1'

echo "a program by pkg-config"
export PKG_CONFIG_PATH="$lib/pkgconfig"
cp "$source/sdk/examples/thirty.c" "$folder/thirty.c"
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror "$folder/thirty.c" $(pkg-config --cflags --libs weir) -o "$folder/thirty"
LD_LIBRARY_PATH=$lib OTEL_TRACES_EXPORTER=console OTEL_LOGS_EXPORTER=console OTEL_METRICS_EXPORTER=console OTEL_SERVICE_NAME=thirty "$folder/thirty" >"$folder/out"
[ "$(grep -o '"name":"round"' "$folder/out" | wc -l)" = 10 ]
[ "$(grep -o 'fibonacci(10) is 55' "$folder/out" | wc -l)" = 1 ]
grep -q '"asInt":"10"' "$folder/out"
grep -q '"stringValue":"thirty"' "$folder/out"
# shellcheck disable=SC2046
cc "$folder/thirty.c" -I"$prefix/include" "$lib/libweir.a" $(pkg-config --static --libs-only-l weir | sed 's/-lweir//') -o "$folder/static"
OTEL_TRACES_EXPORTER=none OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none "$folder/static"

echo "programs with contrib libraries"
contrib_program() { # SOURCE PATTERN NAME...: prints a span that matches
    program=$1 pattern=$2
    shift 2
    for name in "$@"; do
        [ -f "$lib/pkgconfig/weir_contrib_$name.pc" ] || return 0
    done
    # shellcheck disable=SC2046
    cc -Wall -Wextra -Werror "$program" $(pkg-config --cflags --libs $(printf 'weir_contrib_%s ' "$@")) -pthread -o "$folder/program"
    LD_LIBRARY_PATH=$lib OTEL_TRACES_EXPORTER=console OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none "$folder/program" >"$folder/out"
    grep -q "\"name\":\"$pattern\"" "$folder/out"
}
contrib_program "$source/sdk/contrib/examples/pool.c" resize thread
contrib_program "$source/sdk/contrib/examples/loop.c" echo epoll
contrib_program "$source/sdk/contrib/examples/web.c" 'GET /stock/{sku}' curl microhttpd
contrib_program "$source/sdk/contrib/examples/notes.c" INSERT sqlite
cat >"$folder/message.c" <<'END'
#include <weir/contrib/hiredis.h>
#include <weir/contrib/rdkafka.h>
int main(void)
{
    weir_span span, command;
    redisContext nowhere = { .err = REDIS_ERR_EOF };
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    if (weir_init(NULL) != 0)
        return 1;
    weir_rdkafka_send(&span, "orders", headers);
    weir_hiredis_begin(&command, &nowhere, "GET x");
    weir_hiredis_end(&command, &nowhere, NULL);
    weir_rdkafka_end(&span, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_headers_destroy(headers);
    return weir_shutdown(5000) == 0 ? 0 : 2;
}
END
contrib_program "$folder/message.c" 'send orders' rdkafka hiredis

echo "a program by CMake"
mkdir "$folder/cmake"
cp "$source/sdk/examples/thirty.c" "$folder/cmake/"
cat >"$folder/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(thirty C)
find_package(weir REQUIRED)
add_executable(thirty thirty.c)
target_link_libraries(thirty PRIVATE weir::weir)
END
cmake -S "$folder/cmake" -B "$folder/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" >"$folder/cmake.log"
cmake --build "$folder/cmake/build" >>"$folder/cmake.log"
OTEL_TRACES_EXPORTER=none OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=none "$folder/cmake/build/thirty"
echo "all fine"
