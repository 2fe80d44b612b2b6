//! A terminal on which a test types, and looks at what is drawn.

use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something to be drawn. Emulated processors are slow.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Terminal {
    pub(crate) keyboard: File,
    arriving: Receiver<Vec<u8>>,
    drawn: Vec<u8>,
    /// How many of the bytes no [`until`](Self::until) needs to look at any more.
    seen: usize,
}

impl Terminal {
    /// A terminal, and the end of it that a program gets as a standard stream. It is over when no
    /// program has that end open any more.
    pub(crate) fn new(columns: u16, rows: u16) -> (Self, File) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a terminal");
        let keyboard = File::from(pair.master);
        let mut reading = keyboard.try_clone().expect("a terminal");
        let (to, arriving) = channel();
        thread::spawn(move || {
            let mut some = [0; 4_096];
            while let Ok(number @ 1..) = reading.read(&mut some) {
                if to.send(some[..number].to_vec()).is_err() {
                    break;
                }
            }
        });
        (Self { keyboard, arriving, drawn: Vec::new(), seen: 0 }, File::from(pair.slave))
    }

    pub(crate) fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).expect("pressed");
    }

    /// Waits until what was drawn since the last call holds what is wanted, and gives that; an error
    /// if it never does.
    pub(crate) fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let began = Instant::now();
        loop {
            let new = String::from_utf8_lossy(&self.drawn[self.seen..]).into_owned();
            if wanted(&new) {
                self.seen = self.drawn.len();
                return Ok(new);
            }
            match self.arriving.recv_timeout(Duration::from_millis(100)) {
                Ok(more) => self.drawn.extend(more),
                Err(RecvTimeoutError::Timeout) if began.elapsed() < PATIENCE => {}
                Err(_) => return Err(new),
            }
        }
    }

    /// All that was drawn, once no program has the terminal open any more.
    pub(crate) fn all(mut self) -> String {
        self.drawn.extend(self.arriving.iter().flatten());
        String::from_utf8_lossy(&self.drawn).into_owned()
    }
}
