//! A terminal taken over for a while, and given back as it was.

use super::chart::Canvas;
use crate::kernel::{notice_going_on, went_on};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, Stdin, Stdout, Write};
use std::os::fd::AsFd;
use termion::raw::{IntoRawMode, RawTerminal};
use termion::screen::{ToAlternateScreen, ToMainScreen};

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Character(char),
    /// Ctrl-C, Ctrl-D, Escape.
    End,
    /// Ctrl-Z.
    Suspend,
    Other,
}

/// The terminal of this process. It is given back when this is dropped.
pub(crate) struct Terminal {
    screen: RawTerminal<Stdout>,
    keys: Stdin,
    colour: bool,
}

impl Terminal {
    pub(crate) fn take() -> io::Result<Self> {
        notice_going_on()?;
        let screen = io::stdout().into_raw_mode()?;
        let mut terminal = Self { screen, keys: io::stdin(), colour: is_coloured() };
        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&mut self) -> io::Result<()> {
        write!(self.screen, "{ToAlternateScreen}{}", termion::cursor::Hide)?;
        self.screen.flush()
    }

    fn leave(&mut self) -> io::Result<()> {
        write!(self.screen, "{}{ToMainScreen}", termion::cursor::Show)?;
        self.screen.flush()
    }

    /// Suspends the program, for Ctrl-Z: gives the terminal to the shell until the program is
    /// continued.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        self.leave()?;
        self.screen.suspend_raw_mode()?;
        // Stops the whole job, as the terminal itself does.
        kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        self.take_again()
    }

    /// Takes the terminal back from a shell, if the process was stopped and goes on.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        if went_on() { self.take_again() } else { Ok(()) }
    }

    fn take_again(&mut self) -> io::Result<()> {
        went_on();
        self.screen.activate_raw_mode()?;
        self.enter()
    }

    /// Columns and rows.
    pub(crate) fn size() -> (usize, usize) {
        // A serial console may report 0 columns and 0 rows.
        let told =
            termion::terminal_size().ok().filter(|(width, height)| *width > 0 && *height > 0);
        let (width, height) = told.unwrap_or((80, 24));
        (width.into(), height.into())
    }

    /// The next key that was pressed, if one was.
    pub(crate) fn key(&mut self) -> io::Result<Option<Key>> {
        if !is_ready(&self.keys, 0) {
            return Ok(None);
        }
        // Unbuffered: `poll` doesn't see what is buffered.
        let mut first = [0];
        match nix::unistd::read(self.keys.as_fd(), &mut first) {
            // A terminal that is gone has no keys any more.
            Ok(0) | Err(nix::errno::Errno::EIO) => return Ok(Some(Key::End)),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        let [first] = first;
        Ok(Some(match first {
            0x03 | 0x04 => Key::End,
            0x1a => Key::Suspend,
            // Escape alone is a key; with more bytes after it, it begins the sequence of another
            // key.
            0x1b if !is_ready(&self.keys, TOGETHER) => Key::End,
            0x1b => {
                self.skip_sequence();
                Key::Other
            }
            first if first.is_ascii() => Key::Character(first.into()),
            // A byte of a character that isn't ASCII.
            _ => Key::Other,
        }))
    }

    /// Skips the bytes that follow the Escape of an arrow or a similar key.
    fn skip_sequence(&self) {
        let next = || {
            let mut next = [0];
            let is_there = is_ready(&self.keys, TOGETHER)
                && nix::unistd::read(self.keys.as_fd(), &mut next) == Ok(1);
            is_there.then_some(next[0])
        };
        // CSI has parameters up to a final byte, SS3 one byte; all else is one with Alt.
        match next() {
            Some(b'[') => while next().is_some_and(|byte| !(0x40..=0x7e).contains(&byte)) {},
            Some(b'O') => drop(next()),
            _ => {}
        }
    }

    pub(crate) fn draw(&mut self, canvas: &Canvas) -> io::Result<()> {
        // As one synchronized update, if the terminal supports that; each line overwrites the old
        // one.
        let mut frame = String::from("\x1b[?2026h\x1b[H");
        let lines = canvas.lines(self.colour);
        for (row, line) in lines.iter().enumerate() {
            if row > 0 {
                frame.push_str("\r\n");
            }
            // Before the text: after a line as wide as the terminal, it would erase the last
            // character.
            frame.push_str("\x1b[K");
            frame.push_str(line);
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        self.screen.write_all(frame.as_bytes())?;
        self.screen.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // At once: a signal may end the process next.
        let _ = self.leave();
    }
}

/// Whether colours are wanted: <https://no-color.org>.
fn is_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The bytes of one key come within this of each other, in milliseconds, over a slow line, too.
const TOGETHER: u8 = 50;

fn is_ready(keys: &Stdin, within: u8) -> bool {
    let mut ready = [PollFd::new(keys.as_fd(), PollFlags::POLLIN)];
    poll(&mut ready, PollTimeout::from(within)).is_ok_and(|ready| ready > 0)
}
