// Reads whole numbers from standard input, one a line, and writes their count, sum, least, median and most to
// output/summary.json.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	numbers, err := readNumbers()
	if err != nil {
		return err
	}
	count := len(numbers)
	if count == 0 {
		return fmt.Errorf("the input holds no number")
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	var sum int64
	for _, number := range numbers {
		sum += number
	}
	median := numbers[(count-1)/2]
	summary := fmt.Sprintf("{\"count\": %d, \"sum\": %d, \"min\": %d, \"median\": %d, \"max\": %d}\n",
		count, sum, numbers[0], median, numbers[count-1])
	if err := os.WriteFile("output/summary.json", []byte(summary), 0o644); err != nil {
		return fmt.Errorf("cannot write the summary: %w", err)
	}
	fmt.Printf("%d numbers, sum %d, median %d\n", count, sum, median)
	return nil
}

// The numbers of standard input; empty lines are skipped.
func readNumbers() ([]int64, error) {
	var numbers []int64
	scanner := bufio.NewScanner(os.Stdin)
	for at := 1; scanner.Scan(); at++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" {
			continue
		}
		number, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d is no number: %s", at, line)
		}
		numbers = append(numbers, number)
	}
	return numbers, scanner.Err()
}
