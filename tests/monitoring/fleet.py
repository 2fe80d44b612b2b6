"""What tests/monitoring/fleet runs.

fleet.py serve PORT PAGE                                serves a page, with other values each time
fleet.py measure URL PROCESS FOLDER HOSTS SECONDS       what a Prometheus with it costs
"""

import http.server
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# What differs from one measurement to the next.
VARIES = re.compile(r"ptpctl_clock_(offset|time_error|delay|rate|frequency_ratio)")


def serve(port, page):
    """Each value that a real clock changes is another in each answer; counters count seconds."""
    begun = time.time()
    with open(page) as file:
        lines = file.read().splitlines()

    def now():
        for line in lines:
            name, _, value = line.rpartition(" ")
            if line.startswith("#") or not name:
                yield line
            elif "_total" in name:
                yield f"{name} {int(time.time() - begun)}"
            elif "timestamp" in name:
                yield f"{name} {time.time():.3f}"
            elif VARIES.match(line):
                yield f"{name} {float(value) + random.gauss(0, 2e-8):.9g}"
            else:
                yield line

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            text = ("\n".join(now()) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer.request_queue_size = 1024
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Page).serve_forever()


def query(url, text):
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': text})}") as answer:
        return [float(series["value"][1]) for series in json.load(answer)["data"]["result"]]


def own(url, name):
    """A number that Prometheus tells of itself."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1])


def cpu(process):
    """The seconds that a process has computed."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process, what):
    with open(f"/proc/{process}/status") as file:
        return int(re.search(rf"{what}:\s+(\d+) kB", file.read())[1]) / 1024


def size(folder):
    return int(subprocess.check_output(["du", "-sb", folder]).split()[0]) / 1e6


def measure(url, process, folder, hosts, seconds):
    hosts, seconds = int(hosts), int(seconds)
    deadline = time.time() + 120
    while True:
        try:
            if query(url, "count(up == 1)") == [hosts]:
                break
        except OSError:
            pass
        if time.time() > deadline:
            sys.exit(f"not all of {hosts} hosts were scraped within 120 s")
        time.sleep(1)
    samples = "prometheus_tsdb_head_samples_appended_total\\{type=\"float\"\\}"
    if "samples_appended_total{" not in urllib.request.urlopen(f"{url}/metrics").read().decode():
        samples = "prometheus_tsdb_head_samples_appended_total"
    before = cpu(process), own(url, samples), size(folder), time.time()
    time.sleep(seconds)
    elapsed = time.time() - before[3]
    appended = (own(url, samples) - before[1]) / elapsed
    down = query(url, f"sum(count_over_time((up == 0)[{seconds}s:15s]))") or [0]
    series = query(url, "max(scrape_samples_scraped)")[0]
    print(f"{hosts} hosts with two clocks each, scraped every 15 s, for {seconds} s")
    print(f"series of a host     {series:.0f}, and {series_of_scrape(url):.0f} that Prometheus adds")
    print(f"series in all        {own(url, 'prometheus_tsdb_head_series'):.0f}")
    print(f"samples a second     {appended:.0f}")
    print(f"processor            {100 * (cpu(process) - before[0]) / elapsed:.1f} % of one core")
    print(f"memory               {memory(process, 'VmRSS'):.0f} MB, at most {memory(process, 'VmHWM'):.0f} MB")
    print(f"write-ahead log      {(size(folder) - before[2]) / elapsed * 86.4:.2f} GB a day before compaction")
    print(f"scrapes that failed  {down[0]:.0f}")
    if down[0]:
        sys.exit("some failed")


def series_of_scrape(url):
    """The series that Prometheus makes of each scrape itself, such as up."""
    return len(query(url, 'count by (__name__) ({__name__=~"up|scrape_.*"})'))


{"serve": serve, "measure": measure}[sys.argv[1]](*sys.argv[2:])
