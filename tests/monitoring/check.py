"""What tests/monitoring/run checks.

check.py alerts RULES TESTS             each alert has a case in which it fires
check.py live URL SECONDS DASHBOARD     what a Prometheus has gathered
check.py kernel URL SECONDS CLOCKS      the same, of an emulated machine
"""

import json
import re
import sys
import urllib.parse
import urllib.request

failures = []


def check(is_so, what):
    print("ok" if is_so else "NOT OK", "-", what)
    if not is_so:
        failures.append(what)


def alerts(rules, tests):
    with open(rules) as file:
        names = re.findall(r"alert: (\w+)", file.read())
    with open(tests) as file:
        tried = set(re.findall(r'alertname="(\w+)"', file.read()))
    check(names and set(names) == tried, f"each of {len(names)} alerts is tried: {set(names) ^ tried}")


class Prometheus:
    def __init__(self, url):
        self.url = url

    def __call__(self, query):
        """The series of an instant query: labels and value."""
        text = urllib.parse.urlencode({"query": query})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}") as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{query}: {error.read().decode()}")

    def values(self, query):
        return [float(series["value"][1]) for series in self(query)]


def gathered(query, seconds, clocks):
    """Nothing is lost, and no name changes. Returns how many scrapes had an answer."""
    span = f"[{seconds}s]"
    # Prometheus starts within some seconds, and the restart of ptpctl costs a scrape or two.
    scrapes = query.values(f'count_over_time(up{{job="ptpctl"}}{span})')
    failed = query.values(f'sum(count_over_time((up{{job="ptpctl"}} == 0){span[:-1]}:1s]))')
    check(scrapes and scrapes[0] >= seconds - 10, f"{scrapes} scrapes in {seconds} s")
    check(sum(failed) <= 5, f"{sum(failed)} of them without an answer, while ptpctl started")
    present = query.values(f'sum_over_time(up{{job="ptpctl"}}{span})')
    lost = query(f'count_over_time(ptpctl_clock_present{{job="ptpctl"}}{span}) < {present[0]:.0f}')
    check(not lost, f"each clock is told in each scrape: {len(lost)} are not")
    names = query.values(f'count(count_over_time(ptpctl_clock_present{{job="ptpctl"}}{span}))')
    check(names == [clocks], f"{clocks} clocks have as many series, also one that came back: {names}")
    infos = query.values(f'count(count_over_time(ptpctl_clock_info{{job="ptpctl"}}{span}))')
    check(infos == [clocks], f"and as many descriptions: {infos}")
    return present[0]


def kernel(url, seconds, clocks):
    query = Prometheus(url)
    span = f"[{seconds}s]"
    present = gathered(query, seconds, clocks)
    absent = query(f"min_over_time(ptpctl_clock_present{span}) == 0")
    check(len(absent) == 1, f"one clock went away: {[one['metric']['clock'] for one in absent]}")
    back = query("ptpctl_clock_present == 0")
    check(not back, f"and is back: {back}")
    gone = absent[0]["metric"]["clock"] if absent else ""
    virtual = query.values(f'count(count_over_time(ptpctl_clock_info{{kind="virtual"}}{span}))')
    check(virtual == [20], f"virtual clocks are told as such: {virtual}")
    offsets = f'ptpctl_clock_offset_seconds{{reference="realtime",clock!="{gone}"}}'
    measured = query.values(f"count(count_over_time({offsets}{span}))")
    check(measured == [clocks - 1], f"each of the others is measured: {measured}")
    gaps = query(f"count_over_time({offsets}{span}) < {present - 3:.0f}")
    check(not gaps, f"no offset is lost: {gaps[:2]}")


def live(url, seconds, dashboard):
    query = Prometheus(url)
    span = f"[{seconds}s]"
    present = gathered(query, seconds, 50)
    numbers = query.values(f'max_over_time(ptpctl_clock_device_number{{clock="card3"}}{span})')
    check(numbers == [70], f"it came back as another device: {numbers}")
    absent = query.values(f'min_over_time(ptpctl_clock_present{{clock="card3"}}{span})')
    check(absent == [0], "and was absent in between")
    gaps = query(
        f'count_over_time(ptpctl_clock_offset_seconds{{job="ptpctl",reference="realtime",clock!="card3"}}{span})'
        f" < {present - 3:.0f}"
    )
    check(not gaps, f"no offset is lost, even where every tenth reading fails: {gaps[:2]}")
    misses = query.values(f'max_over_time(ptpctl_clock_misses_total{{clock="card6",reference="realtime"}}{span})')
    check(misses and 3 <= misses[0] <= 7, f"five seconds of failures are about five misses: {misses}")
    steps = query.values(f'max_over_time(ptpctl_clock_steps_total{{clock="card5",reference="realtime"}}{span})')
    check(steps and steps[0] >= 1, f"a step is counted: {steps}")
    ahead = query.values('ptpctl_clock_utc_offset_seconds{clock="card1"}')
    check(ahead == [37], f"a clock on TAI is told as such: {ahead}")

    texts = query.values(f'count_over_time(ptpctl_clock_offset_seconds{{job="node",reference="realtime"}}{span})')
    check(len(texts) == 2 and min(texts) >= seconds - 12, f"through node_exporter, too: {texts}")
    errors = query.values("node_textfile_scrape_error")
    check(errors == [0], f"which has read each file: {errors}")
    fired = {series["metric"]["alertname"] for series in query('ALERTS{alertstate="pending"} or ALERTS')}
    check("PTPClockStepped" in fired, f"the rules are evaluated: {sorted(fired)}")

    with open(dashboard) as file:
        panels = json.load(file)["panels"]
    for panel in panels:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$instance", ".*").replace("$clock", ".*")
            check(query(expression), f"dashboard, {panel['title']}: {len(query(expression))} series")


{"alerts": alerts, "live": live, "kernel": kernel}[sys.argv[1]](
    *(int(argument) if argument.isdigit() else argument for argument in sys.argv[2:])
)
sys.exit(f"{len(failures)} failed" if failures else 0)
