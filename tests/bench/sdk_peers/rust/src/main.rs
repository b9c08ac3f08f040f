// The Rust SDK's side of ./dev bench sdk: the same operations and the same steady rate as ../weir/main.c and ../go/main.go, with the
// SDK's batch processors and OTLP/HTTP exporters, configured by the same OTEL_* variables.
//
// usage: sdk_peer ops BURSTS | sdk_peer rate SPANS_PER_SECOND SECONDS
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{mark_span_as_active, Span, Tracer, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

const BURST: u32 = 1000;

struct Counting;

thread_local! { static ALLOCATIONS: Cell<u64> = const { Cell::new(0) }; }

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        System.alloc(layout)
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        System.dealloc(place, layout)
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        System.realloc(place, layout, size)
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(|count| count.get())
}

/// Processor time of this thread.
fn thread_ns() -> u64 {
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Times bursts of the operation, with an untimed flush between; prints one row of the JSON object.
fn row(name: &str, bursts: usize, mut operation: impl FnMut(), mut flush: impl FnMut()) {
    let mut times = Vec::with_capacity(bursts);
    let mut counted = 0;
    for burst in 0..bursts {
        let before = allocations();
        let start = thread_ns();
        for _ in 0..BURST {
            operation();
        }
        times.push((thread_ns() - start) as f64 / BURST as f64);
        if burst > 0 {
            counted += allocations() - before;
        }
        flush();
    }
    times.sort_by(|a, b| a.total_cmp(b));
    println!(
        "{{\"case\": \"{}\", \"median\": {:.2}, \"p10\": {:.2}, \"p90\": {:.2}, \"mallocs\": {:.3}}}",
        name,
        times[bursts / 2],
        times[bursts / 10],
        times[bursts * 9 / 10],
        counted as f64 / BURST as f64 / (bursts - 1) as f64
    );
}

fn traces(sampler: Sampler) -> SdkTracerProvider {
    let exporter = SpanExporter::builder().with_http().build().expect("span exporter");
    SdkTracerProvider::builder().with_sampler(sampler).with_batch_exporter(exporter).build()
}

fn span_four(tracer: &SdkTracer) {
    let mut span = tracer.start("operation");
    span.set_attribute(KeyValue::new("http.request.method", "GET"));
    span.set_attribute(KeyValue::new("url.path", "/order/1234"));
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.set_attribute(KeyValue::new("server.address", "localhost"));
    span.end();
}

fn operations_of_spans(bursts: usize) {
    let provider = traces(Sampler::AlwaysOn);
    let tracer = provider.tracer("bench");
    let flush = || drop(provider.force_flush());
    row("span", bursts, || tracer.start("operation").end(), flush);
    row("span_current", bursts, || drop(mark_span_as_active(tracer.start("operation"))), flush);
    row("span_4", bursts, || span_four(&tracer), flush);
    let _ = provider.shutdown();
    let provider = traces(Sampler::AlwaysOff);
    let tracer = provider.tracer("bench");
    row("unsampled", bursts, || tracer.start("operation").end(), || ());
    let _ = provider.shutdown();
}

fn operations_of_logs(bursts: usize) {
    let exporter = LogExporter::builder().with_http().build().expect("log exporter");
    let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter).build();
    let logger = provider.logger("bench");
    let emit = || {
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_body(AnyValue::from("a message of usual length"));
        record.add_attribute("key", "value");
        record.add_attribute("number", 5);
        logger.emit(record);
    };
    row("log_2", bursts, emit, || drop(provider.force_flush()));
    let _ = provider.shutdown();
}

fn operations_of_metrics(bursts: usize) {
    let exporter = MetricExporter::builder().with_http().build().expect("metric exporter");
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let counter = provider.meter("bench").u64_counter("bench.counter").build();
    let attributes = [
        KeyValue::new("method", "GET"),
        KeyValue::new("code", 200),
        KeyValue::new("route", "/order"),
        KeyValue::new("host", "a"),
    ];
    let bound = counter.bind(&attributes);
    row("counter_bound", bursts, || bound.add(1), || ());
    let add = || {
        counter.add(
            1,
            &[
                KeyValue::new("method", "GET"),
                KeyValue::new("code", 200),
                KeyValue::new("route", "/order"),
                KeyValue::new("host", "a"),
            ],
        )
    };
    row("counter_4", bursts, add, || ());
    let _ = provider.shutdown();
}

fn cpu_seconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn memory_kib(word: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(word)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Each millisecond begins as many spans as are due.
fn rate(per_second: u64, seconds: u64) {
    let empty = memory_kib("VmRSS:");
    let provider = traces(Sampler::AlwaysOn);
    let tracer = provider.tracer("bench");
    std::thread::sleep(Duration::from_millis(300));
    let (rest, cpu, start) = (memory_kib("VmRSS:"), cpu_seconds(), Instant::now());
    let (mut sent, total) = (0, per_second * seconds);
    while sent < total {
        let due = total.min((start.elapsed().as_micros() as u64 * per_second) / 1_000_000);
        while sent < due {
            span_four(&tracer);
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = start.elapsed().as_secs_f64();
    let _ = provider.force_flush();
    let used = cpu_seconds() - cpu;
    let _ = provider.shutdown();
    println!(
        "{{\"sent\": {}, \"seconds\": {:.3}, \"cpu_seconds\": {:.4}, \"empty_kib\": {}, \"rest_kib\": {}, \"peak_kib\": {}}}",
        sent,
        elapsed,
        used,
        empty,
        rest,
        memory_kib("VmHWM:")
    );
}

fn number(index: usize) -> u64 {
    std::env::args().nth(index).and_then(|text| text.parse().ok()).expect("a number")
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("ops") => {
            let bursts = number(2).max(10) as usize;
            operations_of_spans(bursts);
            operations_of_logs(bursts);
            operations_of_metrics(bursts);
        }
        Some("rate") => rate(number(2), number(3)),
        _ => {
            eprintln!("usage: sdk_peer ops BURSTS | sdk_peer rate SPANS_PER_SECOND SECONDS");
            std::process::exit(2);
        }
    }
}
