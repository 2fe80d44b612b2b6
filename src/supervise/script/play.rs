//! Plays a script: lets happen what is due, and watches what is expected.

use super::expect::{Offsets, Shown, readings, too_early};
use super::{Expectation, Expected, Happening, Judged, Script, SystemIncident, Window};
use crate::kernel::supervision::start::signal_name;
use crate::supervise::supervisor::Supervisor;
use crate::supervise::{Ended, LeftOn, Notice};
use std::time::{Duration, Instant};

/// A script that is played.
pub(in crate::supervise) struct Play<'a> {
    script: &'a Script,
    since: Instant,
    /// How many happenings have been.
    passed: usize,
    watched: Vec<Watched<'a>>,
    /// When the program is told to end next, and how.
    stop: Option<(Duration, Wish)>,
}

/// What is to be done to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Wish {
    /// It and what it has started get SIGTERM.
    End,
    /// They get SIGKILL.
    Kill,
}

/// An expectation, and what has been seen of it.
struct Watched<'a> {
    expectation: &'a Expectation,
    seen: Seen,
}

enum Seen {
    /// Its time hasn't come.
    Nothing,
    Offsets(Offsets),
    /// The number of the count of readings.
    Count(usize),
    /// Its time is over.
    Judged(Shown),
}

/// Offsets are looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a program may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(10);

impl<'a> Play<'a> {
    /// Begins; the program has just been started.
    pub(in crate::supervise) fn new(script: &'a Script) -> Self {
        let watched = |expectation| Watched { expectation, seen: Seen::Nothing };
        Self {
            script,
            since: Instant::now(),
            passed: 0,
            watched: script.expectations.iter().map(watched).collect(),
            stop: script.stop.map(|stop| (stop, Wish::End)),
        }
    }

    /// Does what is due. Answers how long until the next, and what is to be done to the program;
    /// `is_over` where it has ended.
    pub(in crate::supervise) fn go_on(
        &mut self,
        supervisor: &mut Supervisor,
        is_over: bool,
        tell: &mut dyn FnMut(Notice),
    ) -> (Option<Duration>, Option<Wish>) {
        let now = self.since.elapsed();
        while let Some((time, happening)) = self.script.happenings.get(self.passed)
            && *time <= now
        {
            self.passed += 1;
            happen(happening, supervisor, tell);
        }
        if !is_over {
            for watched in &mut self.watched {
                watched.look(supervisor, now);
            }
        }
        let wish = self.stop.filter(|(time, _)| *time <= now).map(|(_, wish)| wish);
        if wish.is_some() {
            self.stop = Some((now + GRACE, Wish::Kill));
        }
        let happening = self.script.happenings.get(self.passed).map(|(time, _)| *time);
        let looks = self.watched.iter().filter(|_| !is_over).filter_map(|it| it.next_look(now));
        let stop = self.stop.map(|(time, _)| time);
        let next = happening.into_iter().chain(looks).chain(stop).min();
        (next.map(|next| next.saturating_sub(now)), wish)
    }

    /// The program has ended.
    pub(in crate::supervise) fn program_ended(&mut self, supervisor: &Supervisor) {
        let now = self.since.elapsed();
        for watched in &mut self.watched {
            watched.close(supervisor, Some(now));
        }
    }

    /// What came of all expectations.
    pub(in crate::supervise) fn judge(self, ended: Ended, left: &[LeftOn]) -> Vec<Judged> {
        let was_stopped = self.stop.is_some_and(|(_, wish)| wish == Wish::Kill);
        let missing = self.script.happenings.get(self.passed).map(|(time, _)| Judged {
            name: "all that the script lets happen has happened".into(),
            is_met: None,
            found: format!("not shown: the program ended before {time:?}"),
        });
        let judged = self.watched.into_iter().map(|watched| {
            let shown = match watched.seen {
                Seen::Judged(shown) => shown,
                _ => at_the_end(&watched.expectation.what, ended, left, was_stopped),
            };
            shown.of(&watched.expectation.name)
        });
        judged.chain(missing).collect()
    }
}

/// What the end of the program shows.
fn at_the_end(what: &Expected, ended: Ended, left: &[LeftOn], was_stopped: bool) -> Shown {
    let is_met = match (what, ended) {
        (Expected::Status(status), Ended::Exited(found)) => *status == found,
        (Expected::Signal(signal), Ended::Killed(found)) => *signal as i32 == found,
        (Expected::EndsWell, Ended::Exited(found)) => found == 0,
        (Expected::EndsWell, Ended::Killed(found)) => was_stopped && found == libc::SIGTERM,
        (Expected::NothingLeft, _) => left.is_empty(),
        _ => false,
    };
    let found = match (what, ended) {
        (Expected::NothingLeft, _) if left.is_empty() => "nothing".to_owned(),
        (Expected::NothingLeft, _) => {
            left.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        (_, Ended::Exited(status)) => format!("it ended with status {status}"),
        (_, Ended::Killed(signal)) => format!("it was ended by {}", signal_name(signal)),
    };
    if is_met { Shown::Met(found) } else { Shown::Broken(found) }
}

fn happen(happening: &Happening, supervisor: &mut Supervisor, tell: &mut dyn FnMut(Notice)) {
    match happening {
        Happening::ToClock(place, incident) => {
            supervisor.change_clock(*place, |mock| mock.suffer(incident));
        }
        Happening::Goes(place) => supervisor.take_away(*place),
        Happening::Returns(place, number) => {
            if let Err(error) = supervisor.bring_back(*place, *number) {
                tell(Notice::StaysAway(*place, error));
            }
        }
        Happening::ToSystem(incident) => {
            let Some(system) = supervisor.system() else { return };
            match *incident {
                SystemIncident::Step(by) => system.step(by),
                SystemIncident::Crystal(by) => system.change_crystal(by),
                SystemIncident::Leap { is_inserted } => system.leap(is_inserted),
            }
        }
    }
}

impl Watched<'_> {
    fn window(&self) -> Option<Window> {
        match self.expectation.what {
            Expected::Offset { window, .. } | Expected::Readings { window, .. } => Some(window),
            _ => None,
        }
    }

    /// Looks at the clocks, if it is time for that.
    fn look(&mut self, supervisor: &mut Supervisor, now: Duration) {
        let Some(window) = self.window().filter(|window| window.from <= now) else { return };
        if matches!(self.seen, Seen::Nothing) {
            self.seen = match self.expectation.what {
                Expected::Readings { of, .. } => match supervisor.clocks.0.get_mut(of) {
                    Some(clock) => Seen::Count(clock.begin_count()),
                    None => return,
                },
                _ => Seen::Offsets(Offsets::default()),
            };
        }
        if let (Seen::Offsets(offsets), Expected::Offset { of, to, wanted, within, .. }) =
            (&mut self.seen, &self.expectation.what)
        {
            offsets.take(supervisor.offset(*of, *to), now, *wanted, *within);
        }
        if window.until.is_some_and(|until| until <= now) {
            self.close(supervisor, None);
        }
    }

    /// Judges what was seen until now; `ended` says when the program ended, if that is why.
    fn close(&mut self, supervisor: &Supervisor, ended: Option<Duration>) {
        let Some(window) = self.window() else { return };
        let shown = match (&self.seen, &self.expectation.what) {
            (Seen::Offsets(offsets), Expected::Offset { of, to, .. }) => {
                offsets.shown((*of, *to), window, ended)
            }
            (Seen::Count(count), Expected::Readings { of, most, .. }) => {
                let found = supervisor.clocks.get(*of).map_or(0, |it| it.most_readings(*count));
                readings(found, *most, window, ended)
            }
            (Seen::Judged(_), _) => return,
            _ => Shown::Unseen(
                too_early(window, ended).unwrap_or_else(|| "it was never looked at".into()),
            ),
        };
        self.seen = Seen::Judged(shown);
    }

    /// When it is to be looked at next.
    fn next_look(&self, now: Duration) -> Option<Duration> {
        let window = self.window()?;
        match self.seen {
            Seen::Nothing => Some(window.from),
            Seen::Offsets(_) => {
                let next = now + LOOK_EVERY;
                Some(window.until.map_or(next, |until| until.min(next)))
            }
            Seen::Count(_) => window.until,
            Seen::Judged(_) => None,
        }
    }
}
