// The Go SDK's side of ./dev bench sdk: the same operations and the same steady rate as ../weir/main.c and ../rust/src/main.rs,
// with the SDK's batch processors and OTLP/HTTP exporters, configured by the same OTEL_* variables.
//
// usage: sdkpeer ops BURSTS | sdkpeer rate SPANS_PER_SECOND SECONDS
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"
)

const burst = 1000

var background = context.Background()

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

// threadNanoseconds is the processor time of the thread that runs it.
func threadNanoseconds() int64 {
	var clock unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &clock)
	return clock.Nano()
}

// row times bursts of the operation, with an untimed flush between; allocations are those of the whole process.
func row(name string, bursts int, operation func(), flush func()) {
	times := make([]float64, 0, bursts)
	var counted uint64
	var before, after runtime.MemStats
	for i := 0; i < bursts; i++ {
		runtime.ReadMemStats(&before)
		start := threadNanoseconds()
		for j := 0; j < burst; j++ {
			operation()
		}
		times = append(times, float64(threadNanoseconds()-start)/burst)
		runtime.ReadMemStats(&after)
		if i > 0 {
			counted += after.Mallocs - before.Mallocs
		}
		flush()
	}
	sort.Float64s(times)
	fmt.Printf("{\"case\": %q, \"median\": %.2f, \"p10\": %.2f, \"p90\": %.2f, \"mallocs\": %.3f}\n", name, times[bursts/2], times[bursts/10],
		times[bursts*9/10], float64(counted)/burst/float64(bursts-1))
}

func traces(sampler sdktrace.Sampler) *sdktrace.TracerProvider {
	exporter := must(otlptracehttp.New(background))
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(exporter))
}

func spanFour(tracer trace.Tracer) {
	_, span := tracer.Start(background, "operation")
	span.SetAttributes(attribute.String("http.request.method", "GET"), attribute.String("url.path", "/order/1234"),
		attribute.Int("http.response.status_code", 200), attribute.String("server.address", "localhost"))
	span.End()
}

func operationsOfSpans(bursts int) {
	provider := traces(sdktrace.AlwaysSample())
	tracer := provider.Tracer("bench")
	flush := func() { provider.ForceFlush(background) }
	empty := func() {
		_, span := tracer.Start(background, "operation")
		span.End()
	}
	row("span", bursts, empty, flush)
	row("span_current", bursts, empty, flush) // Start returns the context that makes it current
	row("span_4", bursts, func() { spanFour(tracer) }, flush)
	provider.Shutdown(background)
	provider = traces(sdktrace.NeverSample())
	tracer = provider.Tracer("bench")
	row("unsampled", bursts, empty, func() {})
	provider.Shutdown(background)
}

func operationsOfLogs(bursts int) {
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(must(otlploghttp.New(background)))))
	logger := provider.Logger("bench")
	emit := func() {
		var record log.Record
		record.SetSeverity(log.SeverityInfo)
		record.SetBody(attribute.StringValue("a message of usual length"))
		record.AddAttributes(attribute.String("key", "value"), attribute.Int("number", 5))
		logger.Emit(background, record)
	}
	row("log_2", bursts, emit, func() { provider.ForceFlush(background) })
	provider.Shutdown(background)
}

func operationsOfMetrics(bursts int) {
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(must(otlpmetrichttp.New(background)))))
	counter := must(provider.Meter("bench").Int64Counter("bench.counter"))
	made := func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("method", "GET"), attribute.Int("code", 200), attribute.String("route", "/order"),
			attribute.String("host", "a")}
	}
	// The API has no bound instruments; a set of attributes that was made before comes nearest.
	bound := []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(made()...))}
	row("counter_bound", bursts, func() { counter.Add(background, 1, bound...) }, func() {})
	row("counter_4", bursts, func() { counter.Add(background, 1, metric.WithAttributes(made()...)) }, func() {})
	provider.Shutdown(background)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func memoryKiB(word string) int {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == word {
			value, _ := strconv.Atoi(fields[1])
			return value
		}
	}
	return 0
}

// rate begins, each millisecond, as many spans as are due.
func rate(perSecond, seconds int) {
	empty := memoryKiB("VmRSS:")
	provider := traces(sdktrace.AlwaysSample())
	tracer := provider.Tracer("bench")
	time.Sleep(300 * time.Millisecond)
	rest, cpu, start := memoryKiB("VmRSS:"), cpuSeconds(), time.Now()
	sent, total := 0, perSecond*seconds
	for sent < total {
		due := min(total, int(time.Since(start).Microseconds()*int64(perSecond)/1000000))
		for ; sent < due; sent++ {
			spanFour(tracer)
		}
		time.Sleep(time.Millisecond)
	}
	elapsed := time.Since(start).Seconds()
	provider.ForceFlush(background)
	used := cpuSeconds() - cpu
	provider.Shutdown(background)
	fmt.Printf("{\"sent\": %d, \"seconds\": %.3f, \"cpu_seconds\": %.4f, \"empty_kib\": %d, \"rest_kib\": %d, \"peak_kib\": %d}\n", sent, elapsed, used,
		empty, rest, memoryKiB("VmHWM:"))
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "ops" {
		runtime.LockOSThread()
		bursts := max(10, must(strconv.Atoi(os.Args[2])))
		operationsOfSpans(bursts)
		operationsOfLogs(bursts)
		operationsOfMetrics(bursts)
	} else if len(os.Args) == 4 && os.Args[1] == "rate" {
		rate(must(strconv.Atoi(os.Args[2])), must(strconv.Atoi(os.Args[3])))
	} else {
		fmt.Fprintln(os.Stderr, "usage: sdkpeer ops BURSTS | sdkpeer rate SPANS_PER_SECOND SECONDS")
		os.Exit(2)
	}
}
