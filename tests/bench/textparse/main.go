// Prometheus' own text parser over pages: megabytes a second of parsing alone, as a scrape of known series does it, and with the
// labels of every series, as the first scrape does. Best of several rounds, in processor time.
// usage: textparse FILE...
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

func parse(page []byte, contentType string, table *labels.SymbolTable, withLabels bool) int {
	parser, err := textparse.New(page, contentType, table, textparse.ParserOptions{})
	if err != nil {
		panic(err)
	}
	var set labels.Labels
	series := 0
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return series
		}
		if err != nil {
			panic(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		series++
		parser.Series()
		if withLabels {
			parser.Labels(&set)
		}
	}
}

// Seconds of processor time that this process has used.
func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func measure(page []byte, contentType string, withLabels bool) (float64, int) {
	table := labels.NewSymbolTable()
	best, series := 0.0, 0
	for round := 0; round < 7; round++ {
		start, runs := cpu(), 0
		for cpu()-start < 0.25 {
			series = parse(page, contentType, table, withLabels)
			runs++
		}
		if speed := float64(len(page)*runs) / 1e6 / (cpu() - start); speed > best {
			best = speed
		}
	}
	return best, series
}

func main() {
	for _, path := range os.Args[1:] {
		page, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		contentType := "text/plain; version=0.0.4"
		if bytes.HasSuffix(page, []byte("# EOF\n")) {
			contentType = "application/openmetrics-text; version=1.0.0"
		}
		alone, series := measure(page, contentType, false)
		whole, _ := measure(page, contentType, true)
		fmt.Printf("{\"page\": %q, \"bytes\": %d, \"series\": %d, \"parse_mb_s\": %.0f, \"labels_mb_s\": %.0f}\n", path, len(page), series, alone, whole)
	}
}
