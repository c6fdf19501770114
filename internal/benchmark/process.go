package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used since its start.
type usage struct {
	cpu time.Duration // user and system
	// objects and bytes that Go allocated on the heap, whether they live or not.
	objects, bytes float64
}

// usage asks the kernel and the server itself.
func (s *server) usage(ctx context.Context) (usage, error) {
	var u usage
	stat, err := s.proc("stat")
	if err == nil {
		u.cpu, err = parseCPU(stat)
	}
	if err != nil {
		return u, err
	}
	metrics, err := get(ctx, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return u, err
	}
	if u.objects, err = parseMetric(string(metrics.body), "go_memstats_mallocs_total"); err != nil {
		return u, err
	}
	u.bytes, err = parseMetric(string(metrics.body), "go_memstats_alloc_bytes_total")
	return u, err
}

// rss is the server's resident memory in bytes.
func (s *server) rss() (int64, error) { return s.memory("VmRSS:") }

// peakRSS is the most resident memory that the server ever had, in bytes.
func (s *server) peakRSS() (int64, error) { return s.memory("VmHWM:") }

func (s *server) memory(name string) (int64, error) {
	status, err := s.proc("status")
	if err != nil {
		return 0, err
	}
	return parseMemory(status, name)
}

func (s *server) proc(file string) (string, error) { return procFile(s.cmd.Process.Pid, file) }

func procFile(pid int, file string) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	return string(b), err
}

// cpu is what the server and the processes that it has started have used.
func (s *server) cpu() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	parents, used := map[int]int{}, map[int]time.Duration{}
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, parent, ok := parseParent(string(stat))
		if !ok {
			return 0, fmt.Errorf("not a /proc/PID/stat: %q", stat)
		}
		if used[pid], err = parseCPU(string(stat)); err != nil {
			return 0, err
		}
		parents[pid] = parent
	}
	var sum time.Duration
	for pid, cpu := range used {
		for ; pid > 1; pid = parents[pid] {
			if pid == s.cmd.Process.Pid {
				sum += cpu
				break
			}
		}
	}
	return sum, nil
}

// parseParent reads the ids of a process and of its parent.
func parseParent(stat string) (pid, parent int, ok bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	first, _, _ := strings.Cut(stat, " ")
	pid, err := strconv.Atoi(first)
	if err != nil || len(fields) < 2 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, parent, err == nil
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on all of Linux's architectures that Go runs on.
const tick = time.Second / 100

// parseCPU adds up utime and stime of /proc/PID/stat (proc_pid_stat(5)).
func parseCPU(stat string) (time.Duration, error) {
	// The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("not a /proc/PID/stat: %q", stat)
	}
	var ticks int64
	for _, f := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/PID/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// parseMemory finds a size in /proc/PID/status, such as "VmRSS:", and gives it in bytes.
func parseMemory(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, name); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s %w", name, err)
			}
			return kilobytes * 1024, nil
		}
	}
	return 0, fmt.Errorf("no %s the process has ended", name)
}

// parseMetric finds a metric without labels in Prometheus' text format.
func parseMetric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}
