//! `ptpctl metrics`: the page, the file for `node_exporter`, the server.

use crate::common::{Folder, limited, pid, program, ptpctl, run};
use nix::sys::signal::{Signal, kill};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The values of a page by their names with labels. Checks that it is in Prometheus' text format.
#[track_caller]
fn page(text: &str) -> BTreeMap<String, f64> {
    let (mut heads, mut values) = (BTreeSet::new(), BTreeMap::new());
    let (mut helped, mut current) = (String::new(), String::new());
    assert!(text.ends_with('\n'), "{text}");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split(' ').next().expect("a name").clone_into(&mut helped);
            assert!(heads.insert(helped.clone()), "{helped} has two heads");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a kind");
            assert!(name == helped && ["gauge", "counter"].contains(&kind), "{line}");
            name.clone_into(&mut current);
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert_eq!(name.split('{').next(), Some(current.as_str()), "{line}");
            let value = value.parse().expect("a number");
            assert!(values.insert(name.to_owned(), value).is_none(), "twice: {name}");
        }
    }
    values
}

fn told(line: &str) -> BTreeMap<String, f64> {
    page(&ptpctl(line).done().stdout)
}

#[track_caller]
fn value(page: &BTreeMap<String, f64>, name: &str) -> f64 {
    *page.get(name).unwrap_or_else(|| panic!("there is no {name} in {page:#?}"))
}

#[test]
fn a_page_tells_what_a_clock_is_and_how_far_it_is_off() {
    let page = told("metrics mock:igb,offset=37.000005s");
    let clock = "clock=\"mock:igb,offset=37.000005s\"";
    let of = |name: &str| value(&page, &format!("ptpctl_clock_{name}{{{clock}}}"));
    let against = |name: &str| {
        value(&page, &format!("ptpctl_clock_{name}{{{clock},reference=\"realtime\"}}"))
    };
    assert_eq!(of("present").to_bits(), 1_f64.to_bits());
    let bound = against("offset_bound_seconds");
    assert!((0.0..1e-4).contains(&bound), "{bound}");
    assert!((against("offset_seconds") - 37.000_005).abs() <= bound + 1e-12);
    assert!(of("utc_offset_seconds") > 36.0, "it keeps TAI");
    assert!((against("time_error_seconds") - 5e-6).abs() <= bound + 1e-12);
    assert!(against("readings_total") > 0.0 && against("misses_total") < 1.0);
    assert!((of("frequency_limit_ratio") - 0.999_999_881).abs() < 1e-12);
    assert!(page.keys().any(|name| name.contains("clock_name=\"525400123456\"")));
}

#[test]
fn a_clock_is_compared_with_the_first_one_of_their_labels() {
    let page = told("metrics mock:igb,offset=1ms mock:e1000e");
    let name = "clock=\"mock:igb,offset=1ms\",reference=\"mock:e1000e\"";
    let of = |metric: &str| value(&page, &format!("ptpctl_clock_{metric}_seconds{{{name}}}"));
    assert!((of("offset") - 1e-3).abs() <= of("offset_bound"), "{page:#?}");
    assert!(!page.keys().any(|name| name.contains("reference=\"mock:igb")), "{page:#?}");
}

#[test]
fn the_time_error_is_less_the_whole_seconds_of_both_scales() {
    let error = |page: &BTreeMap<String, f64>, clock: &str, reference: &str| {
        let labels = format!("clock=\"{clock}\",reference=\"{reference}\"");
        value(page, &format!("ptpctl_clock_time_error_seconds{{{labels}}}"))
    };
    let page = told("metrics mock:igb,offset=37.001s mock:e1000e");
    let (tai, utc) = ("mock:igb,offset=37.001s", "mock:e1000e");
    assert!((error(&page, tai, "realtime") - 1e-3).abs() < 1e-4, "{page:#?}");
    assert!((error(&page, tai, utc) - 1e-3).abs() < 1e-4, "{page:#?}");
    // Where no scale explains an offset, all of it counts.
    for (clock, off) in [("mock:igb,offset=5s", 5.0), ("mock:igb,offset=-600ms", -0.6)] {
        let page = told(&format!("metrics {clock}"));
        assert!((error(&page, clock, "realtime") - off).abs() < 1e-4, "{page:#?}");
    }
}

#[test]
fn what_is_not_known_is_missing() {
    let with =
        |page: &BTreeMap<String, f64>, text: &str| page.keys().any(|name| name.contains(text));
    // The precise method gives no bound.
    let precise = told("metrics mock:full");
    assert!(with(&precise, "offset_seconds") && !with(&precise, "bound_seconds"));
    let unset = told("metrics mock:igb,unset");
    assert!(!with(&unset, "utc_offset") && with(&unset, "clock_unset"));
    let odd = told("metrics mock:igb,offset=5s");
    assert!(!with(&odd, "utc_offset"), "it keeps no known scale");
    let one = told("metrics mock:igb");
    assert!(!with(&one, "rate_ratio"), "one measurement has no rate");
    assert!(!with(&one, "phase_limit") && !with(&one, "interface_"), "{one:#?}");
}

#[test]
fn a_reading_that_fails_is_a_miss_and_tells_no_offset() {
    let line = "metrics mock:igb,fail=sys_offset_extended/1:EIO,fail=sys_offset/1:EIO";
    let failing = ptpctl(line);
    assert_eq!(failing.status, Some(1), "nothing was measured: {failing:?}");
    assert!(failing.stderr.contains("EIO"), "{failing:?}");
    let page = page(&failing.stdout);
    let of =
        |name: &str| page.iter().find(|(line, _)| line.starts_with(name)).map(|(_, value)| *value);
    assert_eq!(of("ptpctl_clock_misses_total"), Some(1.0));
    assert_eq!(of("ptpctl_clock_present"), Some(1.0), "it is there");
    assert_eq!(of("ptpctl_clock_offset_seconds"), None);
}

#[test]
fn a_clock_that_is_not_there_is_told_as_absent() {
    let run = ptpctl("metrics mock:igb /dev/no-such-clock");
    let page = page(&run.stdout);
    assert_eq!(run.status, Some(0), "the other one was measured: {run:?}");
    assert!(run.stderr.is_empty() || run.stderr.contains("no-such-clock"), "{run:?}");
    let present = |clock: &str| value(&page, &format!("ptpctl_clock_present{{clock=\"{clock}\"}}"));
    assert!(present("mock:igb") > 0.0 && present("/dev/no-such-clock") < 1.0);
    assert_eq!(ptpctl("metrics /dev/no-such-clock").status, Some(1));
}

#[test]
fn json_has_the_same() {
    let object = ptpctl("metrics --json mock:igb").done().json();
    let metrics = object["metrics"].as_array().expect("a list");
    let offset = metrics.iter().find(|metric| metric["name"] == "ptpctl_clock_offset_seconds");
    let value = &offset.expect("an offset")["values"][0];
    assert_eq!(value["labels"]["clock"], "mock:igb");
    assert!(value["value"].as_f64().is_some_and(|offset| offset.abs() < 1e-3), "{value}");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (line, why) in [
        ("metrics --interval 5s mock", "--interval needs --listen or --textfile"),
        ("metrics --json --listen 0 mock", "--json is for a page that is printed once"),
        ("metrics --interval 1ms --listen 0 mock", "the shortest interval is 160ms"),
        ("metrics --listen nowhere mock", "it is no address and port"),
        ("metrics --listen 70000 mock", "it is no address and port"),
        ("metrics --listen localhost9977 mock", "it is no address and port"),
    ] {
        ptpctl(line).failed(2, why);
    }
}

#[test]
fn a_textfile_is_replaced_and_its_counters_go_on() {
    let folder = Folder::new("textfile");
    let file = folder.file("ptpctl.prom");
    for number in 1..=3 {
        ptpctl(&format!("metrics --textfile {file} mock:igb")).done();
        let page = page(&fs::read_to_string(&file).expect("a page"));
        let readings = "ptpctl_clock_readings_total{clock=\"mock:igb\",reference=\"realtime\"}";
        assert_eq!(value(&page, readings).to_bits(), f64::from(number).to_bits());
    }
    let found = fs::metadata(&file).expect("there");
    assert_eq!(found.permissions().mode() & 0o777, 0o644, "node_exporter can read it");
    assert_eq!(folder.names(), ["ptpctl.prom"], "nothing is left beside it");
}

#[test]
fn a_step_between_two_runs_is_found_by_the_textfile() {
    let folder = Folder::new("textfile-step");
    let file = folder.file("ptpctl.prom");
    let clock = format!("mock:igb,state={}", folder.file("state"));
    let after = |change: &str| {
        if !change.is_empty() {
            ptpctl(&format!("{change} {clock}")).done();
        }
        ptpctl(&format!("metrics --textfile {file} {clock}")).done();
        let page = page(&fs::read_to_string(&file).expect("a page"));
        let of = |name: &str| {
            let found = page.iter().find(|(line, _)| line.starts_with(name));
            found.map(|(_, value)| *value)
        };
        (of("ptpctl_clock_steps_total"), of("ptpctl_clock_rate_ratio").is_some())
    };
    assert_eq!(after(""), (Some(0.0), false), "one measurement has no rate");
    assert_eq!(after(""), (Some(0.0), true));
    assert_eq!(after("adjtime 3s"), (Some(1.0), false));
    assert_eq!(after(""), (Some(1.0), true));
    assert_eq!(after("adjfreq 50ppm"), (Some(1.0), true));
    assert_eq!(after("adjtime -- -3s"), (Some(2.0), false));
}

#[test]
fn a_textfile_without_metrics_is_told() {
    let folder = Folder::new("textfile-damaged");
    let file = folder.file("ptpctl.prom");
    for text in [&b"garbage\n"[..], b"", b"\xff\xfe"] {
        fs::write(&file, text).expect("written");
        let run = ptpctl(&format!("metrics --textfile {file} mock:igb"));
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(run.stderr.contains("all counters begin at 0"), "{run:?}");
    }
    let run = ptpctl(&format!("metrics --textfile {file} mock:igb"));
    assert_eq!(run.stderr, "");
}

#[test]
fn a_textfile_behind_a_link_is_replaced_and_not_the_link() {
    let folder = Folder::new("textfile-link");
    let (file, link) = (folder.file("to.prom"), folder.file("link.prom"));
    symlink("to.prom", &link).expect("linked");
    ptpctl(&format!("metrics --textfile {link} mock:igb")).done();
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(fs::metadata(&file).expect("there").is_file());
}

#[test]
fn nothing_but_a_file_is_replaced() {
    let folder = Folder::new("textfile-other");
    let pipe = folder.file("pipe.prom");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let state = folder.file("state.prom");
    ptpctl(&format!("set now mock:full,state={state}")).done();
    let before = fs::read(&state).expect("a state");
    for (file, status) in [
        (pipe.as_str(), 1),
        (&folder.file(""), 1),
        ("/dev/null", 1),
        ("/dev/there-is-none.prom", 1),
        ("/proc/there-is-none.prom", 1),
        (&folder.file("no/such/folder.prom"), 1),
    ] {
        let run = ptpctl(&format!("metrics --textfile {file} mock:igb"));
        assert_eq!(run.status, Some(status), "{file}: {run:?}");
    }
    let line = format!("metrics --textfile {state} mock:full,state={state}");
    ptpctl(&line).failed(2, "is the file of a mock clock");
    assert_eq!(fs::read(&state).expect("a state"), before);
}

#[test]
fn a_page_that_can_not_be_written_leaves_the_old_one() {
    let folder = Folder::new("textfile-full");
    let file = folder.file("ptpctl.prom");
    ptpctl(&format!("metrics --textfile {file} mock:igb")).done();
    let before = fs::metadata(&file).expect("there");
    // A write beyond `ulimit -f` fails with an errno, like a write to a full disk.
    let failed = run(limited("ulimit -f 1").args(["metrics", "--textfile", &file, "mock:igb"]));
    failed.failed(1, "File too large");
    let after = fs::metadata(&file).expect("there");
    assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
    assert_eq!(folder.names(), ["ptpctl.prom"]);
}

#[test]
fn a_name_that_node_exporter_passes_over_is_told() {
    let folder = Folder::new("textfile-name");
    let run = ptpctl(&format!("metrics --textfile {} mock:igb", folder.file("ptpctl.txt")));
    assert_eq!(run.status, Some(0));
    assert!(run.stderr.contains("files that end in .prom only"), "{run:?}");
}

/// A server, and where it listens.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program()
            .args(["metrics", "--listen", "0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut notes = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = notes.find_map(|line| {
            let line = line.expect("text");
            Some(line.split_once("http://")?.1.trim_end_matches("/metrics").to_owned())
        });
        // It may tell more later.
        thread::spawn(move || notes.for_each(drop));
        Self { child, address: address.expect("an address") }
    }

    fn page(&self) -> BTreeMap<String, f64> {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        page(text)
    }

    /// A value, once it is as it should be.
    fn until(&self, name: &str, wanted: impl Fn(f64) -> bool) -> BTreeMap<String, f64> {
        let began = Instant::now();
        loop {
            let page = self.page();
            if page.get(name).is_some_and(|value| wanted(*value)) {
                return page;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{name}: {page:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(mut self) {
        kill(pid(&self.child), Signal::SIGTERM).expect("sent");
        assert_eq!(self.child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_clocks_are_read_on_a_schedule_and_not_by_those_who_ask() {
    let served = Served::start(&["--interval", "200ms", "--samples", "1000", "mock:igb,freq=1ppm"]);
    let readings =
        "ptpctl_clock_readings_total{clock=\"mock:igb,freq=1ppm\",reference=\"realtime\"}";
    let began = Instant::now();
    for _ in 0..50 {
        served.page();
    }
    let most = began.elapsed().as_secs_f64() / 0.2 + 10.0;
    assert!(value(&served.page(), readings) < most);
    let page = served.until(readings, |number| number >= 12.0);
    let of = |name: &str| value(&page, &readings.replace("readings_total", name));
    assert!((of("rate_ratio") - 1e-6).abs() <= of("rate_bound_ratio"), "{page:#?}");
    served.end();
}

#[test]
fn a_clock_that_goes_is_absent_and_its_counters_stay() {
    // It is away for a moment after each 300 ms.
    let served =
        Served::start(&["--interval", "100ms", "--samples", "1000", "mock:igb,remove=300ms"]);
    let absences = "ptpctl_clock_absences_total{clock=\"mock:igb,remove=300ms\"}";
    let page = served.until(absences, |number| number >= 2.0);
    let readings =
        "ptpctl_clock_readings_total{clock=\"mock:igb,remove=300ms\",reference=\"realtime\"}";
    assert!(value(&page, readings) >= 3.0, "{page:#?}");
    served.end();
}

#[test]
fn a_port_that_is_taken_is_told() {
    let served = Served::start(&["mock:igb"]);
    ptpctl(&format!("metrics --listen {} mock:igb", served.address)).failed(1, "can't listen on");
    served.end();
}

#[test]
fn a_full_disk_ends_no_service() {
    let folder = Folder::new("service-full");
    let file = folder.file("ptpctl.prom");
    let mut command = limited("ulimit -f 1");
    command.args(["metrics", "--textfile", &file, "--interval", "200ms", "mock:igb"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("started");
    let mut notes = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let note = notes.next().expect("a note").expect("text");
    assert!(note.contains("File too large"), "{note}");
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
}

/// All clocks of a machine, which is `ptpctl mock run`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod whole_machines {
    use super::*;
    use crate::common::{Run, TemporaryFile, start};

    /// A line of a shell under a script, unless this machine can't; that is told then.
    fn play(name: &str, script: &str, line: &str) -> Option<Run> {
        let file = TemporaryFile::new(name);
        fs::write(&file.0, script).expect("written");
        let line = line.replace("PTPCTL", &start().join(" "));
        let mut command = program();
        command.args(["mock", "run", "--script"]).arg(&file.0).args(["--", "sh", "-c", &line]);
        let ended = run(&mut command);
        if ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later is needed") {
            println!("skipped: {}", ended.stderr);
            return None;
        }
        Some(ended)
    }

    #[test]
    fn the_series_of_a_card_go_on_when_it_comes_back_as_another_device() {
        let folder = Folder::new("comes-back");
        let file = folder.file("ptpctl.prom");
        let script = "
            clocks = ['igb,interface=eth7', 'e1000e']
            [[at]]
            time = '2s'
            goes = true
            [[at]]
            time = '4s'
            returns-as = 'ptp5'
        ";
        let once = format!("PTPCTL metrics --textfile {file}; cp {file} {file}");
        let line = format!("{once}.1; sleep 2.5; {once}.2; sleep 2.5; {once}.3");
        let Some(ended) = play("comes-back.toml", script, &line) else { return };
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let pages = [1, 2, 3]
            .map(|number| page(&fs::read_to_string(format!("{file}.{number}")).expect("a page")));
        let of = |name: &str| {
            let name = format!("ptpctl_clock_{name}{{clock=\"card0\"}}");
            pages.each_ref().map(|page| page.get(&name).copied())
        };
        assert_eq!(of("present"), [Some(1.0), Some(0.0), Some(1.0)], "{ended:?}");
        assert_eq!(of("absences_total"), [Some(0.0), Some(1.0), Some(1.0)]);
        assert_eq!(of("device_number"), [Some(0.0), None, Some(5.0)]);
        // The uncertainty isn't always known, and the rate only after a second measurement.
        let is_always = |name: &&String| !name.contains("uncertainty") && !name.contains("_rate_");
        let names = |page: &BTreeMap<String, f64>| {
            page.keys().filter(is_always).cloned().collect::<BTreeSet<_>>()
        };
        assert_eq!(names(&pages[0]), names(&pages[2]), "the same series");
    }

    #[test]
    fn interfaces_and_readings_are_told_and_limits_kept() {
        let script = "
            clocks = ['igb,interface=eth7', 'e1000e', 'full', 'full']
            stop = '6s'
            [[expect]]
            # At most 25 a second on average: two rounds may fall into one second.
            readings-per-second = 50
            [[expect]]
            signal = 'SIGTERM'
        ";
        let line = "PTPCTL metrics | grep eth7; sleep 1.5; exec PTPCTL metrics --listen 0";
        let Some(ended) = play("limits.toml", script, line) else { return };
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let labels = "{clock=\"card0\",interface=\"eth7\"}";
        for direction in ["transmit", "receive"] {
            let wanted = format!("ptpctl_interface_{direction}_timestamps{labels} 0");
            assert!(ended.stdout.contains(&wanted), "{ended:?}");
        }
    }
}
