//! `ptpctl metrics`: clocks as metrics, for Prometheus.

mod textfile;
mod told;

pub(super) use told::ALL;

use super::Command;
use crate::cli::args::{args, define, read, values};
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::{Context, arguments, told::Told};
use crate::http::{self, Page, Site};
use crate::kernel::{Signals, in_words};
use crate::report::Report;
use crate::report::metrics::{CONTENT_TYPE, Metrics};
use crate::watch::Effort;
use crate::watch::fleet::Fleet;
use clap::value_parser;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use textfile::Textfile;
use told::Earlier;

pub(super) const COMMAND: Command = Command {
    name: "metrics",
    aliases: &[],
    about: "Show clocks as metrics, for Prometheus",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

/// Where a page is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address(SocketAddr);

values!(Address);

/// A port alone is one of the loopback interface.
fn address(text: &str) -> Result<Address, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = port.parse().map(loopback).or_else(|_| text.parse());
    address.map(Address).map_err(|_| {
        "it is no address and port: write 9977 for the loopback interface, 192.0.2.1:9977 or \
         [2001:db8::1]:9977 for others"
            .to_owned()
    })
}

args! {
    struct Args {
        listen: Option<Address> = arguments::option(
            "listen",
            "[ADDRESS:]PORT",
            "Serve the metrics over HTTP, on the loopback interface if no address is given",
        )
        .value_parser(address),
        textfile: Option<PathBuf> = arguments::option(
            "textfile",
            "FILE",
            "Write them to a file for node_exporter's textfile collector, whole or not at all",
        )
        .value_parser(value_parser!(PathBuf)),
        interval: Option<Duration> = arguments::duration(arguments::option(
            "interval",
            "DURATION",
            "Read each clock this often, and go on until a signal [with --listen: 1s]",
        )),
        samples: u32 = arguments::option(
            "samples",
            "NUMBER",
            "Take at most this many samples of each clock in a second",
        )
        .value_parser(arguments::whole(1_u32, Some(100_000)))
        .default_value("25"),
        clocks: Vec<String> = arguments::devices(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Shows what is known of clocks as metrics in Prometheus' text format: offset from the \
             system clock and from the first clock, with the bound that each holds; rate, delay, \
             frequency, limits, virtual clocks, hardware timestamps of the interfaces; and counters \
             of readings, misses, steps and absences. ptpctl-metrics(7) lists the metrics, with a \
             query for each question that people ask.\n\nWithout options it reads each clock once \
             and prints the page. With --listen it reads the clocks on its own schedule, and \
             serves what it read last under /metrics, however often that is asked for. There is no \
             TLS and no password: without an address it listens on the loopback interface only; put \
             a proxy in front of it for others. With --textfile it writes the page to a file for \
             node_exporter's textfile collector: once, or with --interval again and again. The file \
             is replaced as a whole; counters go on from what it had before.\n\nWithout a DEVICE, all \
             clocks of the machine are told, also those that appear later. A clock's label, clock=, \
             is its name as it was given; without a DEVICE the bus address of its card, which stays \
             when the card comes back as another /dev/ptpN. Each clock is read at most 25 times a \
             second, or --samples, half of that for its turn to be compared with the first clock; \
             the limit of a card that is known to have one is kept.\n\nIt opens clocks read-only, \
             and needs no privileges beyond that: members of the group ptp can run it. Which \
             programs have a clock open is told only to those who may look at all processes.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl metrics mock\n  \
             ptpctl metrics --listen 9977\n  \
             ptpctl metrics --listen 192.0.2.1:9977 --interval 5s eth0 eth1\n  \
             ptpctl metrics --textfile /var/lib/prometheus/node-exporter/ptpctl.prom",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let names = context.named_devices(&args.clocks);
    let goes_on = args.listen.is_some() || args.interval.is_some();
    if goes_on && args.listen.is_none() && args.textfile.is_none() {
        return Err(Failure::Usage("--interval needs --listen or --textfile".into()));
    }
    if context.printer.is_json() && (goes_on || args.textfile.is_some()) {
        return Err(Failure::Usage("--json is for a page that is printed once".into()));
    }
    let schedule = Interval::of(args)?;
    let textfile =
        args.textfile.as_deref().map(|path| Textfile::at(path, &context.files_of_clocks(&names)));
    let textfile = textfile.transpose()?;
    if let Some(note) = textfile.as_ref().and_then(Textfile::objection) {
        context.printer.aside(&note);
    }
    let earlier = match textfile.as_ref().map_or(Ok(Earlier::default()), Textfile::earlier) {
        Ok(earlier) => earlier,
        Err(why) => {
            context.printer.aside(&format!("{why}: all counters begin at 0"));
            Earlier::default()
        }
    };
    let fleet = Fleet::new(&names, &earlier.clocks(), schedule.effort, schedule.interval);
    let mut exporter = Exporter { fleet, earlier, textfile, told: Told::default() };
    if !goes_on {
        return exporter.once(context, !names.is_empty());
    }
    let signals = catch_signals()?;
    let page = Arc::new(Page::default());
    if let Some(Address(address)) = args.listen {
        exporter.round(context, &page);
        let failed = |error: io::Error| {
            Failure::Failed(format!("can't listen on {address}: {}", in_words(&error)))
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let site = Site { path: "/metrics", content_type: CONTENT_TYPE, page: Arc::clone(&page) };
        http::serve(listener, site).map_err(failed)?;
        context.printer.aside(&format!("serving http://{at}/metrics"));
    }
    let began = Instant::now();
    let mut due = Duration::ZERO;
    while wait(&signals, began + due) {
        exporter.round(context, &page);
        // What came late isn't made up for.
        let rounds = began.elapsed().as_nanos() / schedule.interval.as_nanos().max(1) + 1;
        due = schedule.interval.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
    }
    Err(Failure::Signal(signals))
}

/// Waits until a moment; returns whether to go on.
fn wait(signals: &Signals, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if signals.came().is_some() || left.is_zero() {
            return signals.came().is_none();
        }
        // Rounded up, so that it doesn't wake too early again and again.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999));
        let mut fds = [PollFd::new(signals.fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX));
    }
}

/// How often clocks are read, and with how many samples.
struct Interval {
    interval: Duration,
    effort: Effort,
}

impl Interval {
    fn of(args: &Args) -> Result<Self, Failure> {
        let interval = args.interval.unwrap_or(Duration::from_secs(1));
        let a_second = args.samples;
        let samples = interval.as_nanos() * u128::from(a_second) / 1_000_000_000;
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        // A clock is read against the system clock, and may have its turn against the first one,
        // which takes a sample or two more the first time.
        let samples = samples.saturating_sub(2) / 2;
        if samples == 0 {
            let least = humantime::format_duration(Duration::from_secs(4) / a_second);
            return Err(Failure::Usage(format!(
                "with {a_second} samples a second, the shortest interval is {least}"
            )));
        }
        Ok(Self { interval, effort: Effort::every(interval).at_most(samples) })
    }
}

/// What is told, and where.
struct Exporter {
    fleet: Fleet,
    earlier: Earlier,
    textfile: Option<Textfile>,
    told: Told,
}

impl Exporter {
    /// Reads each clock once.
    fn read(&mut self, context: &Context<'_>) -> Metrics {
        for reading in self.fleet.read() {
            self.told.take(context, &reading, None);
            self.told.cause(context, &reading);
        }
        told::metrics(&self.fleet, &self.earlier)
    }

    /// One page, to the file or to standard output.
    fn once(&mut self, context: &mut Context<'_>, are_named: bool) -> Result<Report, Failure> {
        let metrics = self.read(context);
        match &self.textfile {
            Some(textfile) => textfile.write(&metrics.text()).map_err(Failure::Failed)?,
            None if context.printer.is_json() => context.printer.object(&metrics.object())?,
            None => context.printer.bytes(metrics.text().as_bytes())?,
        }
        if are_named || !self.fleet.members.is_empty() {
            self.told.outcome()?;
        }
        Ok(Report::new())
    }

    /// One of many pages: what fails may work the next time.
    fn round(&mut self, context: &Context<'_>, page: &Page) {
        let text = self.read(context).text();
        if let Some(Err(why)) = self.textfile.as_ref().map(|textfile| textfile.write(&text)) {
            self.told.failure(context, why);
        }
        page.set(text);
    }
}
